/** What the parts of the pod controller share: the context, and small memories that only save work, never decide. */
import { workerName } from '@kubeocean/shared/api';
import { type KubeObject, keyOf } from '@kubeocean/shared/kube';
import { podRequests } from '@kubeocean/shared/lease';
import type { SyncerContext } from '../context.ts';
import type { Dependents } from '../dependents/index.ts';
import type { Repairs } from '../repairs.ts';
import type { PodVolumes } from '../volumes/index.ts';
import type { DeletionGuard } from './ending/deletion-guard.ts';
import type { HomeNetwork } from './translation/home-network.ts';
import type { NetworkPolicyWatch } from './events/network-policies.ts';
import type { PodPhases } from './phases.ts';
import type { Room, Taken } from './placement/room.ts';
import type { ServiceAddresses } from './translation/service-addresses.ts';
import { isTerminal, type Pod } from './types.ts';

/** A watch that has not told of a pod by then will not. Milliseconds. */
const BELIEVED_MS = 30_000;

export interface PodState {
  context: SyncerContext;
  dependents: Dependents;
  volumes: PodVolumes;
  guard: DeletionGuard;
  network: () => Promise<HomeNetwork>;
  networkPolicies: NetworkPolicyWatch;
  services: ServiceAddresses;
  /** Beginnings of labels and annotations that the worker's owner lets home's pods bring along. */
  carriedPrefixes: () => readonly string[];
  phases: PodPhases;
  repairs: Repairs;
  /** UIDs of home pods that were let onto their node; they count there from that moment on. */
  admitted: Set<string>;
  /** What the pods of each vnode take; told of every change of what is here. */
  room: Room;
  /** Until when the worker is believed to keep a field that isolates pods, by its name. Milliseconds, monotonic. */
  kept: Map<string, number>;
  /** Worker pods as the API server gave them back, until the watch tells of them. */
  created: Map<string, { pod: Pod; until: number }>;
  /**
   * By UID of the worker pod, with how much grace it was deleted (undefined: its own), and until when the watch may not have
   * told of that. Seconds; milliseconds, monotonic.
   */
  deleted: Map<string, { seconds: number | undefined; until: number }>;
  /** UIDs of worker pods whose finalizer is off already. */
  released: Set<string>;
}

/** Key of the worker pod that stands for the home pod `namespace/name`. */
export function workerKeyOf(context: SyncerContext, namespace: string, name: string): string {
  return `${context.mountNamespace}/${workerName(context.bindingUID, namespace, name)}`;
}

/** The counterpart by name, as last known. */
export function workerOf(state: Pick<PodState, 'context' | 'created'>, home: KubeObject): Pod | undefined {
  const stored = storedWorkerOf(state, home);
  if (stored) return stored;
  const { namespace = '', name } = home.metadata;
  const key = workerKeyOf(state.context, namespace, name);
  const created = state.created.get(key);
  if (created && created.until > performance.now()) return created.pod;
  state.created.delete(key);
  return undefined;
}

/** The worker pod as it is known by now: its cluster may have been slow to answer, and the watch has told more meanwhile. */
export function workerByNow(state: Pick<PodState, 'context' | 'created'>, home: KubeObject, worker: Pod): Pod {
  const known = workerOf(state, home);
  return known && known.metadata.uid === worker.metadata.uid ? known : worker;
}

/** As the watch has it. */
function storedWorkerOf({ context }: Pick<PodState, 'context'>, { metadata }: KubeObject): Pod | undefined {
  const { workerPods } = context.stores;
  const { namespace = '', name } = metadata;
  const stored = workerPods.get(workerKeyOf(context, namespace, name));
  return (stored ?? workerPods.byIndex('adopted', `${namespace}/${name}`)[0]) as Pod | undefined;
}

/**
 * Remembers a worker pod of `home` that the watch may not have told of yet, or by which it is not found: one that was adopted
 * and says by now that it is another's.
 */
export function rememberCreated(state: PodState, home: Pod, pod: Pod): void {
  if (storedWorkerOf(state, home)) return;
  // By our own name, also one that bears another.
  const key = workerKeyOf(state.context, home.metadata.namespace ?? '', home.metadata.name);
  state.created.set(key, { pod, until: performance.now() + BELIEVED_MS });
  state.room.changed(keyOf(home));
}

/**
 * What a home pod takes of its vnode: it was let in or runs, and has not finished. That is what its worker pod has: a
 * resize may be waiting for room.
 */
export function takenBy(state: Omit<PodState, 'room'>, homeKey: string): Taken | undefined {
  const home = state.context.stores.homePods.get(homeKey) as Pod | undefined;
  if (!home || isTerminal(home)) return undefined;
  const worker = workerOf(state, home);
  const counts = worker ? !isTerminal(worker) : state.admitted.has(home.metadata.uid ?? '');
  if (!counts) return undefined;
  const requests = podRequests(worker ?? home);
  return { vnode: home.spec.nodeName ?? '', requests, revision: worker?.metadata.resourceVersion };
}
