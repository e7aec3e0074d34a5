/** What a vnode and its record show at a glance. Pure. */
import type { LeasedNode, Taint } from '@kubeocean/shared/api';
import type { KubeObject } from '@kubeocean/shared/kube';

export function isOpen(record: LeasedNode): boolean {
  return record.status?.phase === 'Active' || record.status?.phase === 'Closing';
}

export function hasTaint(vnode: KubeObject, key: string): boolean {
  const { taints = [] } = (vnode['spec'] ?? {}) as { taints?: Taint[] };
  return taints.some((taint) => taint.key === key);
}
