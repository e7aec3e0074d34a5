import type { LeasedNode } from '@kubeocean/shared/api';
import { ApiError, type KubeObject, Store } from '@kubeocean/shared/kube';
import { expect, test } from 'vitest';
import type { SyncerContext } from '../context.ts';
import { createReclaim, stepFor } from './reclaim.ts';

const owner = [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'd', uid: 'd', controller: true }];
const annotations = { 'kubeocean.io/virtual-pod-uid': 'p' };
const counterpart: KubeObject = { metadata: { name: 'w', annotations } };
const ending: KubeObject = { metadata: { name: 'w', annotations, deletionTimestamp: '2026-11-21T18:00:00Z' } };
const notRun = [{ type: 'kubeocean.io/NotRun', status: 'True' }];
const evicted = [{ type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI' }];
const goes = { deletionTimestamp: '2026-11-21T18:00:00Z' };

test.each<[string, Partial<KubeObject['metadata']>, Record<string, unknown>, KubeObject[], string | undefined]>([
  ['a running pod', {}, { phase: 'Running' }, [counterpart], 'evict'],
  ['a pod that waits', {}, { phase: 'Pending' }, [], 'evict'],
  ['a pod that succeeded', {}, { phase: 'Succeeded' }, [counterpart], undefined],
  ['a pod that failed', {}, { phase: 'Failed' }, [], undefined],
  ['a pod that the worker ends already', {}, { phase: 'Running' }, [ending], undefined],
  ['a pod that its user deletes', goes, { phase: 'Running' }, [counterpart], undefined],
  ['a pod that was evicted without words', goes, { phase: 'Running', conditions: evicted }, [ending], 'explain'],
  [
    'a pod that was evicted and says why',
    { ...goes, annotations: { 'kubeocean.io/lease-closed': 'policy p: closed' } },
    { phase: 'Running', conditions: evicted },
    [ending],
    undefined,
  ],
  ['a pod that is not run', {}, { phase: 'Pending', conditions: notRun }, [], undefined],
  ["a DaemonSet's pod without a counterpart", { ownerReferences: owner }, { phase: 'Pending' }, [], undefined],
  ["a DaemonSet's pod that runs", { ownerReferences: owner }, { phase: 'Running' }, [counterpart], 'evict'],
])('a lease is taken back from %s', (_what, metadata, status, workerPods, expected) => {
  expect(stepFor({ metadata: { name: 'p', uid: 'p', ...metadata }, status }, workerPods)).toBe(expected);
});

test('a pod that a disruption budget keeps is asked every five seconds, however often the record changes', async () => {
  let asked = 0;
  let now = 0;
  const homePods = new Store<KubeObject>({ node: () => ['v'] });
  homePods.set({ metadata: { namespace: 'shop', name: 'p', uid: 'p' }, status: { phase: 'Running' } });
  const context = {
    home: {
      create() {
        asked++;
        return Promise.reject(
          new ApiError(
            429,
            { code: 429, details: { causes: [{ reason: 'DisruptionBudget', message: 'b' }] } },
            'POST',
            '/eviction',
          ),
        );
      },
    },
    stores: { homePods, workerPods: new Store({ vnode: () => [] }) },
    leadership: { isCurrent: () => true },
    log: { debug: () => undefined },
  } as unknown as SyncerContext;
  const reclaim = createReclaim(context, () => now);
  const record = {
    spec: { nodeName: 'n' },
    status: { phase: 'Closing', reclaimStage: 'Evicting' },
  } as unknown as LeasedNode;
  for (; now < 10_000; now += 500) expect(await reclaim.step('v', record)).toEqual({ againInMs: 5000 });
  expect(asked).toBe(2);
});
