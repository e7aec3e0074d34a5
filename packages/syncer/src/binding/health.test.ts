import { type KubeObject, Store } from '@kubeocean/shared/kube';
import { expect, test } from 'vitest';
import type { SyncerContext } from '../context.ts';
import type { ClaimKeeper } from '../claim/keeper.ts';
import type { NodesController } from '../nodes/controller.ts';
import { sampleBinding } from '../nodes/samples.ts';
import type { SyncerMetrics } from '../metrics.ts';
import { createReachability } from '../worker.ts';
import { createWorkerHealth } from './health.ts';

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
  const context = {
    binding: () => binding,
    mountNamespace: 'mount',
    stores: { records: new Store(), workerPods: new Store() },
    report: { condition: () => undefined, facts: () => undefined },
  } as unknown as SyncerContext;
  const gauge = { set: () => undefined };
  const health = createWorkerHealth(context, {
    reachability: createReachability(0),
    heartbeats,
    claim: { held: false, refusal } as ClaimKeeper,
    nodes: () => ({ vnodes: () => [], withoutRecord: () => 0 }) as unknown as NodesController,
    metrics: { vnodes: gauge, workerReachable: gauge, claimHeld: gauge } as unknown as SyncerMetrics,
    agentStaleSeconds: 40,
  });
  expect(health.view().leaseUnknown).toBeUndefined();
  health.look(1000);
  expect(health.view().leaseUnknown).toBe(unknown);
});
