/**
 * Leases that end while something is broken: the link between the clusters is down, the syncer is dead, the agent is
 * killed at each step. The pods go in time all the same, and home shows it when it can.
 */
import { beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest';
import { run } from './clusters/local/run.ts';
import { networkNamespace } from './clusters/local/components.ts';
import { endedByLease } from './closing/ended.ts';
import { ClosingRig, FORCED, KEEP, OBEYS } from './closing/rig.ts';
import { cleanup, waitFor } from './harness/index.ts';
import { Budgets } from './worker-agent/rig.ts';

const rig = new ClosingRig();
const SLOW = { timeoutMs: 90_000, everyMs: 200 };

beforeAll(() => rig.setUp(FORCED));

beforeEach(async () => {
  onTestFailed(() => console.log(rig.lastWords()));
  await rig.beginDay();
});

async function running(name: string): Promise<void> {
  await rig.createPod(name, OBEYS);
  await rig.phase(name, 'Running');
}

async function killedAt(time: string): Promise<void> {
  await rig.worker.agent?.kill();
  rig.at(time);
  await rig.startAgent();
}

function empty(): Promise<boolean> {
  return waitFor('nothing lent runs', async () => (await rig.workerPods()).length === 0, SLOW);
}

/** Name on the host of the other end of an interface in a network namespace. */
async function hostEnd(namespace: string): Promise<string> {
  const show = async (...command: string[]) =>
    JSON.parse((await run([...command, 'ip', '-json', 'link', 'show'])).stdout) as {
      ifname: string;
      ifindex: number;
      link_index?: number;
    }[];
  const inside = (await show('nsenter', `--net=/run/netns/${namespace}`)).find(({ ifname }) => ifname === 'eth0');
  const outside = (await show()).find(({ ifindex }) => ifindex === inside?.link_index);
  if (!outside) throw new Error(`eth0 of ${namespace} has no other end on this host`);
  return outside.ifname;
}

test('the syncer is dead: the agent takes back alone, and the next syncer shows it', async () => {
  const name = `dead-${rig.days}`;
  await running(name);
  await rig.syncer.kill();
  rig.at('20:00:00');
  await rig.worker.becomes(rig.nodes[0] as string, { phase: 'Closing', reclaimStage: 'Notice' });
  rig.at('20:01:40');
  await empty();
  expect((await rig.pod(name)).status?.phase).toBe('Running');
  await rig.startSyncer();
  endedByLease(await rig.phase(name, 'Failed'), rig.binding);
  await rig.tainted('NoExecute');
  await rig.forgetPod(name);
});

test('the agent is killed at each step: notice, closing, the syncer’s turn, its own, the deadline', {
  timeout: 240_000,
}, async () => {
  const [free, held, bound] = [`free-${rig.days}`, `held-${rig.days}`, `bound-${rig.days}`];
  for (const name of [free, held, bound]) await running(name);
  // The owner's own budget: only the deadline goes over it.
  await rig.holdInWorker(bound);
  for (const name of [held, bound]) {
    const selector = { matchLabels: { app: name } };
    await rig.home.create(Budgets, { metadata: { name, namespace: rig.ns }, spec: { minAvailable: 1, selector } });
  }
  await killedAt('19:56:00');
  await rig.hears(free, 'LeaseClosesSoon');
  await killedAt('20:00:00');
  await rig.tainted('NoSchedule');
  await killedAt('20:01:02');
  // The agent's own turn comes half a minute after the syncer's: the time that its start took is given back.
  rig.at('20:01:05');
  endedByLease(await rig.phase(free, 'Failed'), rig.binding);
  expect((await rig.pod(held)).status?.phase).toBe('Running');
  await killedAt('20:01:40');
  endedByLease(await rig.phase(held, 'Failed'), rig.binding);
  await rig.hears(bound, 'ReclaimBlocked');
  expect((await rig.counterpart(bound)).metadata.deletionTimestamp).toBeUndefined();
  await killedAt('20:11:05');
  endedByLease(await rig.phase(bound, 'Failed'), rig.binding);
  await rig.tainted('NoExecute');
  await empty();
  for (const name of [free, held, bound]) await rig.forgetPod(name);
});

test('the link between the clusters is down: the window closes and the pods go', { timeout: 300_000 }, async () => {
  const name = `cut-${rig.days}`;
  await running(name);
  // The syncer moves into the computing cluster, so that it keeps that side when the other is cut off.
  await rig.syncer.kill();
  const namespace = networkNamespace('computing');
  await rig.startSyncerIn(namespace, '--worker-unreachable-after=12');
  const end = await hostEnd(namespace);
  const set = (state: 'up' | 'down') => run(['ip', 'link', 'set', end, state]);
  cleanup(() => set('up'));
  await set('down');
  try {
    rig.at('20:00:00');
    await rig.worker.becomes(rig.nodes[0] as string, { phase: 'Closing', reclaimStage: 'Notice' });
    await rig.syncer.waitLog(
      'loss of the worker',
      ({ cluster, kind }) => cluster === 'worker' && kind !== undefined,
      60_000,
    );
    rig.at('20:01:40');
    await empty();
  } finally {
    await set('up');
  }
  const ended = await rig.phase(name, 'Failed');
  endedByLease(ended, rig.binding);
  expect(ended.metadata.finalizers).toEqual([KEEP]);
  await rig.tainted('NoExecute');
  await rig.forgetPod(name);
  await rig.syncer.kill();
  await rig.startSyncer();
});
