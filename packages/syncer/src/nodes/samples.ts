/** Objects for the tests of this folder. */
import type { ClusterBinding, LeasedNode, LeasedNodeStatus } from '@kubeocean/shared/api';
import type { VnodeFacts } from './from-record.ts';

export function sampleBinding(spec: Partial<ClusterBinding['spec']> = {}): ClusterBinding {
  return {
    metadata: { name: 'example-cluster', uid: 'binding-uid', generation: 1 },
    spec: {
      clusterID: 'cls-example',
      secretRef: { name: 'worker', namespace: 'kubeocean-system' },
      mountNamespace: 'kubeocean-worker',
      ...spec,
    },
  };
}

export function sampleRecord(status: LeasedNodeStatus = {}): LeasedNode {
  return {
    metadata: { name: 'example-cluster.node1', namespace: 'kubeocean-worker' },
    spec: { cluster: 'example-cluster', nodeName: 'node1', nodeUID: 'node-uid', policy: 'first' },
    status: {
      phase: 'Active',
      policy: 'example-policy',
      allocatable: { cpu: '4', memory: '27Gi', pods: '80' },
      node: {
        labels: { 'kubernetes.io/arch': 'amd64', disk: 'ssd' },
        conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'ready' }],
        nodeInfo: { kubeletVersion: 'v1.34.4' },
        innerIP: '10.0.0.1',
      },
      ...status,
    },
  };
}

export function sampleFacts(facts: Partial<VnodeFacts> = {}): VnodeFacts {
  return {
    name: 'vnode-cls-example-node1',
    binding: sampleBinding(),
    bindingUID: 'binding-uid',
    port: 15001,
    address: '10.0.0.9',
    leaseUnknown: false,
    workerUnreachable: false,
    draining: false,
    ...facts,
  };
}
