/**
 * The claim on a binding's name, between real clusters: whose it is, another computing cluster that wants the same name, an
 * owner who takes it back, and clusters of which one was put back from a backup.
 */
import { Annotation, type ClusterBinding, ClusterBindings } from '@kubeocean/shared/api';
import { Leases, Namespaces } from '@kubeocean/shared/kube';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { applyChart, kubectl, startApiServer, startProcess, waitFor } from './harness/index.ts';
import { type HeldWork, prepareHeldWork } from './syncer/held-work.ts';
import { ignoreMissing, openStatus, SyncerRig, systemNamespace } from './syncer/rig.ts';

const rig = new SyncerRig();
let work: HeldWork;
const { home, mount, bindingName } = rig;
const UNKNOWN = 'kubeocean.io/lease-unknown:NoSchedule';

beforeAll(async () => {
  await rig.setUp();
  await rig.putRecord(rig.node, openStatus);
  await waitFor('vnode', () => rig.vnodeNow(), { timeoutMs: 60_000 });
  work = await prepareHeldWork(rig);
});

afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.log(rig.syncer.tail(40));
});

async function claimedEpoch(): Promise<string | undefined> {
  return (await rig.claim()).metadata.annotations?.[Annotation.epoch];
}

function setClaimEpoch(epoch: string): Promise<unknown> {
  return rig.patchClaim({ metadata: { annotations: { [Annotation.epoch]: epoch } } });
}

function setHomeEpoch(epoch: string): Promise<unknown> {
  return home.patch(ClusterBindings, '', bindingName, { status: { epoch } }, { subresource: 'status' });
}

/** With the command that the condition names. */
async function approve(message = ''): Promise<void> {
  const [, command = ''] = /kubectl (annotate .*)$/.exec(message) ?? [];
  expect(command).toContain(bindingName);
  await kubectl('computing', command.split(' '));
}

/** Waits until both sides show one and the same epoch that is none of these. */
function raisedFrom(...before: (string | undefined)[]): Promise<string> {
  return waitFor(
    'another epoch on both sides',
    async () => {
      const [claim, status] = [await claimedEpoch(), (await rig.binding()).status];
      if (claim && claim === status?.epoch && !status.previousEpoch && !before.includes(claim)) return claim;
      throw new Error(JSON.stringify({ claim, status }));
    },
    { timeoutMs: 60_000, everyMs: 200 },
  );
}

test('the claim is made with an epoch that the binding knows', async () => {
  await rig.waitCondition('Claimed', 'True', 'ClaimHeld');
  await rig.waitCondition('AgentReady', 'True', 'AgentAlive');
  await rig.waitCondition('WorkerReachable', 'True', 'Answering');
  expect(await raisedFrom(undefined)).toMatch(/^[0-9a-f]{16}$/);
  const [claim, binding] = [await rig.claim(), await rig.binding()];
  const system = await home.get(Namespaces, '', 'kube-system');
  expect(claim.spec?.holderIdentity).toBe(`${system.metadata.uid}/${binding.metadata.uid}`);
  expect(binding.metadata.finalizers).toContain('kubeocean.io/clusterbinding-syncer');
  await waitFor('version', async () => (await rig.binding()).status?.workerVersion?.startsWith('v1.'));
});

test('each leadership raises the epoch', async () => {
  const before = await raisedFrom(undefined);
  await rig.restart();
  await raisedFrom(before);
});

test('a name that another computing cluster has is refused, and told', { timeout: 240_000 }, async () => {
  const other = await startApiServer();
  await applyChart(other, 'kubeocean');
  const theirs = other.client();
  const secretRef = { name: 'unused', namespace: 'kubeocean-system' };
  const spec = { clusterID: rig.clusterID, secretRef, mountNamespace: mount };
  await theirs.create<ClusterBinding>(ClusterBindings, { metadata: { name: bindingName }, spec });
  const before = await rig.claim();
  const second = startProcess('syncer', [
    `--kubeconfig=${other.kubeconfig}`,
    `--worker-kubeconfig=${rig.folder}/worker`,
    `--cluster-binding-name=${bindingName}`,
    '--leader-elect=false',
  ]);
  const told = await waitFor(
    'the refusal',
    async () => {
      const { status } = await theirs.get<ClusterBinding>(ClusterBindings, '', bindingName);
      const claimed = status?.conditions?.find(({ type }) => type === 'Claimed');
      if (claimed?.reason === 'NameTaken') return claimed;
      throw new Error(JSON.stringify(status));
    },
    { timeoutMs: 90_000 },
  );
  const { metadata } = await home.get(Namespaces, '', 'kube-system');
  expect(told.status).toBe('False');
  expect(told.message).toContain(`another computing cluster (UID of its kube-system namespace: ${metadata.uid})`);
  expect(told.message).toContain('give this binding another name');
  await second.stop();
  const after = await rig.claim();
  expect(after.metadata.annotations).toEqual(before.metadata.annotations);
  expect(after.spec?.holderIdentity).toBe(before.spec?.holderIdentity);
  await rig.waitCondition('Claimed', 'True', 'ClaimHeld');
});

