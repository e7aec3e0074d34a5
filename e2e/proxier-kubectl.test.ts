/** kubectl, the built one and an installed one, through computing API server and proxier down to the container. */
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Annotation } from '@kubeocean/shared/api';
import { Pods } from '@kubeocean/shared/kube';
import { beforeAll, describe, expect, test } from 'vitest';
import { startClient } from './clients/client.ts';
import { commandLine } from './clients/kubectls.ts';
import { run, type RunResult } from './clusters/local/run.ts';
import { kubeconfigOf, programPath, type RunningProcess, uniqueName, waitFor } from './harness/index.ts';
import { openSessions, podSpec } from './proxier/objects.ts';
import { makeRig, type Rig } from './proxier/rig.ts';

const pod = 'web';
let rig: Rig;
let id: string;
let proxier: RunningProcess;

beforeAll(async () => {
  rig = await makeRig('kubectl', { vnodes: 1 });
  id = rig.id;
  await rig.makePod(pod);
  proxier = await rig.serve();
  await rig.running(pod);
});

/** How many audit lines so far tell of logs of this container whose client went. */
function abandoned(container: string): number {
  const lines = proxier.logs().filter((line) => line['verb'] === 'logs' && line['container'] === container);
  return lines.filter((line) => line['reason'] === 'client gone').length;
}

const kubectls = [programPath('kubectl'), '/usr/bin/kubectl'].filter((path) => existsSync(path));

