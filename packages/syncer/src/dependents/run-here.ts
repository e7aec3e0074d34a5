/**
 * Which home pods may have copies in the worker. What the worker says that it has or needs is no reason: whoever administers
 * it can make pods and copies that look like ours, and would be sent whatever home Secret they name.
 */
import { Label } from '@kubeocean/shared/api';
import type { SyncerContext } from '../context.ts';
import { namespaceLabels } from '../namespaces.ts';
import { notRunReason } from '../pods/placement/eligibility.ts';
import { wasShown } from '../pods/status/to-home.ts';
import { isTerminal, type Pod } from '../pods/types.ts';

type Facts = Pick<SyncerContext, 'binding' | 'bindingUID' | 'home' | 'stores'>;

/**
 * Whether one of these pods of a namespace runs in this binding's worker, or is to. Home alone is asked.
 * @throws ApiError, ConnectionError
 */
export async function isOneRunHere(facts: Facts, namespace: string, pods: readonly Pod[]): Promise<boolean> {
  const here = pods.filter((pod) => !isTerminal(pod) && isOnOurVnode(facts, pod));
  if (here.some(wasShown)) return true;
  if (here.length === 0) return false;
  const binding = facts.binding();
  const labels = binding.spec.namespaceSelector ? await namespaceLabels(facts.home, namespace) : undefined;
  return here.some((pod) => notRunReason(pod, binding, labels) === undefined);
}

/** A node's name alone may be another binding's. */
function isOnOurVnode({ bindingUID, stores }: Facts, { spec }: Pod): boolean {
  return stores.vnodes.get(spec.nodeName ?? '')?.metadata.labels?.[Label.bindingUID] === bindingUID;
}
