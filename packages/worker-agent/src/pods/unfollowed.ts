/**
 * Lent pods whose end nobody will show at home any more: their binding's claim is gone, or the owner released it. Our
 * finalizer would keep them for ever, and with them the record of their lease. Pure.
 */
import { claimName, Finalizer, Label, labelValue } from '@kubeocean/shared/api';
import type { KubeObject } from '@kubeocean/shared/kube';
import { groupName, hasEnded, type LentPods, readClaim } from '@kubeocean/shared/lease';
import type { PodStep } from '../reclaim/plan.ts';

/** Milliseconds past the end of its grace after which a pod that ends is not waited for any more. */
const LateMs = 60_000;

export interface Unfollowed {
  /** By pod UID. */
  steps: Map<string, PodStep>;
  /** When the next pod should be over, in milliseconds since 1970: nothing may happen by then that asks for a look. */
  nextAt?: number;
}

/**
 * Pods that are over, or should be by `now`, and whose claim is no more. The caller waits until it has been so for a while: a
 * computing cluster makes its claim anew, and a released one may still show ends at home.
 */
export function findUnfollowed(groups: Iterable<LentPods>, claims: readonly KubeObject[], now: Date): Unfollowed {
  const followed = followedGroups(claims);
  const steps = new Map<string, PodStep>();
  let nextAt = Infinity;
  for (const { group, label, namespace, node, pods } of groups) {
    if (followed.has(group)) continue;
    const whose = label === '' ? 'it bears no binding' : `nobody claims ${label} here any more`;
    const message = `${whose}: no computing cluster will take the finalizer ${Finalizer.homeSync} off`;
    for (const pod of pods) {
      const { name, uid = '', finalizers, deletionTimestamp } = pod.metadata;
      if (finalizers?.includes(Finalizer.homeSync) !== true) continue;
      const lateAt = deletionTimestamp === undefined ? Infinity : Date.parse(deletionTimestamp) + LateMs;
      if (hasEnded(pod) || lateAt <= now.getTime()) {
        steps.set(uid, { kind: 'unfollow', namespace, name, uid, node, message });
      } else nextAt = Math.min(nextAt, lateAt);
    }
  }
  return { steps, ...(nextAt < Infinity && { nextAt }) };
}

/** The groups of pods for which a claim stands that is not released, by {@link groupName}. */
function followedGroups(claims: readonly KubeObject[]): Set<string> {
  const groups = new Set<string>();
  for (const lease of claims) {
    const claim = readClaim(lease);
    if (!claim || claim.released) continue;
    const label = lease.metadata.labels?.[Label.clusterBinding];
    const plain = claimName('');
    if (label !== undefined) groups.add(groupName(claim.namespace, label));
    else if (claim.name.startsWith(plain)) {
      groups.add(groupName(claim.namespace, labelValue(claim.name.slice(plain.length))));
    }
  }
  return groups;
}
