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

/** Most copies, those of tokens, have one holder: a set for each would take more than all the rest of it. */
type KeysByCopy = Map<string, string | Set<string>>;

function keysOf(map: KeysByCopy, copy: string): string[] {
  const held = map.get(copy) ?? [];
  return typeof held === 'string' ? [held] : [...held];
}

function add(map: KeysByCopy, copy: string, key: string): void {
  const held = map.get(copy);
  if (held === undefined) map.set(copy, key);
  else if (typeof held !== 'string') held.add(key);
  else if (held !== key) map.set(copy, new Set([held, key]));
}

function remove(map: KeysByCopy, copy: string, key: string): void {
  const held = map.get(copy);
  if (typeof held === 'object') held.delete(key);
  if (held === key || (typeof held === 'object' && held.size === 0)) map.delete(copy);
}

export function createHolders(
  stores: { homePods: ReadonlyStore<KubeObject>; workerPods: ReadonlyStore<KubeObject> },
  bindingUID: string,
  onRelease: (copy: string) => void,
): Holders {
  /** Copy → holders: home keys and worker keys. */
  const home: KeysByCopy = new Map();
  const worker: KeysByCopy = new Map();

  function follow(map: KeysByCopy, copies: (pod: Pod) => string[]) {
    return ({ key, previous, current }: Change<KubeObject>) => {
      // In the life of a pod, only debug containers can refer to more; none is ever taken away.
      if (current && (!previous || debugContainers(previous) !== debugContainers(current))) {
        for (const copy of copies(current as Pod)) add(map, copy, key);
      } else if (previous && !current) {
        for (const copy of copies(previous as Pod)) {
          remove(map, copy, key);
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
    homePods: (copy) => keysOf(home, copy),
    stop() {
      for (const stop of stops) stop();
    },
  };
}
