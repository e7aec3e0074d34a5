/**
 * What a pod's lease means for what home shows: whether its addresses are, and whether it is the lease that ends it, and
 * in which words: then home shows it as Failed whatever its exit code, so
 * that a Job does not count it and its controller makes another.
 */
import { Annotation, type LeasedNode, PodCondition, PodReason } from '@kubeocean/shared/api';
import type { Condition } from '@kubeocean/shared/kube';
import { isSettling } from '@kubeocean/shared/lease';
import type { SyncerContext } from '../../context.ts';
import { endsPods, leaseWords } from '../../nodes/lease-over.ts';
import { leaseRefusal, type Reason } from '../placement/eligibility.ts';
import type { Pod } from '../types.ts';
import { whyUnscheduled } from '../placement/unplaced.ts';

/** Of DisruptionTarget on a worker pod that the agent ends: its own, and the Eviction API's. */
const AGENTS_REASONS: readonly (string | undefined)[] = [PodReason.leaseClosed, 'EvictionByEvictionAPI'];

/**
 * Why the pod ends, when that is its lease; undefined when somebody else ends it, or it goes on. Three may have asked it
 * to go for the lease's sake: the agent (it leaves words on the worker pod), the syncer (on the home pod), and, at the
 * deadline, home's own taint manager. Pure.
 *
 * The agent's words count by themselves once the pod goes: the condition that goes with them is set to False by the
 * worker's controller-manager when its time is two minutes old by that clock (pkg/controller/disruption), and to True by a
 * kubelet that remembers it so. Nobody at home can put them there: what begins with kubeocean.io/ is never carried
 * (translation/to-worker.ts). A pod whose annotations are full has only the condition, by the agent or by the Eviction API
 * that it asked; then the record has to say so, too. On the home pod, whose annotations its users write, words count only
 * with the condition, which they cannot.
 * @param record of the vnode that the pod is on, as it is now
 */
export function leaseEnd(worker: Pod, home: Pod, record: LeasedNode | undefined): string | undefined {
  const byAgent = worker.metadata.deletionTimestamp ? worker.metadata.annotations?.[Annotation.leaseClosed] : undefined;
  const isOver = record !== undefined && endsPods(record.status);
  if (!home.metadata.deletionTimestamp) {
    if (byAgent !== undefined || !worker.metadata.deletionTimestamp) return byAgent;
    if (whyUnscheduled(worker)) return lateRefusal(record)?.message;
    if (!isOver) return undefined;
    return AGENTS_REASONS.includes(disruptionOf(worker)?.reason) ? leaseWords(record) : undefined;
  }
  const bySyncer = disruptionOf(home) ? home.metadata.annotations?.[Annotation.leaseClosed] : undefined;
  if (bySyncer !== undefined) return bySyncer;
  // Words may be left of a closing that was called off, and none may have been written yet: the record decides.
  if (!isOver) return undefined;
  return byAgent ?? (disruptionOf(home) ? leaseWords(record) : undefined);
}

/** The same, with the record that the pod's vnode has now. */
export function leaseEndOf(context: SyncerContext, worker: Pod, home: Pod): string | undefined {
  return leaseEnd(worker, home, recordOf(context, home));
}

/**
 * Why a pod that has no node yet is not to get it any more: its lease takes no new pods, and no worker has taken it. Not where
 * that may be for a moment only.
 */
export function lateRefusal(record: LeasedNode | undefined): Reason | undefined {
  return record && !isSettling(record.status) ? leaseRefusal(record) : undefined;
}

/** Whether the pod's addresses are others' at home, as its record says. */
export function addressesHidden(context: SyncerContext, home: Pod): boolean {
  return recordOf(context, home)?.status?.networkOverlap !== undefined;
}

/** Of the pod's vnode, as it is now. */
export function recordOf(context: SyncerContext, home: Pod): LeasedNode | undefined {
  return context.stores.records.byIndex('vnode', home.spec.nodeName ?? '')[0];
}

function disruptionOf(pod: Pod): Condition | undefined {
  const conditions = pod.status?.conditions ?? [];
  return conditions.find(({ type, status }) => type === PodCondition.disruptionTarget && status === 'True');
}