describe.each(kubectls)('%s', (program) => {
  const on = (args: string[], options: { input?: string; env?: Record<string, string> } = {}): Promise<RunResult> =>
    rig.kubectl(args, { ...options, program });

  test('logs', async () => {
    const { stdout, status } = await on(['logs', pod, '-c', 'main', '--limit-bytes=35']);
    expect({ stdout, status }).toEqual({ stdout: 'line 1\nline 2\nline 3\nline 4\nline 5\n', status: 0 });
  });

  test('logs --tail and --timestamps', async () => {
    expect((await on(['logs', pod, '-c', 'main', '--tail=0'])).stdout).toBe('');
    expect((await on(['logs', pod, '-c', 'main', '--tail=1', '--timestamps'])).stdout).toMatch(
      /^\d{4}-\d\d-\d\dT\S+Z (tick|line 5)\n$/,
    );
    expect((await on(['logs', pod, '-c', 'main', '--since=1h', '--tail=2'])).stdout.split('\n').length).toBe(3);
  });

  test('logs -f follows until the client goes', async () => {
    const before = abandoned('main');
    const client = startClient(commandLine(program, id, ['logs', '-f', '--tail=1', pod, '-c', 'main']));
    await client.waitOut(/tick\n(.*\n)*tick\n/);
    expect(abandoned('main')).toBe(before);
    await client.kill();
    await waitFor('the audit line of the log', () => abandoned('main') === before + 1);
  });

  test('logs -f of a container that writes nothing stays open, and ends as the client’s wish', async () => {
    const before = abandoned('silent');
    await waitFor('no session to be open', async () => (await openSessions(proxier)) === 0);
    const client = startClient(commandLine(program, id, ['logs', '-f', pod, '-c', 'silent']));
    // On a busy machine kubectl may take its time until it asks.
    await waitFor('the session', async () => (await openSessions(proxier)) === 1);
    expect(await Promise.race([client.ended, sleep(2000, 'open')])).toBe('open');
    expect([client.out(), client.err()]).toEqual(['', '']);
    await client.kill();
    await waitFor('its audit line', () => abandoned('silent') === before + 1);
  });

  test('logs --previous says in the worker’s words that there is none, under the home pod’s name', async () => {
    const { stderr, status } = await on(['logs', pod, '-c', 'main', '--previous']);
    expect(status).toBe(1);
    expect(stderr).toMatch(/previous terminated container "main" in pod "web" not found/);
  });

  test('logs and exec of a pod that the worker has not placed say so, and neither is empty', async () => {
    const name = uniqueName('unplaced');
    const { metadata } = await rig.makePod(name, { alone: true });
    const annotations = { [Annotation.virtualPodUID]: metadata.uid as string };
    await rig.worker.create(Pods, {
      metadata: { namespace: rig.mount, name: rig.workerNameOf(name), annotations },
      spec: { ...podSpec(), nodeSelector: { nowhere: 'yes' } },
    });
    const log = await on(['logs', name, '-c', 'main']);
    expect(log.status).toBe(1);
    expect(log.stderr).toContain('is waiting to start: the worker cluster has not given the pod a node yet');
    const { stderr } = await on(['exec', name, '-c', 'main', '--', 'true']);
    expect(stderr).toContain(`pod ${name} has not been given a node by the worker cluster yet`);
  });

  test('exec: output, error output and exit code', async () => {
    const result = await on(['exec', pod, '-c', 'main', '--', 'sh', '-c', 'echo out; echo err >&2; exit 7']);
    expect(result.stdout).toBe('out\n');
    expect(result.stderr).toMatch(/^err$/m);
    expect(result.status).toBe(7);
  });

  test('exec: arguments arrive as they are', async () => {
    const odd = ['', ' a b ', '%2F&x=1;+', 'é\n"', '$HOME'];
    const result = await on(['exec', pod, '-c', 'main', '--', 'printf', '<%s>', ...odd]);
    expect(result.stdout).toBe(odd.map((argument) => `<${argument}>`).join(''));
  });

  test('exec: a command of 40 KB', async () => {
    const result = await on(['exec', pod, '-c', 'main', '--', 'sh', '-c', 'echo ${#0}', 'x'.repeat(40_000)]);
    expect(result.stdout).toBe('40000\n');
  });

  test('exec: 5 MB in and out, byte for byte', async () => {
    const input = Array.from({ length: 500_000 }, (_, i) => String(i % 1e9).padStart(9, '0')).join('\n');
    const result = await on(['exec', '-i', pod, '-c', 'main', '--', 'cat'], { input });
    expect(result.stdout === input).toBe(true);
  });

  test('exec: 32 MB to a reader that begins late arrive whole', async () => {
    // The command stays until all is read: Kubernetes itself may cut the end of one that is done (docs/proxier.md).
    const script = `
      end=$(mktemp -u) && mkfifo "$end"
      timeout 60 "$0" --kubeconfig "$1" -n "$2" exec -i "$3" -c main -- sh -c 'head -c 33554432 /dev/zero; read done' \
        <> "$end" | (sleep 2; head -c 33554432 | wc -c; echo done > "$end")
      rm "$end"`;
    const result = await run(['sh', '-c', script, program, kubeconfigOf('computing'), id, pod], { anyExit: true });
    expect(result.stdout.trim()).toBe('33554432');
  });

  test('exec over SPDY as over WebSocket', async () => {
    for (const value of ['true', 'false']) {
      const env = { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: value };
      const result = await on(['exec', pod, '-c', 'main', '--', 'sh', '-c', 'echo hi; exit 3'], { env });
      expect([result.stdout, result.status]).toEqual(['hi\n', 3]);
    }
  });

  test('exec with a terminal', async () => {
    // The size follows the command's start.
    const inside =
      'tty; for i in $(seq 200); do stty size | grep -q "33 77" && break; sleep 0.1; done; stty size; exit 9';
    const command = `${program} --kubeconfig ${kubeconfigOf('computing')} -n ${id} exec -it ${pod} -c main -- sh -c '${inside}'`;
    const result = await run(['script', '-qec', `stty rows 33 cols 77; ${command}`, '/dev/null'], { anyExit: true });
    expect(result.stdout).toMatch(/\/dev\/pts\/\d+/);
    expect(result.stdout).toMatch(/33 77/);
    expect(result.status).toBe(9);
  });

  test('port-forward', async () => {
    const client = startClient(commandLine(program, id, ['port-forward', pod, ':8080']));
    const [, port] = await client.waitOut(/127\.0\.0\.1:(\d+) -> 8080/);
    const answer = await fetch(`http://127.0.0.1:${port}/passwd`);
    expect(await answer.text(), client.err()).toContain('root:x:0:0');
    await client.kill();
  });

  test('attach', async () => {
    const client = startClient(commandLine(program, id, ['attach', pod, '-c', 'main']));
    await client.waitOut(/tick/);
    await client.kill();
  });

  test('a command that is not there', async () => {
    const result = await on(['exec', pod, '-c', 'main', '--', '/no/such']);
    expect(result.status).not.toBe(0);
    expect(result.stderr).toMatch(/no such file or directory/);
  });
});
