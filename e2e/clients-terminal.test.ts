/** Terminals and long streams: attach -it, a window that changes its size, logs that follow across a rotation. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startClient, startOnTerminal } from './clients/client.ts';
import { commandLine, type Protocol, PROTOCOLS } from './clients/kubectls.ts';
import { container, makeTargets, onBoth, type Target, type Targets } from './clients/targets.ts';
import { run } from './clusters/local/run.ts';
import { programPath, waitFor } from './harness/index.ts';

let targets: Targets;
let kubectl: string;
const protocols = Object.keys(PROTOCOLS) as Protocol[];

/** A line each tenth of a second; when told to (/tmp/go), more than a kubelet lets a log grow to (10 MiB) at once. */
const NOISE = [
  'i=0',
  'line() { i=$((i + 1)); printf "%09d $1\\n" $i; }',
  'filler=$(head -c 990 /dev/zero | tr "\\0" x)',
  'while true; do',
  '  if [ -e /tmp/go ]; then rm /tmp/go; end=$((i + 12000)); while [ $i -lt $end ]; do line $filler; done; fi',
  '  line .; sleep 0.1',
  'done',
].join('\n');

beforeAll(async () => {
  kubectl = programPath('kubectl');
  targets = await makeTargets('terminal', {
    containers: [
      container('main', 'exec sleep 100000'),
      // One terminal for each protocol: two at once would share what is typed.
      ...protocols.map((protocol) =>
        container(protocol.toLowerCase(), 'while true; do sh; done', { stdin: true, tty: true }),
      ),
      container('noise', NOISE),
    ],
  });
});

afterAll(() => {
  if (process.env['SHOW_LOG']) console.log(targets.proxier.tail(200));
});

/** A shell command line of kubectl. */
function line(protocol: Protocol, args: string): string {
  const env = Object.entries(PROTOCOLS[protocol]).map(([name, value]) => `${name}=${value}`);
  return `env ${env.join(' ')} ${commandLine(kubectl, targets.namespace, []).join(' ')} ${args}`;
}

const resize = (tty: string, rows: number, cols: number) =>
  run(['stty', '-F', tty, 'rows', String(rows), 'cols', String(cols)]);

describe.each(protocols)('over %s', (protocol) => {
  test('exec -it: the terminal has the size of the window, also when that changes, and ends with the exit code', async () => {
    // A terminal has no size at first: kubectl tells it once the stream is there.
    const until = (size: string) => `until [ "$(stty size 2>/dev/null)" = "${size}" ]; do sleep 0.1; done`;
    const script = `${until('33 77')}; echo begun; ${until('44 99')}; exit 9`;
    const results = await onBoth(async (target) => {
      const command = line(protocol, `exec -it ${target} -c main -- sh -c '${script}'`);
      const client = startOnTerminal(command, { rows: 33, cols: 77 });
      await client.waitOut(/begun/);
      await resize(await client.tty(), 44, 99);
      return client.ended;
    });
    expect(results).toEqual({ 'on-vnode': 9, 'on-kubelet': 9 });
  });

  test('attach -it: what is typed runs, and a window that changes its size is seen', async () => {
    const results = await onBoth(async (target) => {
      const command = line(protocol, `attach -it ${target} -c ${protocol.toLowerCase()}`);
      const client = startOnTerminal(command, { rows: 25, cols: 66 });
      await client.waitOut(/If you don't see a command prompt|[#$] /);
      await typeUntil(client, 'echo answer $((6 * 7))\n', /answer 42/);
      await typeUntil(client, 'stty size\n', /25 66/);
      await resize(await client.tty(), 30, 88);
      await typeUntil(client, 'stty size\n', /30 88/);
      await client.kill();
      return client.out().includes('answer 42');
    });
    expect(results).toEqual({ 'on-vnode': true, 'on-kubelet': true });
  });
});

/** What is typed before the stream is joined may be lost, on any kubelet, so it is typed until it is answered. */
async function typeUntil(client: { write(text: string): void; out(): string }, text: string, answer: RegExp) {
  const look = () => {
    if (answer.test(client.out())) return true;
    client.write(text);
    return false;
  };
  await waitFor(`an answer to ${text.trim()}`, look, { timeoutMs: 60_000, everyMs: 700 });
}

describe('kubectl logs -f', () => {
  test('goes on across a rotation of the log, and misses no line', async () => {
    const results = await onBoth(async (target) => {
      const before = await firstLine(target);
      const client = startClient(
        commandLine(kubectl, targets.namespace, ['logs', '-f', target, '-c', 'noise', '--tail=1']),
      );
      await client.waitOut(/^\d{9} /m);
      await targets.rig.kubectl(['exec', target, '-c', 'noise', '--', 'touch', '/tmp/go']);
      const rotated = await waitFor(
        'the rotation',
        async () => {
          const now = await firstLine(target);
          return now > before + 10_000 && now;
        },
        { timeoutMs: 120_000, everyMs: 1000 },
      );
      // Lines of the new file, and some more.
      const last = () => numbers(client.out().slice(-10_000)).at(-1) ?? 0;
      await waitFor('the lines after it', () => last() > rotated + 20, { timeoutMs: 60_000 });
      await client.kill();
      const seen = numbers(client.out());
      return { lines: seen.length > 10_000, gaps: seen.slice(1).filter((n, at) => n !== (seen[at] as number) + 1) };
    });
    expect(results['on-vnode']).toEqual({ lines: true, gaps: [] });
    expect(results['on-kubelet']).toEqual(results['on-vnode']);
  }, 200_000);
});

/** Number of the first line of the log's newest file. */
async function firstLine(target: Target): Promise<number> {
  const { stdout } = await targets.rig.kubectl(['logs', target, '-c', 'noise', '--limit-bytes=10']);
  return Number.parseInt(stdout, 10);
}

/** The numbers that whole lines begin with. */
function numbers(text: string): number[] {
  return [...text.matchAll(/^(\d{9}) .*\n/gm)].map(([, number]) => Number(number));
}
