import type { LeasedNodeStatus } from '@kubeocean/shared/api';
import type { KubeObject } from '@kubeocean/shared/kube';
import { describe, expect, test } from 'vitest';
import { goesWithLease, reclaimInMs } from './reclaim.ts';

const now = new Date('2026-11-21T18:00:00Z');
const past = '2026-11-21T18:00:00Z';
const ahead = '2026-11-21T18:00:02Z';

test.each<[string, LeasedNodeStatus | undefined, number | undefined]>([
  ['no record', undefined, undefined],
  ['an open lease', { phase: 'Active', window: { closesAt: past } }, undefined],
  ['a closed window whose pods may stay', { phase: 'Closing' }, undefined],
  ['notice that runs', { phase: 'Closing', reclaimAt: ahead, reclaimStage: 'Notice' }, undefined],
  [
    'notice of which the agent has not said that it is over',
    { phase: 'Closing', reclaimAt: past, reclaimStage: 'Notice' },
    undefined,
  ],
  ['a time without a stage', { phase: 'Closing', reclaimAt: past }, undefined],
  ['a stage without a time', { phase: 'Closing', reclaimStage: 'Syncer' }, undefined],
  ['a time that is none', { phase: 'Closing', reclaimAt: 'soon', reclaimStage: 'Syncer' }, undefined],
  ['our turn', { phase: 'Closing', reclaimAt: past, reclaimStage: 'Syncer' }, 0],
  ['our turn, our clock behind', { phase: 'Closing', reclaimAt: ahead, reclaimStage: 'Syncer' }, 2000],
  ["the agent's turn", { phase: 'Closing', reclaimAt: past, reclaimStage: 'Evicting' }, 0],
  ['past the deadline', { phase: 'Closing', reclaimAt: past, reclaimStage: 'Deleting' }, 0],
  ['all gone', { phase: 'Closing', reclaimAt: past, reclaimStage: 'Done' }, undefined],
  [
    'a lease that is over, which is drained anyway',
    { phase: 'Closed', reclaimAt: past, reclaimStage: 'Syncer' },
    undefined,
  ],
])('%s: pods go in %s', (_what, status, expected) => {
  expect(reclaimInMs(status, now)).toBe(expected);
});

describe('goes with the lease', () => {
  const owner = [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'd', uid: 'd', controller: true }];
  const counterpart: KubeObject = {
    metadata: { name: 'w', annotations: { 'kubeocean.io/virtual-pod-uid': 'p' } },
  };
  const notRun = [{ type: 'kubeocean.io/NotRun', status: 'True' }];
  test.each<[string, Partial<KubeObject['metadata']>, Record<string, unknown>, KubeObject[], boolean]>([
    ['a running pod', {}, { phase: 'Running' }, [counterpart], true],
    ['a pod that waits', {}, { phase: 'Pending' }, [], true],
    ['a pod that succeeded', {}, { phase: 'Succeeded' }, [counterpart], false],
    ['a pod that failed', {}, { phase: 'Failed' }, [], false],
    [
      'a pod that goes already',
      { deletionTimestamp: '2026-11-21T18:00:00Z' },
      { phase: 'Running' },
      [counterpart],
      false,
    ],
    ['a pod that is not run', {}, { phase: 'Pending', conditions: notRun }, [], false],
    ["a DaemonSet's pod without a counterpart", { ownerReferences: owner }, { phase: 'Pending' }, [], false],
    ["a DaemonSet's pod that runs", { ownerReferences: owner }, { phase: 'Running' }, [counterpart], true],
  ])('%s', (_what, metadata, status, workerPods, expected) => {
    expect(goesWithLease({ metadata: { name: 'p', uid: 'p', ...metadata }, status }, workerPods)).toBe(expected);
  });
});
