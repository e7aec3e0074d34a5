/**
 * A worker cluster that was replaced while no syncer ran: by the UID in the binding's status a syncer that starts anew tells
 * it from the one that holds the pods, touches nothing, and says so, until the new one is approved. The runbooks of
 * docs/operations.md for a lost and for a replaced cluster, with the commands that the condition names.
 */
import { Annotation, claimName } from '@kubeocean/shared/api';
import { isAlreadyExists, Leases, Pods, sleep } from '@kubeocean/shared/kube';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { absent, cleanup, kubectl, uniqueName, waitFor } from './harness/index.ts';
import { ignoreMissing, openStatus, SyncerRig } from './syncer/rig.ts';

const rig = new SyncerRig();
const { home, worker, mount, bindingName } = rig;
const UNKNOWN = 'kubeocean.io/lease-unknown:NoSchedule';
const slow = { timeoutMs: 60_000, everyMs: 200 };
const pod = uniqueName('replaced');

beforeAll(async () => {
  await rig.setUp();
  await rig.putRecord(rig.node, openStatus);
  await waitFor('vnode', () => rig.vnodeNow(), slow);
});

afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.log(rig.syncer.tail(40));
});

/** The agent says in which cluster it is. */
async function says(uid: string): Promise<void> {
  const metadata = { annotations: { [Annotation.workerClusterUID]: uid } };
  await worker.patch(Leases, mount, 'kubeocean-agent', { metadata });
}

function remembered(uid: string): Promise<boolean> {
  return waitFor(`UID ${uid} remembered`, async () => (await rig.binding()).status?.workerUID === uid, slow);
}

function noClaim(): Promise<boolean> {
  return rig.claim().then(
    () => false,
    (error: unknown) => (ignoreMissing(error), true),
  );
}

async function phaseOf(name = pod): Promise<string | undefined> {
  const { status } = await home.get(Pods, 'default', name);
  return (status as { phase?: string; reason?: string } | undefined)?.phase;
}

/** A pod on the vnode that was shown to run, in the cluster that was the right one then. */
async function createShown(name: string): Promise<void> {
  const containers = [{ name: 'main', image: 'busybox:1.36' }];
  const spec = { nodeName: rig.vnode, tolerations: [{ operator: 'Exists' }], containers };
  await home.create(Pods, { metadata: { name, namespace: 'default' }, spec }).catch((error: unknown) => {
    // A second try finds it.
    if (!isAlreadyExists(error)) throw error;
  });
  cleanup(() => home.delete(Pods, 'default', name, { gracePeriodSeconds: 0 }).catch(ignoreMissing));
  const status = { phase: 'Running', startTime: '2026-11-20T12:00:00Z' };
  await home.patch(Pods, 'default', name, { status }, { subresource: 'status' });
}

test('the cluster that a binding is in is remembered, as its agent says it', async () => {
  await rig.waitCondition('Claimed', 'True', 'ClaimHeld');
  await says('first');
  await remembered('first');
});

test('a syncer that runs believes nothing of a cluster whose claim is not its own', async () => {
  const { holderIdentity } = (await rig.claim()).spec ?? {};
  await rig.patchClaim({ spec: { holderIdentity: 'another-cluster/another-binding' } });
  await rig.waitCondition('Claimed', 'False', 'NameTaken');
  const [running, ending] = [uniqueName('running'), uniqueName('ending')];
  for (const name of [running, ending]) await createShown(name);
  await home.delete(Pods, 'default', ending);
  // Long enough for what was done at once before.
  await sleep(5000);
  expect(await phaseOf(running)).toBe('Running');
  expect(await phaseOf(ending)).toBe('Running');
  await rig.patchClaim({ spec: { holderIdentity } });
  await rig.waitCondition('Claimed', 'True', 'ClaimHeld');
  await waitFor('the pod Failed', async () => (await phaseOf(running)) === 'Failed', slow);
  await absent('the pod that was deleted', () => home.get(Pods, 'default', ending));
});

test('a syncer that starts and finds another cluster writes nothing there, loses no pod, and tells', async () => {
  await rig.syncer.kill();
  await createShown(pod);
  await worker.delete(Leases, mount, claimName(bindingName)).catch(ignoreMissing);
  await says('second');
  rig.start('--leader-elect=false');
  const told = await rig.waitCondition('Claimed', 'False', 'WorkerReplaced');
  expect(told.message).toContain('kube-system has the UID second, not first');
  await rig.waitTaint(UNKNOWN, true);
  expect(await noClaim()).toBe(true);
  expect(await phaseOf()).toBe('Running');
});

test('nor does it where nobody says which cluster it is', async () => {
  await rig.syncer.kill();
  rig.heart.stop();
  await rig.heart.over();
  await worker.delete(Leases, mount, 'kubeocean-agent').catch(ignoreMissing);
  rig.start('--leader-elect=false');
  await rig.waitCondition('Claimed', 'False', 'WorkerNotKnown');
  expect(await noClaim()).toBe(true);
  expect(await phaseOf()).toBe('Running');
  await rig.heart.start();
  await says('second');
  await rig.waitCondition('Claimed', 'False', 'WorkerReplaced');
});

test('with the command that the condition names the new one is taken, and the pods of the old one are lost', async () => {
  const { message = '' } = await rig.waitCondition('Claimed', 'False', 'WorkerReplaced');
  const [, command = ''] = /kubectl (annotate .*)$/.exec(message) ?? [];
  expect(command).toContain(bindingName);
  await kubectl('computing', command.split(' '));
  await rig.waitCondition('Claimed', 'True', 'ClaimHeld');
  await remembered('second');
  await waitFor('the pod Failed', async () => (await phaseOf()) === 'Failed', slow);
});

test('a syncer that runs ends by the heartbeat, and what is started in its place finds the right cluster again', async () => {
  const known = (await rig.binding()).status?.workerUID ?? '';
  await says('third');
  // In a Deployment a fresh start takes its place.
  expect(await rig.syncer.ended).toBe(1);
  rig.start('--leader-elect=false');
  await rig.waitCondition('Claimed', 'False', 'WorkerReplaced');
  // The kubeconfig leads to the right one again: what was read in the wrong one is forgotten by another fresh start.
  await says(known);
  expect(await rig.syncer.ended).toBe(1);
  rig.start('--leader-elect=false');
  await rig.waitCondition('Claimed', 'True', 'ClaimHeld');
});
