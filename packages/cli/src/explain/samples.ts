/** Clusters as tests of explanations see them: one worker node that a policy lends to the binding "b", on a Friday at noon. */
import {
  Annotation,
  type ClusterBinding,
  claimName,
  Label,
  type LeasedNode,
  type LeasedNodeStatus,
  type ResourceLeasingPolicy,
  type ResourceLeasingPolicySpec,
} from '@kubeocean/shared/api';
import type { KubeObject } from '@kubeocean/shared/kube';
import type { WorkerNode } from '@kubeocean/shared/lease';
import type { HomeFacts, Vnode, WorkerFacts } from './facts.ts';

export const now = new Date('2026-11-20T12:00:00Z');
export const mount = 'kubeocean-worker';
export const role = {
  nodeSelectorTerms: [{ matchExpressions: [{ key: 'role', operator: 'In' as const, values: ['worker'] }] }],
};

export function node(name: string, labels: Record<string, string> = { role: 'worker' }): WorkerNode {
  return { metadata: { name, uid: `uid-${name}`, labels }, status: { allocatable: { cpu: '8', pods: '110' } } };
}

export function policy(
  name: string,
  spec: Partial<ResourceLeasingPolicySpec> = {},
  created = '2026-01-01T00:00:00Z',
): ResourceLeasingPolicy {
  return {
    metadata: { name, uid: name, creationTimestamp: created },
    spec: { cluster: 'b', nodeSelector: role, ...spec },
  };
}

export function record(status: LeasedNodeStatus, nodeName = 'n1'): LeasedNode {
  return {
    metadata: { namespace: mount, name: `b.${nodeName}` },
    spec: { cluster: 'b', nodeName, nodeUID: `uid-${nodeName}`, policy: 'p' },
    status: { policy: 'p', ...status },
  };
}

export function lease(name: string, secondsAgo: number, annotations: Record<string, string> = {}): KubeObject {
  const renewTime = new Date(now.getTime() - secondsAgo * 1000).toISOString();
  const labels = name.startsWith('kubeocean-claim') ? { [Label.claim]: 'true' } : undefined;
  return { metadata: { namespace: mount, name, annotations, ...(labels && { labels }) }, spec: { renewTime } };
}

export function worker(facts: Partial<WorkerFacts> = {}): WorkerFacts {
  return {
    server: 'https://worker',
    nodes: { value: [node('n1')] },
    policies: { value: [policy('p')] },
    records: { value: [record({ phase: 'Active', allocatable: { cpu: '8', pods: '110' } })] },
    leases: { value: [lease(claimName('b'), 5, { [Annotation.clusterID]: 'cls' }), lease('kubeocean-agent', 5)] },
    tenants: { value: [{ namespace: mount, serviceAccount: 's', bindings: ['*'] }] },
    timeZone: { value: 'UTC' },
    podsOnNode: { value: [] },
    ...facts,
  };
}

export const binding: ClusterBinding = {
  metadata: { name: 'b', uid: 'uid-b' },
  spec: { clusterID: 'cls', mountNamespace: mount, secretRef: { name: 's', namespace: 'n' } },
};

export const vnode: Vnode = {
  metadata: {
    name: 'vnode-cls-n1',
    labels: { [Label.clusterBinding]: 'b', [Label.physicalNodeName]: 'n1', [Label.physicalNodeUID]: 'uid-n1' },
  },
  spec: { taints: [{ key: 'kubeocean.io/lease-unknown', effect: 'NoSchedule' }] },
  status: { allocatable: { cpu: '8' }, conditions: [{ type: 'Ready', status: 'True' }] },
};

export const home: HomeFacts = { server: 'https://home', bindings: { value: [binding] }, vnodes: { value: [vnode] } };
