/** Small clusters for the tests of the allocator. */
import type { LeasedNode, LeasedNodeStatus } from '../api/leased-node.ts';
import { claimName } from '../api/names.ts';
import type { ResourceLeasingPolicy, ResourceLeasingPolicySpec } from '../api/policy.ts';
import type { KubeObject } from '../kube/types.ts';
import { type Allocation, type AllocationInput, allocate, type DesiredRecord } from './allocate.ts';
import type { Tenant } from './claims.ts';
import type { WorkerNode } from './record.ts';
import type { PodForRequests } from './requests.ts';

/** A Friday, 12:00 UTC. */
export const now = new Date('2026-11-20T12:00:00Z');
export const mount = 'kubeocean-worker';
export const tenants: Tenant[] = [
  { namespace: mount, serviceAccount: 'kubeocean-syncer', bindings: ['*'] },
  { namespace: 'other', serviceAccount: 'kubeocean-syncer', bindings: ['b2'] },
];

export function node(name: string, extra: Partial<WorkerNode['metadata']> = {}): WorkerNode {
  return {
    metadata: { name, uid: `uid-${name}`, labels: { role: 'worker' }, ...extra },
    status: { allocatable: { cpu: '8', memory: '32Gi', pods: '110' } },
  };
}

export function pod(
  name: string,
  nodeName: string,
  cpu: string,
  namespace = 'default',
  labels = {},
  phase = 'Running',
): PodForRequests {
  return {
    metadata: { name, namespace, labels },
    spec: { nodeName, containers: [{ name: 'c', resources: { requests: { cpu } } }] },
    status: { phase },
  };
}

export function policy(
  name: string,
  spec: Partial<ResourceLeasingPolicySpec> = {},
  created = '2026-01-01T00:00:00Z',
): ResourceLeasingPolicy {
  return { metadata: { name, uid: `uid-${name}`, creationTimestamp: created }, spec: { cluster: 'b1', ...spec } };
}

/** As it is while a finalizer keeps it. */
export function deleted(one: ResourceLeasingPolicy): ResourceLeasingPolicy {
  return { ...one, metadata: { ...one.metadata, deletionTimestamp: '2026-11-20T11:00:00Z' } };
}

export function claim(
  binding: string,
  namespace = mount,
  annotations = {},
  created = '2026-01-01T00:00:00Z',
): KubeObject {
  return {
    metadata: {
      name: claimName(binding),
      namespace,
      uid: `${namespace}-${binding}`,
      creationTimestamp: created,
      labels: { 'kubeocean.io/claim': 'true' },
      annotations,
    },
  };
}

export function run(input: Partial<AllocationInput>): Allocation {
  return allocate({
    nodes: [node('node1')],
    pods: [],
    policies: [policy('p1')],
    claims: [claim('b1')],
    records: [],
    tenants,
    now,
    defaultTimeZone: 'UTC',
    ...input,
  });
}

/** What the agent would have written. */
export function written(records: readonly DesiredRecord[]): LeasedNode[] {
  return records.map(({ namespace, name, labels, spec, status }) => ({
    metadata: { namespace, name, labels, uid: `uid-${name}` },
    spec,
    status,
  }));
}

export function lent(result: Allocation): Record<string, Record<string, string>> {
  return Object.fromEntries(result.open.map((record) => [record.name, record.status.allocatable ?? {}]));
}

/** A pod of the binding b1 that runs on the node. */
export const lentPods = [pod('lent', 'node1', '1', mount, { 'kubeocean.io/cluster-binding': 'b1' })];

export function at(seconds: number): Date {
  return new Date(now.getTime() + seconds * 1000);
}

/** The same as it is written. */
export function text(seconds: number): string {
  return at(seconds).toISOString().replace('.000', '');
}

/** A look at the records that the last one left; what they come to say. A pod runs under them. */
export function look(records: LeasedNode[], seconds: number, input: Partial<AllocationInput>): LeasedNode[] {
  const { open, closed } = run({ pods: lentPods, records, now: at(seconds), ...input });
  return [...written(open), ...closed.map(({ record, status }) => ({ ...record, status }))];
}

export function statusOf([record]: LeasedNode[]): LeasedNodeStatus {
  return record?.status ?? {};
}
