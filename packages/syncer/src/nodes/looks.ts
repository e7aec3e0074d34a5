/** What a vnode and its record show at a glance. Pure. */
import { Label, type LeasedNode, type Taint } from '@kubeocean/shared/api';
import type { KubeObject } from '@kubeocean/shared/kube';

export function isOpen(record: LeasedNode): boolean {
  return record.status?.phase === 'Active' || record.status?.phase === 'Closing';
}

export function hasTaint(vnode: KubeObject, key: string): boolean {
  const { taints = [] } = (vnode['spec'] ?? {}) as { taints?: Taint[] };
  return taints.some((taint) => taint.key === key);
}

/** UID of the binding whose vnode it says to be. Somebody may take that off: then it is nobody's until it is put back. */
export function bindingOf(vnode: KubeObject | undefined): string | undefined {
  return vnode?.metadata.labels?.[Label.bindingUID];
}
