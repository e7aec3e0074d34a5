/** Whether a vnode is on its way out, so that no pod begins there any more. Pure. */
import { type ClusterBinding, type LeasedNode, PodReason, TaintKey } from '@kubeocean/shared/api';
import type { KubeObject } from '@kubeocean/shared/kube';
import { hasTaint, isOpen } from './looks.ts';

/** The record closed, and nothing has revoked that since: the taint outlives the record. */
export function isBeingDrained(vnode: KubeObject, record: LeasedNode | undefined): boolean {
  return hasTaint(vnode, TaintKey.vnodeDeleting) && !(record && isOpen(record));
}

/**
 * Why a pod that was never run does not begin on the vnode. Otherwise what tolerates every taint would come back after
 * each eviction, and the vnode would never be empty.
 * @param vnode as it is known; undefined: nothing is known of it
 */
export function leavingReason(
  binding: ClusterBinding,
  vnode: KubeObject | undefined,
  record: LeasedNode | undefined,
): { reason: string; message: string } | undefined {
  const reason = PodReason.leaseClosed;
  if (binding.metadata.deletionTimestamp) {
    const message = `the ClusterBinding ${binding.metadata.name} is being deleted, and its vnodes take no new pods`;
    return { reason, message };
  }
  if (!vnode || !isBeingDrained(vnode, record)) return undefined;
  return { reason, message: `the vnode ${vnode.metadata.name} is being removed and takes no new pods` };
}
