import type { LeasedNode, LeasedNodeStatus } from '@kubeocean/shared/api';
import { countPods, type PodForRequests } from '@kubeocean/shared/lease';
import { expect, test } from 'vitest';
import { projectPod } from '../projections.ts';
import { planRetractions } from './retract.ts';

const told = { 'kubeocean.io/lease-closed': 'policy p: no window is open' };
const tenants = [{ namespace: 'w', serviceAccount: 's', bindings: ['*'] }];
const reclaimAt = '2026-11-20T12:00:00Z';
const record: LeasedNode = {
  metadata: { namespace: 'w', name: 'b.n', uid: 'r' },
  spec: { cluster: 'b', nodeName: 'n', nodeUID: 'u', policy: 'p' },
};

function pod(metadata = {}, phase = 'Running', nodeName = 'n'): PodForRequests {
  const labels = { 'kubeocean.io/cluster-binding': 'b' };
  return projectPod({
    metadata: { namespace: 'w', name: 'a', uid: 'a', labels, annotations: told, ...metadata },
    spec: { nodeName, containers: [] },
    status: { phase },
  });
}

test.each<[string, PodForRequests, LeasedNodeStatus, boolean]>([
  ['told to go, its lease open again', pod(), { phase: 'Active' }, true],
  ['told to go, its lease closed without taking back', pod(), { phase: 'Closing' }, true],
  ['never told', pod({ annotations: {} }), { phase: 'Active' }, false],
  ['under notice of the next closing', pod(), { phase: 'Closing', reclaimAt, reclaimStage: 'Notice' }, false],
  ['that is being taken back', pod(), { phase: 'Closing', reclaimAt, reclaimStage: 'Evicting' }, false],
  ['whose lease is over', pod(), { phase: 'Closed' }, false],
  ['that goes', pod({ deletionTimestamp: reclaimAt }), { phase: 'Active' }, false],
  ['that has ended', pod({}, 'Failed'), { phase: 'Active' }, false],
  ['on another node', pod({}, 'Running', 'm'), { phase: 'Active' }, false],
  ['of another binding', pod({ labels: { 'kubeocean.io/cluster-binding': 'c' } }), { phase: 'Active' }, false],
])('words are taken off a pod %s', (_what, given, status, expected) => {
  const steps = planRetractions([{ record, status }], countPods([given], tenants).lent());
  expect(steps.get('a')?.kind).toBe(expected ? 'retract' : undefined);
});
