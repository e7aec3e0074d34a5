/**
 * A worker that vanishes without a word, as a host does that loses its power, or a link that is cut: no FIN, no RST. The
 * clients of its sessions are told in bounded time, although their own pings are on the way all the time, for which Linux
 * alone would wait a quarter of an hour; nothing is left, and new sessions are served when it is back.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { commandLine } from './clients/kubectls.ts';
import { startClient } from './clients/client.ts';
import { startChild } from './harness/child.ts';
import { cleanup, programPath, type RunningProcess, waitFor } from './harness/index.ts';
import { type Island, makeIsland } from './proxier/island.ts';
import { openSessions } from './proxier/objects.ts';
import { makeRig, type Rig } from './proxier/rig.ts';

const pod = 'web';
/** A little more than a minute on a machine that is not busy; see packages/proxier/src/kubelet/worker-watch.ts. */
const bounded = { timeoutMs: 180_000, everyMs: 500 };
let rig: Rig;
let island: Island;
let proxier: RunningProcess;

const descriptors = () => readdirSync(`/proc/${proxier.pid}/fd`).length;

/** Bytes from one address of socat's to another. */
function forward(prefix: readonly string[], addresses: readonly string[]): void {
  const child = startChild([...prefix, 'socat', ...addresses]);
  cleanup(async () => {
    // With the processes it made for its connections, which hold its output open.
    process.kill(-child.pid, 'SIGKILL');
    await child.ended;
  });
}

/** A kubeconfig of the worker by which its API server lives on the island, where nothing but the link leads to. */
async function kubeconfigByIsland(): Promise<string> {
  const { host, hostname, origin } = new URL(rig.worker.transport.server);
  // A Unix socket has no network that could be cut.
  const bridge = join(rig.folder, 'worker.sock');
  forward([], [`UNIX-LISTEN:${bridge},fork`, `TCP:${host}`]);
  forward(island.prefix, ['TCP-LISTEN:6443,fork,reuseaddr', `UNIX-CONNECT:${bridge}`]);
  const direct = readFileSync(await rig.kubeconfigFor(rig.worker, rig.mount, 'kubeocean-syncer'), 'utf8');
  const document = JSON.parse(direct.replace(origin, `https://${island.address}:6443`)) as {
    clusters: { cluster: Record<string, string> }[];
  };
  for (const { cluster } of document.clusters) cluster['tls-server-name'] = hostname;
  const path = join(rig.folder, 'island.kubeconfig');
  writeFileSync(path, JSON.stringify(document), { mode: 0o600 });
  return path;
}

beforeAll(async () => {
  [rig, island] = await Promise.all([makeRig('gone', { vnodes: 1 }), makeIsland()]);
  await rig.makePod(pod);
  const workerKubeconfig = await kubeconfigByIsland();
  proxier = await rig.serve({ workerKubeconfig });
  await rig.running(pod);
});

test('sessions end with words, nothing is left, and new ones are served when it is back', async () => {
  const works = async () => (await rig.kubectl(['exec', pod, '-c', 'main', '--', 'true'])).status === 0;
  await waitFor('a session', works, bounded);
  await waitFor('no session to be open', async () => (await openSessions(proxier)) === 0, bounded);
  const before = descriptors();
  const kubectl = (...args: string[]) => startClient(commandLine(programPath('kubectl'), rig.id, args));
  const exec = kubectl('exec', pod, '-c', 'main', '--', 'sh', '-c', 'echo begun; exec sleep 1000');
  const attach = kubectl('attach', pod, '-c', 'main');
  const logs = kubectl('logs', '-f', '--tail=1', pod, '-c', 'main');
  await Promise.all([exec.waitOut(/begun/), attach.waitOut(/tick/), logs.waitOut(/tick/)]);
  expect(await openSessions(proxier)).toBe(3);
  const known = proxier.logs().length;
  await island.link('down');
  const cut = performance.now();
  try {
    await Promise.all([exec.ended, attach.ended, logs.ended]);
    const seconds = Math.round((performance.now() - cut) / 1000);
    for (const client of [exec, attach]) {
      expect(client.err()).toMatch(
        /the session has ended before its command did: worker (has not answered for \d+ s|connection failed)/,
      );
      expect(await client.ended).toBe(1);
    }
    await waitFor('all sessions to end', async () => (await openSessions(proxier)) === 0, bounded);
    const audited = proxier
      .logs()
      .slice(known)
      .filter((line) => line['audit'] === 'session');
    console.log(
      `told after ${seconds} s: ${audited.map((line) => `${String(line['verb'])}: ${String(line['reason'])}`).join(', ')}`,
    );
    expect(audited.map(({ verb }) => String(verb)).toSorted()).toEqual(['attach', 'exec', 'logs']);
  } finally {
    await island.link('up');
  }
  await waitFor('a new session', works, bounded);
  await waitFor('the descriptors', () => descriptors() <= before + 8, bounded);
}, 600_000);
