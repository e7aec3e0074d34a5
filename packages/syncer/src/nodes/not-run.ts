/**
 * Pods that home has bound to a vnode and that are not run there (DaemonSets, system namespaces). The scheduler counts
 * what they ask for all the same, so the vnode shows that much more than is lent: what is free stays what is lent. Pure.
 */
import { PodCondition } from '@kubeocean/shared/api';
import type { Condition, KubeObject } from '@kubeocean/shared/kube';
import { accumulate, type PodForRequests, podRequests, type Quantity } from '@kubeocean/shared/lease';
import { isTerminal } from '../pods/types.ts';

/** Whether the pod is one that is not run, and still counted by the scheduler. */
export function isNotRun(pod: KubeObject | undefined): boolean {
  if (!pod || isTerminal(pod)) return false;
  const { conditions = [] } = (pod['status'] ?? {}) as { conditions?: Condition[] };
  return conditions.some(({ type, status }) => type === PodCondition.notRun && status === 'True');
}

/** What the pods among these that are not run ask for together. */
export function notRunRequests(pods: Iterable<KubeObject>): Map<string, Quantity> {
  const total = new Map<string, Quantity>();
  for (const pod of pods) if (isNotRun(pod)) accumulate(total, podRequests(pod as PodForRequests));
  return total;
}
