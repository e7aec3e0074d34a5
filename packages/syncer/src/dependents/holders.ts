/**
 * Who needs which copy: home pods by what they refer to, worker pods by what stands in their spec. A copy without a
 * holder goes. Kept from the stores alone, so a restart knows as much as before.
 */
import { tokenSecretName, workerName } from '@kubeocean/shared/api';
import { type Change, keyOf, type KubeObject, type ReadonlyStore } from '@kubeocean/shared/kube';
import type { Pod } from '../pods/types.ts';
import { copiesOf, referencesOf } from './references.ts';

export interface Holders {
  /** True when any pod of either side needs the copy `kind/name`. */
  isHeld(copy: string): boolean;
  /** True when a worker pod has it in its spec. */
  isInUse(copy: string): boolean;
  /** Keys of the home pods that refer to it. */
  homePods(copy: string): string[];
  stop(): void;
}

/** Names of the copies, `kind/name`, that the worker pod of this home pod needs. */
export function copiesFor(home: Pod, bindingUID: string): string[] {
  const { namespace = '', name, uid = '' } = home.metadata;
  const { objects, tokens } = referencesOf(home);
  const copies = objects.map((each) => `${each.kind}/${workerName(bindingUID, namespace, each.name, each.kind)}`);
  if (tokens.length > 0) copies.push(`secret/${tokenSecretName(bindingUID, namespace, name, uid)}`);
  return copies;
}

function debugContainers(pod: KubeObject): number {
  return (pod as Pod).spec.ephemeralContainers?.length ?? 0;
}

export function createHolders(
  stores: { homePods: ReadonlyStore<KubeObject>; workerPods: ReadonlyStore<KubeObject> },
  bindingUID: string,
  onRelease: (copy: string) => void,
): Holders {
  /** Copy → holders: home keys and worker keys. */
  const home = new Map<string, Set<string>>();
  const worker = new Map<string, Set<string>>();

  function follow(map: Map<string, Set<string>>, copies: (pod: Pod) => string[]) {
    return ({ key, previous, current }: Change<KubeObject>) => {
      // In the life of a pod, only debug containers can refer to more; none is ever taken away.
      if (current && (!previous || debugContainers(previous) !== debugContainers(current))) {
        for (const copy of copies(current as Pod)) {
          const holders = map.get(copy);
          if (holders) holders.add(key);
          else map.set(copy, new Set([key]));
        }
      } else if (previous && !current) {
        for (const copy of copies(previous as Pod)) {
          const holders = map.get(copy);
          holders?.delete(key);
          if (holders?.size === 0) map.delete(copy);
          if (!home.has(copy) && !worker.has(copy)) onRelease(copy);
        }
      }
    };
  }

  const followHome = follow(home, (pod) => copiesFor(pod, bindingUID));
  const followWorker = follow(worker, copiesOf);
  for (const pod of stores.homePods.values()) followHome({ key: keyOf(pod), previous: undefined, current: pod });
  for (const pod of stores.workerPods.values()) followWorker({ key: keyOf(pod), previous: undefined, current: pod });
  const stops = [stores.homePods.onChange(followHome), stores.workerPods.onChange(followWorker)];

  return {
    isHeld: (copy) => home.has(copy) || worker.has(copy),
    isInUse: (copy) => worker.has(copy),
    homePods: (copy) => [...(home.get(copy) ?? [])],
    stop() {
      for (const stop of stops) stop();
    },
  };
}
