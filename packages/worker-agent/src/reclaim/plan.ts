/** What is to be done now with the pods of leases that end. Pure: all of it follows from records and pods. */
import {
  Finalizer,
  Label,
  type LeasedNode,
  type LeasedNodeStatus,
  labelValue,
  PodCondition,
  PodReason,
} from '@kubeocean/shared/api';
import type { Condition } from '@kubeocean/shared/kube';
import { groupName, hasEnded, type LentPods, type PodForRequests, type Tenant } from '@kubeocean/shared/lease';
import { isEarlier } from '../pods/earlier.ts';

/** A record as it is, and the status that it should have now. */
export interface Lease {
  record: LeasedNode;
  status: LeasedNodeStatus;
}

export interface ReclaimInput {
  leases: Iterable<Lease>;
  pods: Iterable<LentPods>;
  tenants: readonly Tenant[];
  /** Longest termination grace period, in seconds. */
  maxGraceSeconds: number;
  /** RFC 3339; since when the admission policy stands. Pods that are older and bear no binding stay. */
  guardedSince?: string | undefined;
}

export interface PodStep {
  /**
   * evict: through the Eviction API, budgets respected. delete: past the deadline. shorten: it has to go and ends, but its
   * grace is too long. explain: it ends by an eviction that does not say why. expel: it has no place in a mount namespace.
   * exceed: it goes beyond what its lease holds. stray: its node is not lent to it. unfollow: it is over, and nobody is
   * there to take its finalizer off. retract: it stays, though it was told that it goes.
   */
  kind: 'evict' | 'delete' | 'shorten' | 'explain' | 'expel' | 'exceed' | 'stray' | 'unfollow' | 'retract';
  namespace: string;
  name: string;
  uid: string;
  node: string;
  /** Termination grace period to be given, in seconds; undefined = the pod's own. */
  graceSeconds?: number;
  /** Why, in words for the pod's condition and events. */
  message: string;
  /** RFC 3339; until when budgets are respected. */
  deadline?: string;
}

/** `status.reason` of the Eviction API's own condition, which takes the place of one that was there before. */
const EvictedByApi = 'EvictionByEvictionAPI';
/** Reasons for which this cluster ends a pod itself: another needs its place, a taint of its node, an eviction. */
const EndedHere: readonly (string | undefined)[] = ['PreemptionByScheduler', 'DeletionByTaintManager', EvictedByApi];
/** Kubernetes' default of terminationGracePeriodSeconds. */
const DefaultGraceSeconds = 30;

/** The steps that are due, by pod UID. */
export function planReclaim(input: ReclaimInput): Map<string, PodStep> {
  const ending = new Map<string, LeasedNodeStatus>();
  const leased = new Set<string>();
  for (const { record, status } of input.leases) {
    const { reclaimStage, reclaimAt } = status;
    const place = placeOf(record.metadata.namespace, record.spec);
    leased.add(place);
    if (reclaimStage !== 'Evicting' && reclaimStage !== 'Deleting') continue;
    // Nothing happens to pods on the strength of a statement that nobody could read yet.
    if (record.status?.reclaimAt !== reclaimAt) continue;
    ending.set(place, status);
  }
  const tenants = new Map(input.tenants.map((tenant) => [tenant.namespace, tenant]));
  const steps = new Map<string, PodStep>();
  for (const { node, namespace, label, group, pods, ending: going } of input.pods) {
    const tenant = tenants.get(namespace);
    if (!tenant) continue;
    const place = `${node}/${group}`;
    const status = ending.get(place);
    // Who may claim there no longer, but has a lease, goes by that lease's rules: budgets and the deadline count.
    const welcome = isLent(label, tenant) || leased.has(place);
    if (welcome && !status && going === 0) continue;
    for (const pod of pods) {
      if (isEarlier(pod, input.guardedSince)) continue;
      const step = welcome
        ? ((status && stepFor(pod, status, input.maxGraceSeconds)) ?? cutShort(pod, input.maxGraceSeconds))
        : expulsion(pod, label, input.maxGraceSeconds);
      const { name, uid = '' } = pod.metadata;
      if (step) steps.set(uid, { ...step, namespace, name, uid, node });
    }
  }
  return steps;
}

