/**
 * Silence on real clusters: of the worker, of its agent, of one record. Vnodes take no new pods, nothing else changes, and
 * all is as before when the silence ends.
 */
import { leasedNodeName, LeasedNodes } from '@kubeocean/shared/api';
import { Leases } from '@kubeocean/shared/kube';
import { afterEach, beforeAll, expect, onTestFinished, test } from 'vitest';
import { isReady, waitFor } from './harness/index.ts';
import { cutOffForEviction, type EvictingRig } from './syncer/evicting.ts';
import { IMPATIENT, openStatus, SyncerRig, taintKeys } from './syncer/rig.ts';

const rig = new SyncerRig();
let evicting: EvictingRig;
const { worker, node, mount, bindingName } = rig;
const UNKNOWN = 'kubeocean.io/lease-unknown:NoSchedule';
const UNREACHABLE = 'kubeocean.io/worker-unreachable:NoSchedule';

beforeAll(async () => {
  // First, since home takes a minute to call a node Unknown: meanwhile the others run.
  [evicting] = await Promise.all([cutOffForEviction(), rig.setUp(...IMPATIENT)]);
  await rig.putRecord(node, openStatus);
  await waitFor('vnode', () => rig.vnodeNow(), { timeoutMs: 60_000 });
});

afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.log(rig.syncer.tail(40), evicting.pods.syncer.tail(20));
});

test('a record that is gone only taints', async () => {
  await worker.delete(LeasedNodes, mount, leasedNodeName(bindingName, node));
  await rig.waitTaint(UNKNOWN, true);
  await rig.waitCondition('AgentReady', 'False', 'RecordsMissing');
  const now = await rig.vnodeNow();
  expect(now.spec.unschedulable).toBeUndefined();
  expect(now.status.allocatable?.['cpu']).toBe('4');
  expect(now.metadata.labels?.['topology.kubernetes.io/zone']).toBe('z1');
  await rig.putRecord(node, openStatus);
  await rig.waitTaint(UNKNOWN, false);
  await rig.waitCondition('AgentReady', 'True', 'AgentAlive');
});

test('an agent that falls silent taints the vnodes, not before its time; heard again, the taint goes', async () => {
  rig.heart.stop();
  await rig.heart.beat();
  const silentFrom = performance.now();
  const told = await rig.waitCondition('AgentReady', 'False', 'AgentStale');
  expect(performance.now() - silentFrom).toBeGreaterThan(11_000);
  expect(told.message).toContain('for 12 s');
  await rig.waitTaint(UNKNOWN, true);
  expect((await rig.vnodeNow()).spec.unschedulable).toBeUndefined();
  await rig.heart.start();
  await rig.waitTaint(UNKNOWN, false);
  await rig.waitCondition('AgentReady', 'True', 'AgentAlive');
});

test('an agent that is not installed is told apart from a silent one', async () => {
  rig.heart.stop();
  await rig.heart.over();
  await worker.delete(Leases, mount, 'kubeocean-agent');
  const told = await rig.waitCondition('AgentReady', 'False', 'AgentNotInstalled');
  expect(told.message).toContain('install charts/kubeocean-worker');
  await rig.waitTaint(UNKNOWN, true);
  await rig.heart.start();
  await rig.waitTaint(UNKNOWN, false);
});

test('a worker that cannot be reached taints, while Leases go on; back, the taint goes', async () => {
  const mend = rig.cutOff();
  onTestFinished(mend);
  await rig.restart(...IMPATIENT);
  await rig.waitTaint(UNREACHABLE, true);
  const told = await rig.waitCondition('WorkerReachable', 'False', 'Unreachable');
  expect(told.message).toContain('for 12 s');
  await rig.waitCondition('AgentReady', 'Unknown', 'WorkerUnreachable');
  await rig.leaseGoesOn();
  const down = await rig.vnodeNow();
  expect(down.status.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True');
  expect(taintKeys(down)).not.toContain(UNKNOWN);
  mend();
  await rig.waitTaint(UNREACHABLE, false);
  await rig.waitCondition('WorkerReachable', 'True', 'Answering');
});

test('with the word to evict, a vnode whose worker is cut off is Unknown, pods go by their tolerations, and all comes back', {
  timeout: 240_000,
  // What it looks at began before all tests, and is over.
  retry: 0,
}, async () => {
  const { pods, stays, goes } = evicting;
  const slow = { timeoutMs: 120_000, everyMs: 200 };
  await waitFor('Unknown', async () => (await evicting.ready()).status === 'Unknown', slow);
  // Home calls it so for its Lease, which nobody renews.
  expect(Date.now() - (await evicting.renewedAt())).toBeGreaterThan(40_000);
  const reachable = (await pods.binding()).status?.conditions?.find(({ type }) => type === 'WorkerReachable');
  expect(reachable?.status).toBe('False');
  // The one that tolerates it for no time at all is evicted; nobody can say yet that it ended.
  await waitFor('the eviction', async () => (await pods.atHome(goes)).metadata.deletionTimestamp, slow);
  await waitFor('home to doubt the other', async () => !isReady(await pods.atHome(stays)), slow);
  expect((await pods.atHome(stays)).metadata.deletionTimestamp).toBeUndefined();
  const stale = await evicting.renewedAt();

  evicting.mend();
  await waitFor('Ready again', async () => (await evicting.ready()).status === 'True', slow);
  await waitFor('its Lease renewed', async () => (await evicting.renewedAt()) > stale, slow);
  await waitFor('no taint of it', async () => (await evicting.taints()).every((key) => !/unreachable/.test(key)), slow);
  await pods.gone(goes);
  const now = await pods.ready(stays);
  expect(now.metadata.uid).toBe(evicting.homeUID);
  expect((await pods.inWorker(stays)).metadata.uid).toBe(evicting.workerUID);
  expect(now.status?.containerStatuses?.[0]?.restartCount).toBe(0);
});
