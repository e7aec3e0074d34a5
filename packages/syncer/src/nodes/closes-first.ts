/** Pods that may outlive the lease are told again when the vnode comes to say another time of its closing. */
import { Annotation, PodReason } from '@kubeocean/shared/api';
import type { KubeObject } from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';
import { outlivesLease } from '../pods/placement/outlives-lease.ts';
import { isTerminal, type Pod, podSubject } from '../pods/types.ts';

/**
 * Judges the vnode's pods by the time that it is about to say, when that is another than it says now.
 * @param annotations of the vnode as they are going to be
 * @param aheadMs how far the worker's clock is ahead of ours
 */
export function tellNewClosing(
  context: SyncerContext,
  vnode: KubeObject,
  annotations: Record<string, string>,
  aheadMs: number | undefined,
): void {
  const next = annotations[Annotation.leaseClosesAt];
  if (next === undefined || next === vnode.metadata.annotations?.[Annotation.leaseClosesAt]) return;
  const soon = { metadata: { ...vnode.metadata, annotations } };
  for (const pod of context.stores.homePods.byIndex('node', vnode.metadata.name) as Pod[]) {
    // One that has not started is told when its worker pod is made.
    if (isTerminal(pod) || pod.metadata.deletionTimestamp || pod.status?.startTime === undefined) continue;
    const tooLong = outlivesLease(pod, soon, context.now(), aheadMs);
    if (tooLong) context.homeEvents.event(podSubject(pod), 'Warning', PodReason.leaseClosesFirst, tooLong);
  }
}
