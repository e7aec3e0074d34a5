/**
 * Pods of a mount namespace that were there before the chart and bear no binding: those of gocrane/kubeocean, or the
 * owner's own. Nobody told us that they may go, so they are left alone, count as taken, and are told of. Whatever comes
 * later came past the admission policy, or should not be there. Pure.
 */
import { Annotation, ChartName, Label } from '@kubeocean/shared/api';
import type { KubeObject } from '@kubeocean/shared/kube';
import { hasEnded, type LentPods, type PodForRequests } from '@kubeocean/shared/lease';

/** RFC 3339; since when the admission policy holds tenants to what is lent. Undefined: it is not there. */
export function guardedSince(policies: Iterable<KubeObject>): string | undefined {
  for (const { metadata } of policies) {
    if (metadata.name === ChartName.admissionPolicies[0]) return metadata.creationTimestamp;
  }
  return undefined;
}

/**
 * Whether a pod without the label of a binding was made before `since`. Both times are the API server's, to the second;
 * without the policy nothing is known, and nothing is deleted for want of a label.
 */
export function isEarlier({ metadata }: PodForRequests, since: string | undefined): boolean {
  if (metadata.labels?.[Label.clusterBinding]) return false;
  return since === undefined || Date.parse(metadata.creationTimestamp ?? '') < Date.parse(since);
}

/** What the owner is told of such pods; undefined when there is none. */
export function earlierProblem(groups: Iterable<LentPods>, since: string | undefined): string | undefined {
  const found: string[] = [];
  let migrated = false;
  for (const { label, namespace, pods } of groups) {
    if (label !== '') continue;
    for (const pod of pods) {
      if (hasEnded(pod) || !isEarlier(pod, since)) continue;
      const { name, annotations } = pod.metadata;
      found.push(`${namespace}/${name}`);
      migrated ||= annotations?.[Annotation.virtualPodUID] !== undefined;
    }
  }
  if (found.length === 0) return undefined;
  const [first] = found.sort();
  const one = found.length === 1;
  const which = one ? `the pod ${first} was` : `${found.length} pods (the first: ${first}) were`;
  const stays = one
    ? 'belongs to no binding: it is left alone and takes its room'
    : 'belong to no binding: they are left alone and take their room';
  const next = migrated
    ? 'some were made by gocrane/kubeocean: "kubeocean adopt BINDING" takes those over (docs/migration.md); delete what nobody needs'
    : 'move or delete what nobody needs';
  return `${which} in a mount namespace before the chart and ${stays}; ${next}`;
}
