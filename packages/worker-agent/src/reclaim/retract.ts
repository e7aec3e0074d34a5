/**
 * Lent pods that were told that their lease ends them, and stay after all: a disruption budget kept them until the window
 * opened again. The words are taken off, so that a later end of another cause is not shown at home as the lease's. Pure.
 */
import { Annotation } from '@kubeocean/shared/api';
import { hasEnded, type LentPods } from '@kubeocean/shared/lease';
import { type Lease, placeOf, type PodStep } from './plan.ts';

/** The steps by pod UID, for pods of leases that take nothing back now. */
export function planRetractions(leases: Iterable<Lease>, groups: Iterable<LentPods>): Map<string, PodStep> {
  const running = new Set<string>();
  for (const { record, status } of leases) {
    if (status.phase === 'Closed' || status.reclaimAt !== undefined) continue;
    running.add(placeOf(record.metadata.namespace, record.spec));
  }
  const steps = new Map<string, PodStep>();
  for (const { node, namespace, group, pods, told } of groups) {
    if (told === 0 || !running.has(`${node}/${group}`)) continue;
    for (const pod of pods) {
      const { name, uid = '', annotations, deletionTimestamp } = pod.metadata;
      if (annotations?.[Annotation.leaseClosed] === undefined || deletionTimestamp !== undefined || hasEnded(pod))
        continue;
      steps.set(uid, { kind: 'retract', namespace, name, uid, node, message: 'its lease goes on' });
    }
  }
  return steps;
}
