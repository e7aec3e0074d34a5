/** Which home pods run in a worker, and whether a vnode may take them: what a kubelet checks before it starts a pod. Pure. */
import { Annotation, type ClusterBinding, type LeasedNode, PodReason, SystemNamespaces } from '@kubeocean/shared/api';
import { formatQuantity, matchesLabels, parseResources, type Quantity, Zero } from '@kubeocean/shared/lease';
import { isDaemon, type Pod } from '../types.ts';

/** Why something is not done, in words for the home pod. */
export interface Reason {
  reason: string;
  message: string;
}

/**
 * Why the pod is not run on a vnode at all; undefined when it is. Such a pod stays Pending: failed, its DaemonSet would
 * make it again for ever.
 */
export function notRunReason(
  pod: Pod,
  binding: ClusterBinding,
  namespaceLabels: Record<string, string> | undefined,
): Reason | undefined {
  const { namespace = '', annotations } = pod.metadata;
  if (SystemNamespaces.includes(namespace)) {
    return {
      reason: 'SystemNamespace',
      message: `pods of the namespace ${namespace} serve this cluster's own nodes and are not run on vnodes`,
    };
  }
  const optedIn = binding.spec.runningDaemonsetByDefault || annotations?.[Annotation.runningDaemonset] === 'true';
  if (isDaemon(pod) && !optedIn) {
    return {
      reason: 'DaemonSet',
      message: `pods of DaemonSets are not run on vnodes; to run this one, annotate its pod template with ${Annotation.runningDaemonset}: "true"`,
    };
  }
  const { namespaceSelector } = binding.spec;
  if (namespaceSelector && !matchesLabels(namespaceSelector, namespaceLabels ?? {})) {
    return {
      reason: 'NamespaceNotSelected',
      message: `the ClusterBinding ${binding.metadata.name} does not admit pods of the namespace ${namespace} (spec.namespaceSelector)`,
    };
  }
  return undefined;
}

/** Why the lease of the pod's node takes no new pod: it is ending or over. Undefined when it is Active, or not known. */
export function leaseRefusal(record: LeasedNode): Reason | undefined {
  const { phase, reason, message, window } = record.status ?? {};
  if (phase !== 'Closing' && phase !== 'Closed') return undefined;
  const why = message ?? reason;
  // The agent's own words name the next window, where that opens it again: what the owner takes back waits for a word.
  const opens = message === undefined && window?.opensAt ? `; it opens again at ${window.opensAt}` : '';
  return {
    reason: PodReason.leaseClosed,
    message: `the lease of the worker node ${record.spec.nodeName} is ${phase}${why ? ` (${why})` : ''} and takes no new pods${opens}`,
  };
}

/**
 * Why the pod does not fit beside the others into what is lent (kubelet's admission: predicates GeneralPredicates,
 * reason `OutOf<resource>`). A vnode's pods may name it directly, past the scheduler.
 * @param requests what the pod asks for, with `pods: 1`
 * @param used what all pods that the node has taken already request
 */
export function misfit(
  requests: ReadonlyMap<string, Quantity>,
  used: ReadonlyMap<string, Quantity>,
  allocatable: Record<string, string> | undefined,
): Reason | undefined {
  const lent = parseResources(allocatable);
  for (const [resource, asked] of requests) {
    if (asked.nanos <= 0n) continue;
    const taken = used.get(resource) ?? Zero;
    const capacity = lent.get(resource) ?? Zero;
    if (taken.nanos + asked.nanos <= capacity.nanos) continue;
    return {
      reason: `OutOf${resource}`,
      message: `the vnode has not enough ${resource}: requested ${formatQuantity(asked)}, used ${formatQuantity(taken)}, lent ${formatQuantity(capacity)}`,
    };
  }
  return undefined;
}
