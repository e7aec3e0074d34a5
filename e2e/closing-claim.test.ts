/**
 * A claim that somebody deletes, or takes the label off, while leases run, seen from both clusters with a real agent and a
 * real syncer: the syncer makes it again, and nothing that runs is asked to go. Where no syncer lives the leases end.
 */
import { writeFileSync } from 'node:fs';
import { claimName, Label, LeasedNodes } from '@kubeocean/shared/api';
import { isNotFound, type KubeObject, Leases, Nodes } from '@kubeocean/shared/kube';
import { beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest';
import { ClosingRig, OBEYS } from './closing/rig.ts';
import { absent, uniqueName, waitFor } from './harness/index.ts';

const rig = new ClosingRig();
const SLOW = { timeoutMs: 90_000, everyMs: 200 };
const Released = { phase: 'Closing', reason: 'Released' };

beforeAll(() => rig.setUp({}));

beforeEach(() => {
  onTestFailed(() => console.log(rig.lastWords()));
});

/** On the first node. */
function becomes(expected: Record<string, unknown>): Promise<unknown> {
  return rig.worker.becomes(rig.nodes[0] as string, expected, SLOW.timeoutMs);
}

async function deleteClaim(): Promise<void> {
  await rig.worker.client.delete(Leases, rig.binding, claimName(rig.binding));
}

/** As a clean-up by label does, or a controller that knows only its own labels. */
async function unlabelClaim(): Promise<void> {
  const metadata = { labels: { [Label.claim]: null } };
  await rig.worker.client.patch(Leases, rig.binding, claimName(rig.binding), { metadata });
}

/** A pod that runs; gives what must be the same later, of it and of its vnode. */
async function running(): Promise<{ name: string; seen: () => Promise<unknown> }> {
  const name = uniqueName('runs');
  await rig.createPod(name, OBEYS);
  await rig.phase(name, 'Running');
  const living = ({ metadata }: KubeObject) => [metadata.uid, metadata.deletionTimestamp];
  const seen = async () => [
    living(await rig.pod(name)),
    living(await rig.counterpart(name)),
    living(await rig.vnode()),
    (await rig.pod(name)).status?.phase,
  ];
  return { name, seen };
}

test.each([
  ['deleted', deleteClaim],
  ['without its label', unlabelClaim],
])('a claim that is %s is put right by its syncer, and what runs goes on', async (_, spoil) => {
  const { name, seen } = await running();
  const before = await seen();
  const at = performance.now();
  await spoil();
  await becomes(Released);
  const noticed = performance.now();
  await rig.tainted('NoSchedule');
  await becomes({ phase: 'Active', reclaimAt: undefined });
  const [first, again] = [noticed - at, performance.now() - at].map((ms) => (ms / 1000).toFixed(1));
  console.log(`no new pods after ${first} s, lent again after ${again} s`);
  await rig.tainted(undefined);
  expect(await seen()).toEqual(before);
  expect(await rig.told(name, 'LeaseClosed')).toEqual([]);
  await rig.forgetPod(name);
});

test('nor does an agent close anything that is started when the claim is gone', async () => {
  const { name, seen } = await running();
  const before = await seen();
  await rig.syncer.kill();
  await rig.worker.agent?.kill();
  await deleteClaim();
  await rig.startAgent();
  await becomes(Released);
  // Another follows it.
  await rig.worker.agent?.kill();
  await rig.startAgent();
  await rig.startSyncer();
  await becomes({ phase: 'Active', reclaimAt: undefined });
  expect(await seen()).toEqual(before);
  await rig.forgetPod(name);
});

test('where its syncer is dead the leases end, and the pods go', async () => {
  const { name } = await running();
  await rig.syncer.kill();
  await deleteClaim();
  await becomes(Released);
  // The agent's clock: of the 40 s none have to be waited for.
  rig.clock('12:02:00');
  await becomes({ phase: 'Closed', reason: 'Released' });
  rig.clock('12:03:00');
  await waitFor('nothing lent runs', async () => (await rig.workerPods()).length === 0, SLOW);
  await rig.startSyncer();
  const { status } = await rig.phase(name, 'Failed');
  expect(status).toMatchObject({ reason: 'LeaseClosed' });
  expect(status?.message).toContain(`the claim ${rig.binding}/${claimName(rig.binding)} is gone`);
  await rig.forgetPod(name);
  await becomes({ phase: 'Active' });
  rig.clock('12:00:00');
});

test('a syncer that was away when the tenant lost its right to the name drains its vnodes when it is back', async () => {
  await setBindings([rig.binding]);
  await becomes({ phase: 'Active' });
  await waitFor('the vnode', () => rig.vnode(), SLOW);
  await rig.syncer.kill();
  await setBindings([]);
  await becomes({ phase: 'Closed', reason: 'Released' });
  await rig.startSyncer();
  for (const node of rig.nodes) await absent('the vnode', () => rig.home.get(Nodes, '', rig.vnodeName(node)));
  // Given back for good it leaves nothing.
  await deleteClaim();
  await rig.syncer.kill();
  await waitFor(
    'no records',
    async () => {
      await rig.worker.client.delete(Leases, rig.binding, claimName(rig.binding)).catch(ignoreMissing);
      const { items } = await rig.worker.client.list(LeasedNodes, { namespace: rig.binding });
      return items.length === 0;
    },
    SLOW,
  );
});

/** What the worker chart's value `bindings` says of the mount namespace: another agent goes by it. */
async function setBindings(bindings: string[]): Promise<void> {
  const { worker } = rig;
  await worker.agent?.kill();
  const tenants = [{ namespace: rig.binding, serviceAccount: 'kubeocean-syncer', bindings }];
  writeFileSync(`${worker.folder}/tenants.json`, JSON.stringify(tenants));
  await rig.startAgent();
}

function ignoreMissing(error: unknown): void {
  if (!isNotFound(error)) throw error;
}
