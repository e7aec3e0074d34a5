import type { ClusterBinding, LeasedNode } from '@kubeocean/shared/api';
import { type KubeObject, Store } from '@kubeocean/shared/kube';
import { expect, test } from 'vitest';
import type { SyncerContext } from '../context.ts';
import type { ClaimKeeper } from '../claim/keeper.ts';
import type { NodesController } from '../nodes/controller.ts';
import { sampleBinding } from '../nodes/samples.ts';
import type { SyncerMetrics } from '../metrics.ts';
import { createReachability } from '../worker.ts';
import type { OwnCondition } from './report.ts';
import { createWorkerHealth, type WorkerHealth } from './health.ts';

interface Found {
  binding?: ClusterBinding;
  heartbeats?: Store<KubeObject>;
  records?: Store<LeasedNode>;
  workerPods?: Store<KubeObject>;
  claim?: Partial<ClaimKeeper>;
  /** Takes what is said on the binding. */
  said?: OwnCondition[];
}

function health({
  binding = sampleBinding(),
  heartbeats = new Store(),
  claim = {},
  said = [],
  ...stores
}: Found): WorkerHealth {
  const context = {
    binding: () => binding,
    mountNamespace: 'mount',
    stores: { records: new Store(), workerPods: new Store(), ...stores },
    report: { condition: (condition: OwnCondition) => said.push(condition), facts: () => undefined },
  } as unknown as SyncerContext;
  const gauge = { set: () => undefined };
  return createWorkerHealth(context, {
    reachability: createReachability(0),
    heartbeats,
    claim: { held: false, refusal: undefined, ...claim } as ClaimKeeper,
    nodes: () => ({ count: 0, withoutRecord: () => 0 }) as unknown as NodesController,
    metrics: { vnodes: gauge, workerReachable: gauge, claimHeld: gauge } as unknown as SyncerMetrics,
    agentStaleSeconds: 40,
  });
}

test.each<[string, string | undefined, boolean, string | undefined, boolean | undefined]>([
  ['not listed yet', 'AgentStale', false, undefined, undefined],
  ['not listed yet, of a new binding', undefined, false, undefined, undefined],
  ['not listed yet, with a claim that is refused', undefined, false, 'ForeignEpoch', true],
  ['that are missing', undefined, true, undefined, true],
])('whether leases are unknown with heartbeats %s', (_, reason, listed, refusal, unknown) => {
  const binding = sampleBinding();
  if (reason) binding.status = { conditions: [{ type: 'AgentReady', status: 'False', reason }] };
  const heartbeats = new Store<KubeObject>();
  if (listed) heartbeats.replace([]);
  const looking = health({ binding, heartbeats, claim: { refusal } });
  expect(looking.view().leaseUnknown).toBeUndefined();
  looking.look(1000);
  expect(looking.view().leaseUnknown).toBe(unknown);
});

test('records are acted on once our pods in the worker are known, too: these say what is free and what is empty', () => {
  const [records, workerPods] = [new Store<LeasedNode>(), new Store<KubeObject>()];
  const looking = health({ records, workerPods, claim: { held: true } });
  const known = (store: Store<LeasedNode> | Store<KubeObject>) => {
    store.replace([]);
    return looking.look(1000) && looking.view().recordsKnown;
  };
  expect(known(records)).toBe(false);
  expect(known(workerPods)).toBe(true);
});

test.each([
  ['taken back by its owner', 'Released', { recordsKnown: true, isReleased: true }],
  ['another’s', 'NameTaken', { recordsKnown: false, isReleased: false }],
])('what is believed of a worker whose lease is %s', (_, refusal, believed) => {
  const [records, workerPods] = [new Store<LeasedNode>(), new Store<KubeObject>()];
  const looking = health({ records, workerPods, claim: { refusal } });
  for (const store of [records, workerPods]) (store as Store<KubeObject>).replace([]);
  looking.look(1000);
  expect(looking.view()).toMatchObject(believed);
});

test.each([
  [
    'go on',
    undefined,
    /has not answered for 30 s: no answer\. .*vnodes take no new ones\. This cluster evicts none meanwhile: .*$/,
  ],
  ['lapse, if home is to evict', 'evict', /vnodes take no new ones\. Their Leases lapse, .*unreachable: evict\)$/],
])('of a worker that does not answer it is said that Leases %s', (_, unreachable, words) => {
  const binding = sampleBinding();
  if (unreachable) binding.metadata.annotations = { 'kubeocean.io/unreachable': unreachable };
  const said: OwnCondition[] = [];
  health({ binding, said }).look(30_001);
  const message = expect.stringMatching(words) as string;
  expect(said).toContainEqual({ type: 'WorkerReachable', status: 'False', reason: 'Unreachable', message });
});