/** Names the pods of one binding on one node: those of its group there. */
export function placeOf(namespace: string, { nodeName, cluster }: { nodeName: string; cluster: string }): string {
  return `${nodeName}/${groupName(namespace, labelValue(cluster))}`;
}

type Step = Pick<PodStep, 'kind' | 'graceSeconds' | 'message' | 'deadline'>;

function stepFor(pod: PodForRequests, status: LeasedNodeStatus, maxGrace: number): Step | undefined {
  const message = `policy ${status.policy ?? '(gone)'}: ${status.message ?? 'the lease is over'}`;
  if (hasEnded(pod)) return heldWithoutWords(pod) ? { kind: 'explain', message } : undefined;
  if (pod.metadata.deletionTimestamp !== undefined) {
    const shorter = status.reclaimStage === 'Deleting' ? shortening(pod, maxGrace, message) : undefined;
    if (shorter) return shorter;
    return disruptionReason(pod) === EvictedByApi ? { kind: 'explain', message } : undefined;
  }
  return {
    kind: status.reclaimStage === 'Deleting' ? 'delete' : 'evict',
    ...graceOf(pod, maxGrace),
    message,
    ...(status.reclaimDeadline !== undefined && { deadline: status.reclaimDeadline }),
  };
}

/**
 * What is done with a pod that this cluster ends for ends of its own, whatever its lease: it keeps its place until its
 * grace is over, which its tenant chose, and the owner's pod waits for that.
 */
function cutShort(pod: PodForRequests, maxGrace: number): Step | undefined {
  if (pod.metadata.deletionTimestamp === undefined || hasEnded(pod)) return undefined;
  const reason = disruptionReason(pod);
  if (!EndedHere.includes(reason)) return undefined;
  return shortening(pod, maxGrace, `it is ended in this cluster: ${reason}`);
}

/** The grace to be given where the pod's own is longer than `maxGrace` seconds. */
export function graceOf(pod: PodForRequests, maxGrace: number): Pick<PodStep, 'graceSeconds'> {
  const own = pod.spec['terminationGracePeriodSeconds'];
  return (typeof own === 'number' ? own : DefaultGraceSeconds) > maxGrace ? { graceSeconds: maxGrace } : {};
}

/** What is done with a pod that ends already, but has been given more than `maxGrace` seconds for it by whoever deleted it. */
export function shortening(pod: PodForRequests, maxGrace: number, message: string): Step | undefined {
  const grace = pod.metadata.deletionGracePeriodSeconds ?? 0;
  return grace > maxGrace ? { kind: 'shorten', graceSeconds: maxGrace, message } : undefined;
}

function expulsion(pod: PodForRequests, label: string, maxGrace: number): Step | undefined {
  if (hasEnded(pod)) return undefined;
  const why = label === '' ? `has no label ${Label.clusterBinding}` : `belongs to ${label}, which may not claim here`;
  const message = `the pod ${why}; this namespace takes only pods of its computing cluster (the worker chart's value tenants)`;
  if (pod.metadata.deletionTimestamp !== undefined) return shortening(pod, maxGrace, message);
  return { kind: 'expel', ...graceOf(pod, maxGrace), message };
}

/** Whether a pod with this binding label may be in the tenant's namespace at all. */
export function isLent(label: string, { bindings }: Tenant): boolean {
  return label !== '' && (bindings.includes('*') || bindings.some((name) => labelValue(name) === label));
}

/** Ended by an eviction, but home has not shown it yet. The kubelet may have put the Eviction API's words over ours. */
function heldWithoutWords(pod: PodForRequests): boolean {
  return pod.metadata.finalizers?.includes(Finalizer.homeSync) === true && disruptionReason(pod) === EvictedByApi;
}

function disruptionReason(pod: PodForRequests): string | undefined {
  return (pod.status?.['conditions'] as Condition[] | undefined)?.[0]?.reason;
}

/** The condition by which the pod, and through it the home pod, says why it ends. */
export function disruption(step: PodStep, now: string): Condition {
  return {
    type: PodCondition.disruptionTarget,
    status: 'True',
    reason: PodReason.leaseClosed,
    message: step.message,
    lastTransitionTime: now,
  };
}
