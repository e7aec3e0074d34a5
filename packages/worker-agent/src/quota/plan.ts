/**
 * The ResourceQuota that bounds how many pods may be in a mount namespace. It is a dam against a flood, not the measure
 * of a lease (docs/decisions/0012): twice what is lent, so that it never stands in the way of what a record allows, also
 * while as many pods end as come. Pure.
 */
import { ChartName, Label, ManagedByValue } from '@kubeocean/shared/api';
import type { KubeObject } from '@kubeocean/shared/kube';
import { type DesiredRecord, hasEnded, type PodForRequests } from '@kubeocean/shared/lease';

export interface Quota extends KubeObject {
  spec: { hard?: Record<string, string>; [field: string]: unknown };
}

export type QuotaWrite =
  | { kind: 'create'; quota: Quota }
  | { kind: 'patch'; quota: Quota; hard: Record<string, string> };

/** Rounded up to this many, so that it is written seldom. */
const Step = 50;

/** How many pods that have not ended each namespace may have: nothing lent and nothing there = none. */
export function podBounds(
  namespaces: readonly string[],
  open: readonly DesiredRecord[],
  pods: Iterable<PodForRequests>,
): Map<string, number> {
  const bounds = new Map(namespaces.map((namespace) => [namespace, 0]));
  for (const { namespace, status } of open) {
    if (status.phase === 'Active') add(bounds, namespace, 2 * Number(status.ceiling?.['pods'] ?? 0));
  }
  // Also those of leases that close: they stay, and count.
  for (const pod of pods) if (!hasEnded(pod)) add(bounds, pod.metadata.namespace ?? '', 1);
  return new Map([...bounds].map(([namespace, count]) => [namespace, Math.ceil(count / Step) * Step]));
}

function add(bounds: Map<string, number>, namespace: string, count: number): void {
  const before = bounds.get(namespace);
  if (before !== undefined) bounds.set(namespace, before + count);
}

/** The writes that make each namespace's quota say so; none where it does. */
export function planQuotas(
  bounds: ReadonlyMap<string, number>,
  existing: (namespace: string) => Quota | undefined,
): QuotaWrite[] {
  return [...bounds].flatMap(([namespace, count]): QuotaWrite[] => {
    const hard = { pods: String(count) };
    const quota = existing(namespace);
    if (!quota) {
      const metadata = { namespace, name: ChartName.leaseGuard, labels: { [Label.managedBy]: ManagedByValue } };
      return [{ kind: 'create', quota: { metadata, spec: { hard } } }];
    }
    return quota.spec.hard?.['pods'] === hard.pods ? [] : [{ kind: 'patch', quota, hard }];
  });
}
