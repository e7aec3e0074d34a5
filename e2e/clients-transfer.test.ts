/**
 * Much data through a vnode, byte for byte, beside a tenth of it through a real kubelet: files of 100 MB both ways, 300 MB
 * of output, a reader slower than the writer, 200 requests at once through one port-forward.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream, statSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
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

/** On the kubelet, which is there to show that a difference is ours, less does. */
const share = (target: Target, bytes: number) => (target === 'on-vnode' ? bytes : bytes / 10);

/** Runs the same over both protocols, on both pods, at the same time. */
async function onAll<T>(act: (target: Target, protocol: Protocol) => Promise<T>): Promise<Record<string, T>> {
  const results = await Promise.all(
    protocols.flatMap((protocol) =>
      TARGETS.map(async (target) => [`${protocol} ${target}`, await act(target, protocol)] as const),
    ),
  );
  return Object.fromEntries(results);
}

/** The same expected of all. */
function all<T>(expected: (target: Target) => T): Record<string, T> {
  return Object.fromEntries(
    protocols.flatMap((protocol) => TARGETS.map((target) => [`${protocol} ${target}`, expected(target)])),
  );
}

test('kubectl cp of 100 MB to a pod and back', async () => {
  const sums = await onBoth(async (target) => {
    const file = join(targets.rig.folder, `file-${target}`);
    // Not compressible, and a block that is lost, doubled or moved shows.
    await pipeline(blocks(share(target, 100)), createWriteStream(file));
    const back = `${file}-back`;
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
    const [sent, received] = await Promise.all([checksum(file), checksum(back)]);
    return { bytes: statSync(file).size, inside: inside === sent, back: received === sent };
  });
  const whole = { inside: true, back: true };
  expect(sums).toEqual({
    'on-vnode': { bytes: 100 * MB, ...whole },
    'on-kubelet': { bytes: 10 * MB, ...whole },
  });
}, 300_000);

function* blocks(count: number): Generator<Buffer> {
  for (let i = 0; i < count; i++) yield randomBytes(MB);
}

test('300 MB of output arrive whole', async () => {
  const results = await onAll((target, protocol) => {
    const bytes = share(target, 300 * MB);
    return read(target, protocol, `head -c ${bytes} /dev/zero`, bytes, () => undefined);
  });
  expect(results).toEqual(all((target) => ({ exit: 3, bytes: share(target, 300 * MB) })));
}, 600_000);

test('a reader slower than the writer loses no byte', async () => {
  const lines = 2_000_000;
  const expected = createHash('sha256');
  for (let i = 1; i <= lines; i++) expected.update(`${i}\n`);
  const results = await onAll(async (target, protocol) => {
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
  expect(results).toEqual(all(() => whole));
}, 300_000);

test('200 requests at once through one kubectl port-forward', async () => {
  const sums = await onAll(async (target, protocol) => {
    const client = startClient(
      commandLine(kubectl, targets.namespace, ['port-forward', target, ':8080']),
      PROTOCOLS[protocol],
    );
    const port = Number((await client.waitOut(/127\.0\.0\.1:(\d+) -> 8080/))[1]);
    const { stdout } = await targets.rig.kubectl(['exec', target, '--', 'sha256sum', '/www/file']);
    const count = share(target, 200);
    const agent = new Agent({ maxSockets: count });
    const answers = await Promise.all(Array.from({ length: count }, () => fetchSum(port, agent)));
    agent.destroy();
    const wrong = answers.filter((sum) => sum !== stdout.split(' ')[0]);
    const told = wrong.length > 0 ? client.err().slice(-500) : '';
    await client.kill();
    return { asked: answers.length, wrong, told };
  });
  expect(sums).toEqual(all((target) => ({ asked: share(target, 200), wrong: [], told: '' })));
}, 300_000);

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