test('a claim that somebody else holds by now stops writes, and is respected', async () => {
  const { spec } = await rig.claim();
  await rig.patchClaim({ spec: { holderIdentity: 'another-cluster/some-uid' } });
  const told = await rig.waitCondition('Claimed', 'False', 'NameTaken');
  expect(told.message).toContain('another-cluster');
  await rig.waitTaint(UNKNOWN, true);
  const pod = await work.staysUndone();
  await rig.patchClaim({ spec: { holderIdentity: spec?.holderIdentity } });
  await rig.waitCondition('Claimed', 'True', 'ClaimHeld');
  await rig.waitTaint(UNKNOWN, false);
  await work.isDone(pod);
});

test('a claim that the owner takes back stops writes until it is given again', async () => {
  await rig.patchClaim({ metadata: { annotations: { [Annotation.release]: 'true' } } });
  const told = await rig.waitCondition('Claimed', 'False', 'Released');
  expect(told.message).toContain(Annotation.release);
  const pod = await work.staysUndone();
  await rig.patchClaim({ metadata: { annotations: { [Annotation.release]: null } } });
  await rig.waitCondition('Claimed', 'True', 'ClaimHeld');
  await work.isDone(pod);
});

test('a worker put back from a backup is noticed, and nothing is written there until it is approved', async () => {
  const old = await raisedFrom(undefined);
  await rig.restart();
  const current = await raisedFrom(old);
  await setClaimEpoch(old);
  const told = await rig.waitCondition('Claimed', 'False', 'ForeignEpoch');
  expect(told.message).toContain(`is of epoch ${old}, this binding of ${current}`);
  await rig.waitTaint(UNKNOWN, true);
  const pod = await work.staysUndone();
  const { resourceVersion } = (await rig.claim()).metadata;
  // Started anew it knows no better.
  await rig.restart();
  await rig.syncer.waitLog('refusal', ({ msg }) => String(msg).startsWith('claim refused'));
  expect((await rig.claim()).metadata.resourceVersion).toBe(resourceVersion);
  await work.isUndone(pod);
  await approve(told.message);
  await rig.waitCondition('Claimed', 'True', 'ClaimHeld');
  await raisedFrom(old, current);
  await rig.waitTaint(UNKNOWN, false);
  await work.isDone(pod);
});

test('a home put back from a backup is noticed while the syncer runs, too', async () => {
  const current = await raisedFrom(undefined);
  await setHomeEpoch('0123456789abcdef');
  const told = await rig.waitCondition('Claimed', 'False', 'ForeignEpoch');
  expect(told.message).toContain(`is of epoch ${current}, this binding of 0123456789abcdef`);
  await approve(told.message);
  await rig.waitCondition('Claimed', 'True', 'ClaimHeld');
  await raisedFrom(current, '0123456789abcdef');
});

test('a syncer that another has followed begins anew, though it did not notice the loss of its Lease', async () => {
  const before = await raisedFrom(undefined);
  // Should it look between the two, it says ForeignEpoch until it sees both.
  await Promise.all([setHomeEpoch('fedcba9876543210'), setClaimEpoch('fedcba9876543210')]);
  expect(await rig.syncer.ended).toBe(1);
  rig.start('--leader-elect=false');
  await rig.waitCondition('Claimed', 'True', 'ClaimHeld');
  await raisedFrom(before, 'fedcba9876543210');
});

test('a syncer that loses its Lease stands for it again at once, in the same container, with nothing of the old one left', async () => {
  // With an election: those before needed none, and the Lease is that of one that was killed.
  await rig.syncer.stop();
  await home.delete(Leases, systemNamespace, `kubeocean-syncer-${rig.clusterID}`).catch(ignoreMissing);
  rig.start();
  const { syncer } = rig;
  const led = () => syncer.logs().filter(({ msg }) => msg === 'leading').length;
  await waitFor('it to lead', () => led() === 1, { timeoutMs: 60_000 });
  await rig.waitCondition('Claimed', 'True', 'ClaimHeld');
  const before = await raisedFrom(undefined);
  // Another took it, and died.
  const thief = { holderIdentity: 'thief', leaseDurationSeconds: 1 };
  await home.patch(Leases, systemNamespace, `kubeocean-syncer-${rig.clusterID}`, { spec: thief });
  await waitFor('it to lead again', () => led() === 2, { timeoutMs: 60_000 });
  expect(syncer.exit).toBeUndefined();
  const anew = syncer.logs().find(({ msg }) => msg === 'begins anew');
  expect(String(anew?.['cause'])).toContain('is held by thief');
  await raisedFrom(before);
  await rig.waitCondition('Claimed', 'True', 'ClaimHeld');
});
