/** What each mount namespace's LeaseGuard must say: the nodes that are open for new pods, and for whom. Pure. */
import { ChartName, Label, type LeaseGuard, ManagedByValue } from '@kubeocean/shared/api';
import { type Json, replacePatch } from '@kubeocean/shared/kube';
import type { DesiredRecord } from '@kubeocean/shared/lease';

export type GuardWrite = { kind: 'create'; guard: LeaseGuard } | { kind: 'patch'; guard: LeaseGuard; patch: Json };

/** By node with an Active record, the labels of the bindings it is open for; sorted, so that equal ones are equal. */
export function openNodes(open: readonly DesiredRecord[], namespace: string): LeaseGuard['spec']['open'] {
  const byNode = new Map<string, string[]>();
  for (const { namespace: where, labels, spec, status } of open) {
    const binding = labels[Label.clusterBinding];
    if (where !== namespace || status.phase !== 'Active' || binding === undefined) continue;
    const bindings = byNode.get(spec.nodeName);
    if (bindings) bindings.push(binding);
    else byNode.set(spec.nodeName, [binding]);
  }
  for (const bindings of byNode.values()) bindings.sort();
  return Object.fromEntries(byNode);
}

/**
 * The writes that make every namespace's LeaseGuard say just what is open; none where it does. It exists also while
 * nothing is lent: without it nobody could change a pod there, and the policy could not say what is wrong with a new one.
 */
export function planGuards(
  namespaces: readonly string[],
  open: readonly DesiredRecord[],
  existing: (namespace: string) => LeaseGuard | undefined,
): GuardWrite[] {
  const byNamespace = Map.groupBy(open, ({ namespace }) => namespace);
  return namespaces.flatMap((namespace): GuardWrite[] => {
    const spec = { open: openNodes(byNamespace.get(namespace) ?? [], namespace) };
    const guard = existing(namespace);
    if (!guard) {
      const labels = { [Label.managedBy]: ManagedByValue };
      return [{ kind: 'create', guard: { metadata: { namespace, name: ChartName.leaseGuard, labels }, spec } }];
    }
    const patch = replacePatch(guard.spec, spec);
    return patch ? [{ kind: 'patch', guard, patch: { spec: patch } }] : [];
  });
}
