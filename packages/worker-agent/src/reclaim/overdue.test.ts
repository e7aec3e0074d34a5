import type { LeasedNodeStatus } from '@kubeocean/shared/api';
import type { Allocation, PodForRequests } from '@kubeocean/shared/lease';
import { expect, it } from 'vitest';
import { overduePods } from './overdue.ts';

const ends = (reclaimStage: LeasedNodeStatus['reclaimStage']): LeasedNodeStatus => ({
  phase: 'Closing',
  ...(reclaimStage && { reclaimStage }),
});
const spec = (nodeName: string, cluster = 'b') => ({ cluster, nodeName, nodeUID: 'u', policy: 'p' });

function allocation(open: Record<string, LeasedNodeStatus>, closed: Record<string, LeasedNodeStatus>): Allocation {
  return {
    open: Object.entries(open).map(([node, status]) => ({
      namespace: 'w',
      name: `b.${node}`,
      labels: {},
      spec: spec(node),
      status,
    })),
    closed: Object.entries(closed).map(([node, status]) => ({
      record: { metadata: { namespace: 'w', name: `b.${node}` }, spec: spec(node) },
      reason: 'PolicyGone' as const,
      message: '',
      status,
    })),
    removable: [],
    policies: [],
  };
}

function pod(nodeName: string, labels: object = { 'kubeocean.io/cluster-binding': 'b' }, phase = 'Running') {
  return { metadata: { namespace: 'w', name: 'x', labels }, spec: { nodeName }, status: { phase } } as PodForRequests;
}

const late = allocation({ n1: ends('Deleting') }, { n2: ends('Deleting'), n3: ends('Evicting'), n4: ends('Done') });

it.each<[string, PodForRequests[], number]>([
  ['none', [], 0],
  ['those of leases whose deadline is over', [pod('n1'), pod('n2'), pod('n2')], 3],
  ['not those that still have time', [pod('n3')], 0],
  [
    'not those of other nodes, bindings or owners',
    [pod('n9'), pod('n1', { 'kubeocean.io/cluster-binding': 'c' }), pod('n1', {})],
    0,
  ],
  ['not those that have ended, and hold nothing', [pod('n1', undefined, 'Failed')], 0],
])('counts %s', (_, pods, count) => {
  expect(overduePods(late, () => pods)).toBe(count);
});

it('does not go over all pods of the cluster where no deadline is over', () => {
  const untouched = () => expect.fail('asked for the pods');
  expect(overduePods(allocation({ n1: ends(undefined) }, { n2: ends('Evicting') }), untouched)).toBe(0);
});
