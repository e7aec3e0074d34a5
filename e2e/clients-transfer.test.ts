/**
 * Much data through a vnode, byte for byte, beside the same through a real kubelet: files of 100 MB both ways, 300 MB of
 * output, a reader slower than the writer, 200 requests at once through one port-forward.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync, statSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startClient } from './clients/client.ts';
import { commandLine, type Protocol, PROTOCOLS } from './clients/kubectls.ts';
import { container, makeTargets, onBoth, TARGETS, type Target, type Targets } from './clients/targets.ts';
import { programPath } from './harness/index.ts';

const MB = 1_000_000;
/** Of `seq 1 2000000`. */
const SEQ_BYTES = 14_888_896;
let targets: Targets;
let kubectl: string;
const protocols = Object.keys(PROTOCOLS) as Protocol[];

beforeAll(async () => {
  kubectl = programPath('kubectl');
  const serve = 'mkdir /www; head -c 100000 /dev/urandom > /www/file; httpd -p 8080 -h /www; exec sleep 100000';
  targets = await makeTargets('transfer', { containers: [container('main', serve)] });
});

afterAll(() => {
  if (process.env['SHOW_LOG']) console.log(targets.proxier.tail(200));
});

/**
 * Runs a command in a pod and reads `bytes` of output chunk by chunk. The command stays until all is read: Kubernetes
 * itself may cut the end of what a command wrote when it ends before its reader is done (docs/proxier.md).
 */
async function read(
  target: Target,
  protocol: Protocol,
  command: string,
  bytes: number,
  take: (chunk: Buffer) => unknown,
): Promise<{ exit: number; bytes: number }> {
  const script = `${command}; read done; exit 3`;
  const args = ['exec', '-i', target, '--', 'sh', '-c', script];
  const [program, ...rest] = commandLine(kubectl, targets.namespace, args);
  const child = spawn(program as string, rest, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...PROTOCOLS[protocol] },
  });
  child.stdin.on('error', () => undefined);
  const closed = once(child, 'close') as Promise<[number | null]>;
  let got = 0;
  for await (const chunk of child.stdout) {
    await take(chunk as Buffer);
    got += (chunk as Buffer).length;
    if (got >= bytes) child.stdin.end('done\n');
  }
  return { exit: (await closed)[0] ?? 128, bytes: got };
}

async function checksum(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

describe('kubectl cp', () => {
  test.each(TARGETS)(
    '100 MB to and from the pod %s',
    async (target) => {
      const file = join(targets.rig.folder, 'hundred-megabytes');
      if (!existsSync(file)) {
        // Not compressible, and a block that is lost, doubled or moved shows.
        await pipeline(blocks, createWriteStream(file));
      }
      expect(statSync(file).size).toBe(100 * MB);
      const back = `${file}-${target}`;
      const run = async (...args: string[]) => {
        const { status, stdout, stderr } = await targets.rig.kubectl(args);
        expect(status, stderr).toBe(0);
        return stdout;
      };
      await run('cp', file, `${target}:/tmp/file`);
      const [inside] = (await run('exec', target, '--', 'sha256sum', '/tmp/file')).split(' ');
      // As kubectl's help advises for much data; it goes on from where a stream broke off.
      await run('cp', '--retries=20', `${target}:/tmp/file`, back);
      await run('exec', target, '--', 'rm', '/tmp/file');
      const sum = await checksum(file);
      expect({ inside, back: await checksum(back) }).toEqual({ inside: sum, back: sum });
    },
    300_000,
  );
});

function* blocks(): Generator<Buffer> {
  for (let i = 0; i < 100; i++) yield randomBytes(MB);
}

describe.each(protocols)('over %s', (protocol) => {
  test('300 MB of output arrive whole', async () => {
    const results = await onBoth((target) =>
      read(target, protocol, `head -c ${300 * MB} /dev/zero`, 300 * MB, () => undefined),
    );
    const whole = { exit: 3, bytes: 300 * MB };
    expect(results).toEqual({ 'on-vnode': whole, 'on-kubelet': whole });
  }, 600_000);

  test('a reader slower than the writer loses no byte', async () => {
    const lines = 2_000_000;
    const expected = createHash('sha256');
    for (let i = 1; i <= lines; i++) expected.update(`${i}\n`);
    const results = await onBoth(async (target) => {
      const hash = createHash('sha256');
      let bytes = 0;
      let rests = 0;
      const result = await read(target, protocol, `seq 1 ${lines}`, SEQ_BYTES, async (chunk) => {
        hash.update(chunk);
        bytes += chunk.length;
        // A rest after each megabyte.
        if (bytes < (rests + 1) * MB) return;
        rests++;
        await sleep(200);
      });
      return { ...result, sum: hash.digest('hex') };
    });
    const whole = { exit: 3, bytes: SEQ_BYTES, sum: expected.digest('hex') };
    expect(results).toEqual({ 'on-vnode': whole, 'on-kubelet': whole });
  }, 300_000);
});

describe('kubectl port-forward', () => {
  test.each(protocols)(
    '200 requests at once over %s',
    async (protocol) => {
      for (const target of TARGETS) {
        const client = startClient(
          commandLine(kubectl, targets.namespace, ['port-forward', target, ':8080']),
          PROTOCOLS[protocol],
        );
        const port = Number((await client.waitOut(/127\.0\.0\.1:(\d+) -> 8080/))[1]);
        const { stdout } = await targets.rig.kubectl(['exec', target, '--', 'sha256sum', '/www/file']);
        const agent = new Agent({ maxSockets: 200 });
        const sums = await Promise.all(Array.from({ length: 200 }, () => fetchSum(port, agent)));
        agent.destroy();
        expect(new Set(sums), `${target}: ${client.err().slice(-500)}`).toEqual(new Set([stdout.split(' ')[0]]));
        await client.kill();
      }
    },
    300_000,
  );
});

/** Checksum of what one request, on a connection of its own, brings. */
async function fetchSum(port: number, agent: Agent): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const failed = (error: Error) => resolve(`failed: ${error.message}`);
  const request = httpRequest({ host: '127.0.0.1', port, path: '/file', agent }, (response) => {
    const hash = createHash('sha256');
    response.on('data', (chunk: Buffer) => hash.update(chunk));
    response.on('end', () => resolve(response.statusCode === 200 ? hash.digest('hex') : `code ${response.statusCode}`));
    response.on('error', failed);
  });
  request.setTimeout(100_000, () => request.destroy(new Error('no byte for 100 s')));
  request.on('error', failed);
  request.end();
  return promise;
}
