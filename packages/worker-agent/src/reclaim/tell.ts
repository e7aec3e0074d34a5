/** Tells what happened to leases: events on the policy, and on the pods when a closing is near. */
import {
  firstFew,
  Label,
  type LeasedNode,
  LeasedNodes,
  type LeasedNodeStatus,
  type LeaseGuard,
  labelValue,
  type ResourceLeasingPolicy,
} from '@kubeocean/shared/api';
import { apiVersionOf, type EventSubject } from '@kubeocean/shared/kube';
import { type Allocation, hasEnded, type PodForRequests, Shrunk } from '@kubeocean/shared/lease';
import { policySubject } from '../policies/subject.ts';
import type { RecordWrite } from '../records/plan.ts';

export interface Told {
  subject: EventSubject;
  type: 'Normal' | 'Warning';
  reason: string;
  message: string;
}

/** A status that was written over another. */
export interface Written {
  record: LeasedNode;
  status: LeasedNodeStatus;
}

/** A record that the API server refused to have written, and its words. */
export interface RefusedWrite {
  write: RecordWrite;
  message: string;
}

/** A LeaseGuard that the API server refused to have written, and its words. */
export interface RefusedGuard {
  guard: LeaseGuard;
  message: string;
}

const Reasons = {
  Notice: 'ReclaimNotice',
  Syncer: 'ReclaimBegun',
  Evicting: 'ReclaimEvicting',
  Deleting: 'ReclaimDeadline',
  Done: 'ReclaimDone',
} as const;

/**
 * One event per policy and stage that leases came to, whatever the number of nodes. The end is told when the last node
 * of the policy is empty.
 */
export function tellStages(written: readonly Written[], allocation: Allocation): Told[] {
  const groups = new Map<string, Written[]>();
  for (const entry of written) {
    const { policy, reclaimStage, reclaimAt } = entry.status;
    const before = entry.record.status;
    if (!reclaimStage || (before?.reclaimStage === reclaimStage && before.reclaimAt === reclaimAt)) continue;
    const key = `${reclaimStage}/${policy ?? ''}`;
    const group = groups.get(key);
    if (group) group.push(entry);
    else groups.set(key, [entry]);
  }
  const told: Told[] = [];
  for (const entries of groups.values()) {
    const { policy: name, reclaimStage: stage = 'Notice' } = entries[0]?.status ?? {};
    const policy = policyNamed(name, allocation);
    if (!policy) continue;
    const all = [...allocation.open, ...allocation.closed].filter(({ status }) => status.policy === name);
    if (stage === 'Done' && all.some(({ status }) => status.reclaimStage && status.reclaimStage !== 'Done')) continue;
    told.push({
      subject: policySubject(policy),
      type: stage === 'Deleting' ? 'Warning' : 'Normal',
      reason: Reasons[stage],
      message: sentence(stage, entries),
    });
  }
  return told;
}

function policyNamed(name: string | undefined, { policies }: Allocation): ResourceLeasingPolicy | undefined {
  return policies.find(({ policy }) => policy.metadata.name === name)?.policy;
}

/**
 * One event per policy whose records the API server refuses to have written: what its leases come to is not known outside, and
 * no pod goes before it is.
 */
export function tellRefused(refused: readonly RefusedWrite[], allocation: Allocation): Told[] {
  const first = new Map<string, RefusedWrite>();
  for (const each of refused) {
    const { spec } = each.write.record;
    const { policy: name = spec.policy } = ('status' in each.write.record && each.write.record.status) || {};
    if (!first.has(name)) first.set(name, each);
  }
  return [...first].flatMap(([name, { write, message }]) => {
    const policy = policyNamed(name, allocation);
    if (!policy) return [];
    const { nodeName } = write.record.spec;
    const text = `the lease of node ${nodeName} waits: its LeasedNode cannot be written, which is tried again (${message})`;
    return [{ subject: policySubject(policy), type: 'Warning', reason: 'RecordRefused', message: text }];
  });
}

/**
 * One event per policy that lends where the API server refuses to have the LeaseGuard written: the admission policy lets pods in
 * by what it said before.
 */
export function tellRefusedGuards(refused: readonly RefusedGuard[], { open, closed, policies }: Allocation): Told[] {
  const records = [...open, ...closed.map(({ record: { metadata }, status }) => ({ ...metadata, status }))];
  return policies.flatMap(({ policy }): Told[] => {
    const lends = (at: string | undefined) =>
      records.some(({ namespace, status }) => namespace === at && status.policy === policy.metadata.name);
    const found = refused.find(({ guard }) => lends(guard.metadata.namespace));
    if (!found) return [];
    const { namespace, name } = found.guard.metadata;
    const text = `the LeaseGuard ${namespace}/${name} cannot be written, which is tried again: no pod is let in on nodes that have opened since, and pods may still be made on those that have closed (${found.message})`;
    return [{ subject: policySubject(policy), type: 'Warning', reason: 'GuardRefused', message: text }];
  });
}

function sentence(stage: keyof typeof Reasons, entries: readonly Written[]): string {
  const status = entries[0]?.status ?? {};
  const names = entries.map(({ record }) => record.spec.nodeName).sort();
  const nodes = firstFew(names, 5);
  const texts = {
    Notice: `lent pods on ${nodes} have notice until ${status.reclaimAt}`,
    Syncer: `the computing cluster is to evict the lent pods on ${nodes}; those left by ${status.reclaimDeadline} are deleted`,
    Evicting: `evicting the lent pods on ${nodes}; those left by ${status.reclaimDeadline} are deleted`,
    Deleting: `deadline: deleting the lent pods left on ${nodes}`,
    Done: `nothing lent runs on ${nodes} any more`,
  } as const;
  return `${texts[stage]}: ${status.message ?? status.reason ?? ''}`;
}

/** One event for each pod on nodes whose window closes soon, when the record came to say so. */
export function tellPods(written: readonly Written[], pods: Iterable<PodForRequests>): Told[] {
  const near = new Map<string, LeasedNodeStatus>();
  for (const { record, status } of written) {
    if (!status.noticedAt || record.status?.noticedAt === status.noticedAt) continue;
    near.set(`${record.spec.nodeName}/${record.metadata.namespace}/${labelValue(record.spec.cluster)}`, status);
  }
  if (near.size === 0) return [];
  const told: Told[] = [];
  for (const pod of pods) {
    const { namespace = '', name, uid, labels, deletionTimestamp } = pod.metadata;
    const node = String(pod.spec['nodeName']);
    const status = near.get(`${node}/${namespace}/${labels?.[Label.clusterBinding] ?? ''}`);
    if (!status || deletionTimestamp !== undefined || hasEnded(pod)) continue;
    told.push({
      subject: { apiVersion: 'v1', kind: 'Pod', metadata: { namespace, name, ...(uid && { uid }) } },
      type: 'Warning',
      reason: 'LeaseClosesSoon',
      message: `node ${node} is lent until ${status.window?.closesAt} (policy ${status.policy}); then this pod has to go`,
    });
  }
  return told;
}

/** One event on each record whose pods came to hold more than is lent. */
export function tellShrunk(written: readonly Written[]): Told[] {
  return written
    .filter(({ record, status }) => status.reason === Shrunk && record.status?.reason !== Shrunk)
    .map(({ record, status }) => ({
      subject: { apiVersion: apiVersionOf(LeasedNodes), kind: LeasedNodes.kind, metadata: record.metadata },
      type: 'Warning',
      reason: Shrunk,
      message: status.message ?? '',
    }));
}
