import type { LeasedNode, LeasedNodeStatus } from '@kubeocean/shared/api';
import type { Condition } from '@kubeocean/shared/kube';
import { expect, test } from 'vitest';
import { leaseEnd } from './lease-end.ts';
import { samplePod } from '../samples.ts';
import { homeStatus, statusPatch } from '../status/to-home.ts';
import type { Pod } from '../types.ts';

const now = new Date('2026-01-02T03:01:00Z');
const goes = { deletionTimestamp: '2026-01-02T03:00:30Z', deletionGracePeriodSeconds: 30 };
const disrupted: Condition[] = [{ type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI' }];
const reset: Condition[] = [{ type: 'DisruptionTarget', status: 'False', reason: 'EvictionByEvictionAPI' }];
const remembered: Condition[] = [{ type: 'DisruptionTarget', status: 'True', reason: 'LeaseClosed', message: 'words' }];
const preempted: Condition[] = [{ type: 'DisruptionTarget', status: 'True', reason: 'PreemptionByScheduler' }];
const words = { annotations: { 'kubeocean.io/lease-closed': 'words' } };
const taking: LeasedNodeStatus = { phase: 'Closing', reclaimStage: 'Syncer', policy: 'nights', message: 'closed' };

function record(status: LeasedNodeStatus): LeasedNode {
  const spec = { cluster: 'c', nodeName: 'node1', nodeUID: 'u', policy: 'p' };
  return { metadata: { name: 'r', namespace: 'kubeocean-worker' }, spec, status };
}

function pod(metadata: Record<string, unknown>, conditions: Condition[] = []): Pod {
  const made = samplePod({}, metadata);
  made.status = { phase: 'Running', conditions };
  return made;
}

/** One that no scheduler has given a node. */
function unplaced(metadata: Record<string, unknown>): Pod {
  const { nodeName: _vnode, ...spec } = samplePod().spec;
  return { ...pod(metadata), spec, status: { phase: 'Pending' } };
}

test.each<[string, Pod, Pod, LeasedNodeStatus | undefined, string | undefined]>([
  [
    'deleted before it had a node, its window closed by then',
    unplaced(goes),
    pod({}),
    { phase: 'Closing', reason: 'WindowClosed', message: 'closed; it opens again at 2026-01-02T18:00:00Z' },
    'the lease of the worker node node1 is Closing (closed; it opens again at 2026-01-02T18:00:00Z) and takes no new pods',
  ],
  ['that has no node yet, its window closed by then', unplaced({}), pod({}), taking, undefined],
  ['deleted before it had a node, its lease open', unplaced(goes), pod({}), { phase: 'Active' }, undefined],
  [
    'deleted before it had a node, its policy gone for a moment',
    unplaced(goes),
    pod({}),
    { phase: 'Closing', reason: 'PolicyGone' },
    undefined,
  ],
  ['evicted by the agent', pod({ ...goes, ...words }, disrupted), pod({}), undefined, 'words'],
  ['evicted by the agent, its condition set to False', pod({ ...goes, ...words }, reset), pod({}), undefined, 'words'],
  ['evicted by the agent, its condition gone', pod({ ...goes, ...words }), pod({}), undefined, 'words'],
  ['evicted by the agent, its annotations full', pod(goes, disrupted), pod({}), taking, 'policy nights: closed'],
  [
    'deleted by the agent at the deadline, its annotations full',
    pod(goes, remembered),
    pod({}),
    { ...taking, reclaimStage: 'Deleting' },
    'policy nights: closed',
  ],
  ['evicted by somebody while the lease is open', pod(goes, disrupted), pod({}), { phase: 'Active' }, undefined],
  ['pushed out by another pod while the lease closes', pod(goes, preempted), pod({}), taking, undefined],
  ['that was asked to go and stays, its annotations full', pod({}, disrupted), pod({}), taking, undefined],
  ['with words of an eviction that was refused, condition False', pod(words, reset), pod({}), taking, undefined],
  ['whose user wrote the words at home', pod(goes), pod({ ...goes, ...words }), { phase: 'Active' }, undefined],
  ['whose user wrote the words at home, lost in the worker', pod(goes), pod(words), { phase: 'Active' }, undefined],
  ['deleted in the worker by somebody', pod(goes), pod({}), taking, undefined],
  ['evicted at home by us', pod(goes), pod({ ...goes, ...words }, disrupted), { phase: 'Active' }, 'words'],
  ['evicted at home by us, not told yet', pod(goes), pod(goes, disrupted), taking, 'policy nights: closed'],
  [
    'deleted by the taint manager at the deadline',
    pod(goes),
    pod(goes, disrupted),
    { ...taking, reclaimStage: 'Done' },
    'policy nights: closed',
  ],
  [
    'of a lease that is over',
    pod(goes),
    pod(goes, disrupted),
    { phase: 'Closed', reason: 'NodeGone' },
    'policy p: NodeGone',
  ],
  ['deleted by its user while the lease closes', pod(goes), pod(goes), taking, undefined],
  ['evicted by its user while the lease is open', pod(goes), pod(goes, disrupted), { phase: 'Active' }, undefined],
  [
    'evicted by its user during the notice',
    pod(goes),
    pod(goes, disrupted),
    { ...taking, reclaimStage: 'Notice' },
    undefined,
  ],
  [
    'deleted by its user, with words of a closing called off',
    pod({ ...goes, ...words }, disrupted),
    pod(goes),
    { phase: 'Active' },
    undefined,
  ],
  ['ended by the agent, then deleted at home', pod({ ...goes, ...words }, disrupted), pod(goes), taking, 'words'],
  ['evicted, its record gone', pod(goes), pod(goes, disrupted), undefined, undefined],
])('a pod %s', (_what, worker, home, status, expected) => {
  expect(leaseEnd(worker, home, status && record(status))).toBe(expected);
});

test.each([
  ['exits 0 on TERM', '2026-01-02T03:00:01Z', 'Failed'],
  ['had done its work before', '2026-01-02T02:59:59Z', 'Succeeded'],
  ['exits 0 on TERM, of which only the kubelet’s last delete is seen', '2026-01-02T03:00:01Z', 'Failed', 0],
  ['had done its work long before that', '2026-01-02T02:58:00Z', 'Succeeded', 0],
])('a pod that %s and whose lease ends it', (_what, finishedAt, phase, grace = 30) => {
  const home = pod(goes, disrupted);
  const worker = pod({ ...goes, deletionGracePeriodSeconds: grace });
  worker.status = {
    phase: 'Succeeded',
    containerStatuses: [{ name: 'main', state: { terminated: { exitCode: 0, finishedAt } } }],
  };
  const shown = homeStatus(worker, home, now, 'policy nights: closed');
  expect(shown.phase).toBe(phase);
  if (phase === 'Succeeded') return;
  expect(shown).toMatchObject({ reason: 'LeaseClosed', message: 'policy nights: closed' });
  expect(shown.conditions).toContainEqual(
    expect.objectContaining({
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'LeaseClosed',
      message: 'policy nights: closed',
    }),
  );
});

test.each<[string, Pod, string | undefined]>([
  ['evicted, its condition as it was', pod({ ...goes, ...words }, disrupted), 'LeaseClosed'],
  ['evicted, its condition set to False', pod({ ...goes, ...words }, reset), 'LeaseClosed'],
  ['evicted, without a condition', pod({ ...goes, ...words }), 'LeaseClosed'],
  ['that was to be evicted and stays', pod(words, reset), undefined],
  ['told to go, which stays', pod(words, disrupted), undefined],
  ['evicted by somebody else', pod(goes, disrupted), 'EvictionByEvictionAPI'],
  ['deleted by somebody, when a kubelet remembers a closing called off', pod(goes, remembered), undefined],
])('while it ends, home says of a pod %s why', (_what, worker, reason) => {
  const home = pod({});
  const find = (at: Pod) =>
    homeStatus(worker, at, now, 'words').conditions?.find(
      ({ type, status }) => type === 'DisruptionTarget' && status === 'True',
    );
  const shown = find(home);
  expect(shown?.reason).toBe(reason);
  if (!shown) return;
  home.status = { ...home.status, conditions: [shown] };
  expect(find(home)).toEqual(shown);
});

test('a finished pod that its lease would have ended stays as it finished', () => {
  const home = pod({});
  const worker = pod({ ...goes, ...words }, reset);
  worker.status = {
    phase: 'Succeeded',
    containerStatuses: [{ name: 'main', state: { terminated: { exitCode: 0, finishedAt: '2026-01-02T02:59:59Z' } } }],
  };
  const shown = homeStatus(worker, home, now, leaseEnd(worker, home, undefined));
  expect(shown.phase).toBe('Succeeded');
  expect(shown.conditions ?? []).toEqual([]);
  home.status = { phase: 'Succeeded' };
  worker.status.phase = 'Failed';
  expect(statusPatch(worker, home, now, 'words')).toBeUndefined();
});
