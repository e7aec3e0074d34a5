import { describe, expect, it } from 'vitest';
import { node, run } from './allocate-fixtures.ts';
import type { WorkerNode } from './record.ts';

describe('what the record shows of the node', () => {
  it('leaves out heartbeats and taints of Kubernetes, and tells a cordon', () => {
    const busy: WorkerNode = {
      ...node('node1'),
      spec: {
        unschedulable: true,
        taints: [
          { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' },
          { key: 'dedicated', value: 'x', effect: 'NoExecute' },
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
