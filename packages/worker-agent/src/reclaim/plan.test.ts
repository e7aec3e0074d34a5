import type { LeasedNode, LeasedNodeStatus } from '@kubeocean/shared/api';
import { countPods, type PodForRequests } from '@kubeocean/shared/lease';
import { describe, expect, it } from 'vitest';
import { planReclaim } from './plan.ts';

const tenants = [
  { namespace: 'w', serviceAccount: 's', bindings: ['*'] },
  { namespace: 'x', serviceAccount: 's', bindings: ['c'] },
];
const reclaimAt = '2026-11-20T12:00:00Z';
const deadline = '2026-11-20T12:10:00Z';
const evicting: LeasedNodeStatus = {
  phase: 'Closing',
  policy: 'p',
  message: 'no window is open',
  reclaimAt,
  reclaimDeadline: deadline,
  reclaimStage: 'Evicting',
};

function record(status: LeasedNodeStatus = evicting): LeasedNode {
  const spec = { cluster: 'b', nodeName: 'n', nodeUID: 'u', policy: 'p' };
  return { metadata: { namespace: 'w', name: 'b.n', uid: 'r' }, spec, status };
}

function pod(change: Partial<PodForRequests['metadata']> = {}, spec = {}, status = {}): PodForRequests {
  return {
    metadata: { namespace: 'w', name: 'a', uid: 'a', labels: { 'kubeocean.io/cluster-binding': 'b' }, ...change },
    spec: { nodeName: 'n', ...spec },
    status: { phase: 'Running', ...status },
  };
}

function plan(given: PodForRequests, status: LeasedNodeStatus = evicting, written = record(status)) {
  const leases = [{ record: written, status }];
  const guardedSince = '2026-11-20T10:00:00Z';
  const pods = countPods([given], tenants).lent();
  return planReclaim({ leases, pods, tenants, maxGraceSeconds: 600, guardedSince }).get('a');
}

const deleting: LeasedNodeStatus = { ...evicting, reclaimStage: 'Deleting' };
const ending = { deletionTimestamp: reclaimAt, deletionGracePeriodSeconds: 30 };
const ours = { conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'LeaseClosed' }] };
const theirs = { conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI' }] };
const preempted = { conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'PreemptionByScheduler' }] };
const slowly = { ...ending, deletionGracePeriodSeconds: 9999 };

