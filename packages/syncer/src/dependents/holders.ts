/**
 * Who needs which copy: home pods by what they refer to, worker pods by what stands in their spec until they have ended. A
 * copy without a holder goes. Kept from the stores alone, so a restart knows as much as before.
 */
import { tokenSecretName, workerName } from '@kubeocean/shared/api';
import { type Change, keyOf, type KubeObject, type ReadonlyStore } from '@kubeocean/shared/kube';
import { isTerminal, type Pod } from '../pods/types.ts';
import { copiesOf, referencesOf } from './references.ts';

export interface Holders {
  /** True when any pod of either side needs the copy `kind/name`. */
  isHeld(copy: string): boolean;
  /** True when a worker pod that has not ended has it in its spec. */
  isInUse(copy: string): boolean;
  /** Keys of the home pods that refer to it. */
  homePods(copy: string): string[];
  stop(): void;
}

/**
 * Names of the copies, `kind/name`, that the worker pod of this home pod needs. One that has ended needs no tokens any more, and
 * of these there is a Secret for each pod; what it shares with others stays, for its successor.
 */
function copiesFor(home: Pod, bindingUID: string): string[] {
  const { namespace = '', name, uid = '' } = home.metadata;
  const { objects, tokens } = referencesOf(home);
  const copies = objects.map((each) => `${each.kind}/${workerName(bindingUID, namespace, each.name, each.kind)}`);
  if (tokens.length > 0 && !isTerminal(home))
    copies.push(`secret/${tokenSecretName(bindingUID, namespace, name, uid)}`);
  return copies;
}

/** In the life of a pod, only debug containers can refer to more, of which none is ever taken away; its end frees what it had. */
function needsTheSame(before: Pod, after: Pod): boolean {
  return debugContainers(before) === debugContainers(after) && isTerminal(before) === isTerminal(after);
}

function debugContainers({ spec }: Pod): number {
  return spec.ephemeralContainers?.length ?? 0;
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
      if (previous && current && needsTheSame(previous as Pod, current as Pod)) return;
      const needed = new Set(current && copies(current as Pod));
      for (const copy of needed) add(map, copy, key);
      for (const copy of previous ? copies(previous as Pod) : []) {
        if (needed.has(copy)) continue;
        remove(map, copy, key);
        if (!home.has(copy) && !worker.has(copy)) onRelease(copy);
      }
    };
  }

  const followHome = follow(home, (pod) => copiesFor(pod, bindingUID));
  const followWorker = follow(worker, (pod) => (isTerminal(pod) ? [] : copiesOf(pod)));
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
