/** How far leases are from being kept: a metric for whoever owns the nodes. Pure. */
import { Label } from '@kubeocean/shared/api';
import { type Allocation, groupName, hasEnded, type PodForRequests } from '@kubeocean/shared/lease';
import { placeOf } from './plan.ts';

/**
 * Lent pods that still run past the deadline of a lease that was taken back. Each has the rest of its grace; one that stays longer
 * has a kubelet that does not answer, a finalizer of somebody else's, or an API server that refuses to have it deleted.
 * @param pods asked for only where there is such a lease
 */
export function overduePods(
  { open, closed }: Pick<Allocation, 'open' | 'closed'>,
  pods: () => Iterable<PodForRequests>,
): number {
  const ending = new Set<string>();
  const leases = [...open, ...closed.map(({ record: { metadata, spec }, status }) => ({ ...metadata, spec, status }))];
  for (const { namespace, spec, status } of leases) {
    if (status.reclaimStage === 'Deleting') ending.add(placeOf(namespace, spec));
  }
  if (ending.size === 0) return 0;
  let overdue = 0;
  for (const pod of pods()) {
    const { namespace = '', labels } = pod.metadata;
    const group = groupName(namespace, labels?.[Label.clusterBinding] ?? '');
    if (ending.has(`${String(pod.spec['nodeName'])}/${group}`) && !hasEnded(pod)) overdue++;
  }
  return overdue;
}
