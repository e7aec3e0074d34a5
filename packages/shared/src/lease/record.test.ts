import { describe, expect, it } from 'vitest';
import { node, policy, run, written } from './allocate-fixtures.ts';
import type { WorkerNode } from './record.ts';

describe('a record', () => {
  it('says whose it is, in a label too, and under which policy it began, whichever lends by now', () => {
    const spec = { cluster: 'b1', nodeName: 'node1', nodeUID: 'uid-node1', policy: 'p1' };
    const begun = run({}).open;
    const labels = { 'kubeocean.io/cluster-binding': 'b1' };
    expect(begun).toMatchObject([{ namespace: 'kubeocean-worker', name: 'b1.node1', labels, spec }]);
    const [later] = run({ policies: [policy('p2')], records: written(begun) }).open;
    expect(later).toMatchObject({ labels, spec, status: { policy: 'p2' } });
  });
});

it.each<[string, string, boolean]>([
  ['node.kubernetes.io/instance-type', 'm5.large', true],
  ['type', 'gpu', true],
  ['type', 'virtual-kubelet', false],
])('a node with the label %s=%s is lent: %s', (key, value, expected) => {
  expect(run({ nodes: [node('node1', { labels: { [key]: value } })] }).open).toHaveLength(expected ? 1 : 0);
});

describe('what the record shows of the node', () => {
  it('leaves out heartbeats and taints of Kubernetes, and tells a cordon', () => {
    const busy: WorkerNode = {
      ...node('node1'),
      spec: {
        unschedulable: true,
        taints: [
          { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' },
          { key: 'dedicated', value: 'x', effect: 'NoExecute' },
          { key: 'kubeocean.io/out-of-time-windows', effect: 'NoExecute' },
        ],
      },
      status: {
        allocatable: { cpu: '8' },
        addresses: [
          { type: 'Hostname', address: 'n' },
          { type: 'InternalIP', address: '10.0.0.1' },
        ],
        conditions: [
          {
            type: 'Ready',
            status: 'True',
            lastHeartbeatTime: '2026-11-20T11:59:00Z',
            lastTransitionTime: '2026-11-20T10:00:00Z',
          },
          { type: 'DiskPressure', status: 'False', lastHeartbeatTime: '2026-11-20T11:59:00Z' },
        ],
        nodeInfo: { kubeletVersion: 'v1.34.4' },
      },
    };
    expect(run({ nodes: [busy] }).open[0]?.status).toEqual({
      phase: 'Active',
      policy: 'p1',
      allocatable: { cpu: '8' },
      ceiling: { cpu: '8' },
      taints: [{ key: 'dedicated', value: 'x', effect: 'NoExecute' }],
      unschedulable: true,
      node: {
        labels: { role: 'worker' },
        conditions: [
          { type: 'DiskPressure', status: 'False' },
          { type: 'Ready', status: 'True', lastTransitionTime: '2026-11-20T10:00:00Z' },
        ],
        nodeInfo: { kubeletVersion: 'v1.34.4' },
        innerIP: '10.0.0.1',
      },
    });
  });
});
