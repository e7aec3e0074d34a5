import { Annotation, ChartName, ClusterBindings, type ClusterBinding } from '@kubeocean/shared/api';
import { type Condition, type Lease, Leases, Namespaces } from '@kubeocean/shared/kube';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import type { OwnCondition } from '../binding/report.ts';
import type { SyncerContext } from '../context.ts';
import { sampleBinding } from '../nodes/samples.ts';
import { Peer } from '../volumes/peer.ts';
import { type ClaimKeeper, createClaimKeeper } from './keeper.ts';
import { claimLease } from './judge.ts';

let home: Peer;
let worker: Peer;
let over: AbortController;
let leads: boolean;
/** What was said on the binding. */
let said: OwnCondition[];

beforeAll(async () => {
  [home, worker] = await Promise.all([Peer.start(), Peer.start()]);
});
beforeEach(() => {
  leads = true;
  said = [];
});
afterEach(() => {
  over.abort();
  home.reset();
  worker.reset();
});
afterAll(() => {
  home.stop();
  worker.stop();
});

interface Found {
  /** Annotations of the claim; undefined: there is none. */
  claim?: Record<string, string>;
  /** UID of the cluster by the agent's word; undefined: there is no agent. */
  agent?: string;
  unbinding?: boolean;
  /** What the syncer before this one has said. */
  conditions?: Condition[];
  /** UID of the cluster that was approved. */
  approved?: string;
  /** Epoch that was approved. */
  approvedEpoch?: string;
  /** UID of the cluster that the watches lead to. */
  watched?: string;
}

/** A keeper that has just been started in a worker as it is found, and why it refuses, as it is told. */
function keeper({ claim, agent, unbinding = false, conditions = [], approved, approvedEpoch, watched }: Found): {
  keeper: ClaimKeeper;
  refused: Promise<string>;
} {
  const binding: ClusterBinding = { ...sampleBinding(), status: { epoch: 'e1', workerUID: 'worker', conditions } };
  if (approved !== undefined) binding.metadata.annotations = { [Annotation.approveWorker]: approved };
  if (approvedEpoch !== undefined) binding.metadata.annotations = { [Annotation.epoch]: approvedEpoch, other: 'x' };
  home.put(ClusterBindings, binding);
  home.put(Namespaces, { metadata: { name: 'kube-system', uid: 'home' } });
  const { mountNamespace: namespace } = binding.spec;
  if (agent !== undefined) {
    const annotations = { [Annotation.workerClusterUID]: agent };
    worker.put(Leases, { metadata: { namespace, name: ChartName.agent, annotations } });
  }
  if (claim) {
    const lease = claimLease({ binding, bindingUID: 'binding-uid', homeUID: 'home', epoch: 'e1' }, 'e1', new Date(0));
    worker.put<Lease>(Leases, {
      ...lease,
      metadata: { ...lease.metadata, annotations: { ...lease.metadata.annotations, ...claim } },
    });
  }
  const refused = Promise.withResolvers<string>();
  const context = {
    binding: () => home.get(ClusterBindings, '', binding.metadata.name) ?? binding,
    bindingName: binding.metadata.name,
    bindingUID: 'binding-uid',
    homeUID: 'home',
    mountNamespace: namespace,
    home: home.client(),
    worker: worker.client(),
    homeEvents: { event: (_subject: object, _type: string, reason: string) => refused.resolve(reason) },
    log: { info: () => undefined, warn: () => undefined },
    now: () => new Date(0),
    leadership: { isCurrent: () => leads },
    report: { condition: (condition: OwnCondition) => said.push(condition), facts: () => undefined },
  } as unknown as SyncerContext;
  const made = createClaimKeeper(context, {
    onTurn: () => undefined,
    releasing: () => unbinding,
    onSuperseded: (error) => refused.resolve(error.message),
    watched: () => watched,
  });
  over = new AbortController();
  void made.run(over.signal);
  return { keeper: made, refused: refused.promise };
}

const released = { [Annotation.release]: 'true' };

test.each<[string, Found, boolean]>([
  ['is held', { claim: {}, agent: 'worker' }, true],
  ['was taken back by its owner', { claim: released, agent: 'worker' }, false],
  ['was taken back by its owner, and we unbind', { claim: released, agent: 'worker', unbinding: true }, false],
  ['is gone while we unbind', { agent: 'worker', unbinding: true }, true],
])('home shows how its pods end when a syncer starts and the claim %s', async (_, found, held) => {
  const { keeper: claim } = keeper(found);
  await claim.firstKnown;
  expect(claim.held).toBe(held);
  expect(await claim.confirm()).toBe(true);
  const written = worker.writes.length > 0;
  expect(written).toBe(found.claim !== undefined && held);
});