describe('what is done with a pod', () => {
  it.each<[string, PodForRequests, LeasedNodeStatus, object | undefined]>([
    ['of an ending lease', pod(), evicting, { kind: 'evict', message: 'policy p: no window is open', deadline }],
    ['with too long a grace', pod({}, { terminationGracePeriodSeconds: 9999 }), evicting, { graceSeconds: 600 }],
    ['in the time of the syncer', pod(), { ...evicting, reclaimStage: 'Syncer' }, undefined],
    ['under notice', pod(), { ...evicting, reclaimStage: 'Notice' }, undefined],
    ['of a lease that closes but takes nothing back', pod(), { phase: 'Closing' }, undefined],
    ['past the deadline', pod(), deleting, { kind: 'delete' }],
    [
      'past the deadline, with too long a grace',
      pod({}, { terminationGracePeriodSeconds: 9999 }),
      deleting,
      { graceSeconds: 600 },
    ],
    ['that ends by our eviction', pod(ending, {}, ours), evicting, undefined],
    ['that ends by an eviction without our words', pod(ending, {}, theirs), evicting, { kind: 'explain' }],
    ['that its user deleted', pod(ending), evicting, undefined],
    ['that ends too slowly', pod({ ...ending, deletionGracePeriodSeconds: 9999 }), evicting, undefined],
    [
      'that ends too slowly for the deadline',
      pod({ ...ending, deletionGracePeriodSeconds: 9999 }),
      deleting,
      { kind: 'shorten', graceSeconds: 600 },
    ],
    ['that its user gives hours to end', pod(slowly), { phase: 'Active' }, undefined],
    ['that ends in time for the owner’s', pod(ending, {}, preempted), { phase: 'Active' }, undefined],
    [
      'that ends too slowly for the owner’s pod in its place',
      pod(slowly, {}, preempted),
      { phase: 'Active' },
      { kind: 'shorten', graceSeconds: 600, message: 'it is ended in this cluster: PreemptionByScheduler' },
    ],
    ['the same under notice', pod(slowly, {}, preempted), { ...evicting, reclaimStage: 'Notice' }, { kind: 'shorten' }],
    ['the same while it is taken back', pod(slowly, {}, preempted), evicting, { kind: 'shorten' }],
    ['that ends too slowly for the owner’s drain', pod(slowly, {}, theirs), { phase: 'Active' }, { kind: 'shorten' }],
    ['that ended for the owner’s pod', pod(slowly, {}, { phase: 'Failed', ...preempted }), evicting, undefined],
    ['that ended', pod({}, {}, { phase: 'Succeeded' }), deleting, undefined],
    [
      'that ended, held for home, without our words',
      pod({ ...ending, finalizers: ['kubeocean.io/home-sync'] }, {}, { phase: 'Failed', ...theirs }),
      evicting,
      { kind: 'explain' },
    ],
    [
      'that ended, held by nobody, without our words',
      pod(ending, {}, { phase: 'Failed', ...theirs }),
      evicting,
      undefined,
    ],
    ['on another node', pod({}, { nodeName: 'm' }), deleting, undefined],
    ['of another binding', pod({ labels: { 'kubeocean.io/cluster-binding': 'c' } }), deleting, undefined],
    ['of the owner', pod({ namespace: 'default' }), deleting, undefined],
    ['without a binding in a mount namespace', pod({ labels: {} }), evicting, { kind: 'expel' }],
    ['without a binding in a mount namespace, ending', pod({ labels: {}, ...ending }), evicting, undefined],
    [
      'without a binding in a mount namespace, ending in years',
      pod({ labels: {}, ...ending, deletionGracePeriodSeconds: 315_360_000 }),
      evicting,
      { kind: 'shorten', graceSeconds: 600, message: expect.stringContaining('has no label') },
    ],
    [
      'without a binding in a mount namespace, with too long a grace',
      pod({ labels: {} }, { terminationGracePeriodSeconds: 315_360_000 }),
      evicting,
      { kind: 'expel', graceSeconds: 600 },
    ],
    [
      'without a binding in a mount namespace, ended',
      pod({ labels: {} }, {}, { phase: 'Succeeded' }),
      evicting,
      undefined,
    ],
    [
      'of a binding that may not claim there, ended',
      pod({ namespace: 'x' }, {}, { phase: 'Failed' }),
      evicting,
      undefined,
    ],
    ['of a binding that may not claim there', pod({ namespace: 'x' }), evicting, { kind: 'expel' }],
    [
      'without a binding, from before the chart',
      pod({ labels: {}, creationTimestamp: '2026-11-20T09:59:59Z' }),
      evicting,
      undefined,
    ],
    [
      'without a binding, made since',
      pod({ labels: {}, creationTimestamp: '2026-11-20T10:00:01Z' }),
      evicting,
      { kind: 'expel' },
    ],
    [
      'of a binding that may',
      pod({ namespace: 'x', labels: { 'kubeocean.io/cluster-binding': 'c' } }),
      evicting,
      undefined,
    ],
  ])('%s', (_, given, status, expected) => {
    const step = plan(given, status);
    if (expected) expect(step).toMatchObject(expected);
    else expect(step).toBeUndefined();
  });

  it.each<[LeasedNodeStatus, object | undefined]>([
    [{ ...evicting, reclaimStage: 'Notice' }, undefined],
    [evicting, { kind: 'evict', deadline }],
    [deleting, { kind: 'delete' }],
  ])('of a binding that may claim there no longer, but has a lease: by the lease’s stage', (status, expected) => {
    const lease = record(status);
    const step = plan(pod({ namespace: 'x' }), status, { ...lease, metadata: { ...lease.metadata, namespace: 'x' } });
    if (expected) expect(step).toMatchObject(expected);
    else expect(step).toBeUndefined();
  });

  it('waits until the record says so', () => {
    const { reclaimAt: _, ...without } = evicting;
    expect(plan(pod(), evicting, record(without))).toBeUndefined();
    expect(plan(pod(), evicting, record({ ...evicting, reclaimAt: deadline }))).toBeUndefined();
  });
});
