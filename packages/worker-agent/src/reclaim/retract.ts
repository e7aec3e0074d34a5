/**
 * Lent pods that were told that their lease ends them, and stay after all: a disruption budget kept them until the window
 * opened again. The words are taken off, so that a later end of another cause is not shown at home as the lease's. Pure.
 */
import { Annotation, Label, labelValue } from '@kubeocean/shared/api';
import { groupName, hasEnded, type PodForRequests } from '@kubeocean/shared/lease';
import type { Lease, PodStep } from './plan.ts';

/** The steps by pod UID, for pods of leases that take nothing back now. */
export function planRetractions(leases: Iterable<Lease>, pods: Iterable<PodForRequests>): Map<string, PodStep> {
  const running = new Set<string>();
  for (const { record, status } of leases) {
    if (status.phase === 'Closed' || status.reclaimAt !== undefined) continue;
    const { nodeName, cluster } = record.spec;
    running.add(`${nodeName}/${groupName(record.metadata.namespace, labelValue(cluster))}`);
  }
  const steps = new Map<string, PodStep>();
  for (const pod of pods) {
    const { namespace = '', name, uid = '', annotations, labels, deletionTimestamp } = pod.metadata;
    if (annotations?.[Annotation.leaseClosed] === undefined || deletionTimestamp !== undefined || hasEnded(pod))
      continue;
    const node = String(pod.spec['nodeName']);
    if (!running.has(`${node}/${groupName(namespace, labels?.[Label.clusterBinding] ?? '')}`)) continue;
    steps.set(uid, { kind: 'retract', namespace, name, uid, node, message: 'its lease goes on' });
  }
  return steps;
}