test.each<[string, Found, string]>([
  ['another cluster', { agent: 'another', unbinding: true }, 'WorkerReplaced'],
  ['another cluster with a claim like ours', { claim: {}, agent: 'another', unbinding: true }, 'WorkerReplaced'],
  ['another one with a claim that was taken back', { claim: released, agent: 'another' }, 'WorkerReplaced'],
  ['a cluster of which nobody says which it is', { unbinding: true }, 'WorkerNotKnown'],
])('a syncer that starts in %s believes nothing that it says, also while it unbinds', async (_, found, reason) => {
  const { keeper: claim, refused } = keeper(found);
  expect(await refused).toBe(reason);
  expect(claim.held).toBe(false);
  expect(await claim.confirm()).toBe(false);
  const known = await Promise.race([claim.firstKnown.then(() => 'known'), Promise.resolve('not known')]);
  expect(known).toBe('not known');
  expect(worker.writes).toEqual([]);
});

test('a claim that was not ours is not deleted when the binding ends', async () => {
  const { keeper: claim } = keeper({ agent: 'worker', unbinding: true });
  await claim.firstKnown;
  await claim.release();
  expect(worker.writes).toEqual([]);
});

test('a claim that the worker lets nobody renew when a syncer starts is not called held for ever', async () => {
  worker.refuse = () => ({ code: 403, message: 'a policy of the owner' });
  const conditions: Condition[] = [{ type: 'Claimed', status: 'True', reason: 'ClaimHeld' }];
  const { keeper: claim } = keeper({ claim: {}, agent: 'worker', conditions });
  const message = expect.stringContaining('a policy of the owner') as string;
  await vi.waitFor(
    () => {
      claim.nudge();
      // By each turn from then on, of which there may have been several since the last look.
      expect(said[0]).toEqual({ type: 'Claimed', status: 'False', reason: 'NotClaimedYet', message });
    },
    { timeout: 10_000 },
  );
  expect(worker.writes.length).toBeGreaterThanOrEqual(5);
  worker.refuse = () => undefined;
  claim.nudge();
  await vi.waitFor(() => expect(said.at(-1)).toMatchObject({ type: 'Claimed', status: 'True' }), { timeout: 10_000 });
});

test('a worker that was approved is not written to while the watches lead to the one before', async () => {
  const { keeper: claim, refused } = keeper({ agent: 'second', approved: 'second', watched: 'worker' });
  expect(await refused).toContain('(UID second), and the watches lead to worker');
  claim.nudge();
  await vi.waitFor(() => expect(worker.reads.length).toBeGreaterThanOrEqual(2));
  expect([claim.held, worker.writes]).toEqual([false, []]);
});

test.each([undefined, 'second'])('and is claimed when they lead there, or have told nothing: %s', async (watched) => {
  const { keeper: claim } = keeper({ agent: 'second', approved: 'second', ...(watched && { watched }) });
  await claim.firstKnown;
  expect([claim.held, worker.writes]).toEqual([true, ['POST kubeocean-claim.example-cluster']]);
});

test('the approval of an epoch is for once: the same backup put back again is refused again', async () => {
  const old = { [Annotation.epoch]: 'e0' };
  const { keeper: claim, refused } = keeper({ claim: old, agent: 'worker', approvedEpoch: 'e0' });
  await claim.firstKnown;
  expect(claim.held).toBe(true);
  const { name } = sampleBinding().metadata;
  expect(home.get(ClusterBindings, '', name)?.metadata.annotations).toEqual({ other: 'x' });

  const [lease] = worker.all<Lease>(Leases).filter(({ spec }) => spec?.holderIdentity);
  const { metadata, ...rest } = lease as Lease;
  worker.put<Lease>(Leases, { ...rest, metadata: { ...metadata, annotations: { ...metadata.annotations, ...old } } });
  claim.nudge();
  expect(await refused).toBe('ForeignEpoch');
  expect([claim.held, await claim.confirm()]).toEqual([false, false]);
});

test('nothing is written to the worker when leadership ends while home keeps the new epoch', async () => {
  home.refuse = () => {
    leads = false;
    return undefined;
  };
  const { keeper: claim } = keeper({ claim: {}, agent: 'worker' });
  await vi.waitFor(() => expect(home.writes).toHaveLength(1));
  const reads = worker.reads.length;
  claim.nudge();
  // The turn is over when the next one looks.
  await vi.waitFor(() => expect(worker.reads.length).toBeGreaterThan(reads), { timeout: 10_000 });
  expect([claim.held, worker.writes]).toEqual([false, []]);
});
