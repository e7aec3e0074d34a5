/**
 * kubectl of four versions, over SPDY and over WebSocket: what it does with a vnode's pod is what it does with the same
 * pod on a real kubelet.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startClient } from './clients/client.ts';
import {
  commandLine,
  findKubectls,
  type Kubectl,
  type Protocol,
  PROTOCOLS,
  speaksWebSocket,
} from './clients/kubectls.ts';
import { container, makeTargets, onBoth, type Target, type Targets } from './clients/targets.ts';
import type { RunResult } from './clusters/local/run.ts';
import { waitFor } from './harness/index.ts';

const { kubectls, missing } = await findKubectls();
const ways = kubectls.flatMap((kubectl) =>
  (Object.keys(PROTOCOLS) as Protocol[])
    .filter((protocol) => protocol === 'SPDY' || speaksWebSocket(kubectl))
    .map((protocol) => ({ ...kubectl, protocol })),
);

let targets: Targets;

beforeAll(async () => {
  if (missing.length > 0) console.warn(`kubectls that this machine cannot have: ${missing.join('; ')}`);
  targets = await makeTargets('clients', {
    containers: [
      container('main', 'seq 1 5; httpd -p 8080 -h /etc; exec sleep 100000'),
      // What it reads comes back; attach has something to talk to.
      container('echo', 'while read line; do echo "heard $line"; done; exec sleep 100000', { stdin: true }),
    ],
  });
}, 900_000);

afterAll(() => {
  if (process.env['SHOW_LOG']) console.log(targets.proxier.tail(200));
});

test('there are the clusters’ own kubectl and a newer one at least', () => {
  expect(ways.length).toBeGreaterThanOrEqual(4);
});

describe.each(ways)('kubectl $version over $protocol', (way: Kubectl & { protocol: Protocol }) => {
  const env = PROTOCOLS[way.protocol];
  const start = (args: string[]) => startClient(commandLine(way.program, targets.namespace, args), env);

  /** Runs to the end on both pods; `{}` in the arguments is the pod. */
  function both(args: string[], input?: string): Promise<Record<Target, RunResult>> {
    return onBoth((target) =>
      targets.rig.kubectl(
        args.map((argument) => argument.replace('{}', target)),
        { program: way.program, env, ...(input !== undefined && { input }) },
      ),
    );
  }

  test('exec: input, output, error output, exit code', async () => {
    const command = ['--', 'sh', '-c', 'cat; echo wrong >&2; exit 7'];
    const results = await both(['exec', '-i', '{}', '-c', 'main', ...command], 'some input\n');
    for (const [target, { stdout, stderr, status }] of Object.entries(results)) {
      expect({ stdout, status }, target).toEqual({ stdout: 'some input\n', status: 7 });
      expect(stderr, target).toMatch(/^wrong$/m);
    }
  });

  test('exec of what is not there: the same words', async () => {
    const results = await both(['exec', '{}', '-c', 'main', '--', '/no/such']);
    const words = ({ stderr, status }: RunResult) => ({
      status,
      // The runtime's words quote the container's own identifier.
      stderr: stderr.replace(/[0-9a-f]{32,}/g, 'ID').replaceAll(/on-(vnode|kubelet)/g, 'POD'),
    });
    expect(words(results['on-vnode'])).toEqual(words(results['on-kubelet']));
    expect(results['on-vnode'].status).not.toBe(0);
  });

  test('logs', async () => {
    for (const options of [[], ['--tail=2'], ['--tail=0'], ['--limit-bytes=4'], ['--since=1h']]) {
      const results = await both(['logs', '{}', '-c', 'main', ...options]);
      const { stdout, status, stderr } = results['on-vnode'];
      expect({ stdout, status, stderr }, options.join()).toEqual({ ...results['on-kubelet'] });
    }
    const { stdout } = (await both(['logs', '{}', '-c', 'main', '--tail=1', '--timestamps']))['on-vnode'];
    expect(stdout).toMatch(/^\d{4}-\d\d-\d\dT\S+Z 5\n$/);
  });

  test('attach: both directions', async () => {
    const heard = await onBoth(async (target) => {
      const client = start(['attach', '-i', target, '-c', 'echo']);
      const word = `${way.version}-${way.protocol}-${String(process.hrtime.bigint())}`;
      // What is written before the stream is there may be lost, on any kubelet: it is said until it is heard.
      await waitFor(
        'what was said',
        () => {
          if (!client.out().includes(`heard ${word}`)) client.write(`${word}\n`);
          return client.out().includes(`heard ${word}`);
        },
        { timeoutMs: 60_000, everyMs: 500 },
      );
      await client.kill();
      return true;
    });
    expect(heard).toEqual({ 'on-vnode': true, 'on-kubelet': true });
  });

  test('port-forward', async () => {
    const bodies = await onBoth(async (target) => {
      const client = start(['port-forward', target, ':8080']);
      const [, port] = await client.waitOut(/127\.0\.0\.1:(\d+) -> 8080/);
      const texts: string[] = [];
      for (let i = 0; i < 3; i++) texts.push(await (await fetch(`http://127.0.0.1:${port}/passwd`)).text());
      await client.kill();
      return texts;
    });
    expect(bodies['on-vnode']).toEqual(bodies['on-kubelet']);
    expect(bodies['on-vnode'][2]).toContain('root:x:0:0');
  });

  test('cp to and from the pod', async () => {
    const folder = join(targets.rig.folder, `${way.version}-${way.protocol}`);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    const text = `${way.version} ${way.protocol}\n`.repeat(1000);
    writeFileSync(join(folder, 'up'), text);
    const back = await onBoth(async (target) => {
      const copy = (from: string, to: string) =>
        targets.rig.kubectl(['cp', '-c', 'main', from, to], { program: way.program, env });
      const results = [
        await copy(join(folder, 'up'), `${target}:/tmp/copied`),
        await copy(`${target}:/tmp/copied`, join(folder, target)),
      ];
      expect(
        results.map(({ status }) => status),
        results.map(({ stderr }) => stderr).join(),
      ).toEqual([0, 0]);
      return readFileSync(join(folder, target), 'utf8') === text;
    });
    expect(back).toEqual({ 'on-vnode': true, 'on-kubelet': true });
  });
});
