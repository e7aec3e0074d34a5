/**
 * Vnodes that home has not heard of for long: their Leases lapsed, since no syncer ran or the binding asks for it while the
 * worker cannot be reached. Home's node controller then takes `Ready` off their pods (MarkPodsNotReady), once. Pure.
 */
import type { Condition, KubeObject } from '@kubeocean/shared/kube';

export function isUnheard(vnode: KubeObject | undefined): boolean {
  const { conditions = [] } = (vnode?.['status'] ?? {}) as { conditions?: Condition[] };
  return conditions.some(({ type, status }) => type === 'Ready' && status === 'Unknown');
}
