/** What the parts of the pod controller share: the context, and small memories that only save work, never decide. */
import { workerName } from '@kubeocean/shared/api';
import { type KubeObject, keyOf, type ReadonlyStore } from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';
import type { Dependents } from '../dependents/index.ts';
import type { Repairs } from '../repairs.ts';
import type { PodVolumes } from '../volumes/index.ts';
import type { DeletionGuard } from './deletion-guard.ts';
import type { HomeNetwork } from './home-network.ts';
import type { PodPhases } from './phases.ts';
import { isTerminal, type Pod } from './types.ts';

/** A watch that has not told of a pod by then will not. Milliseconds. */
const BELIEVED_MS = 30_000;

export interface PodState {
  context: SyncerContext;
  dependents: Dependents;
  volumes: PodVolumes;
  guard: DeletionGuard;
  network: () => Promise<HomeNetwork>;
  /** Services of home; index `namespace`. */
  services: ReadonlyStore<KubeObject>;
  /** Beginnings of labels and annotations that the worker's owner lets home's pods bring along. */
  carriedPrefixes: () => readonly string[];
  phases: PodPhases;
  repairs: Repairs;
  /** UIDs of home pods that were let onto their node; they count there from that moment on. */
  admitted: Set<string>;
  /** Worker pods as the API server gave them back, until the watch tells of them. */
  created: Map<string, { pod: Pod; until: number }>;
  /** UIDs of worker pods whose finalizer is off already. */
  released: Set<string>;
  /** UIDs of orphans in the worker that were deleted; the watch may not have told of it yet. */
  orphans: Set<string>;
}

/** Key of the worker pod that stands for the home pod `namespace/name`. */
export function workerKeyOf(context: SyncerContext, namespace: string, name: string): string {
  return `${context.mountNamespace}/${workerName(context.bindingUID, namespace, name)}`;
}

/** The counterpart by name, as last known. */
export function workerOf(state: PodState, home: KubeObject): Pod | undefined {
  const key = workerKeyOf(state.context, home.metadata.namespace ?? '', home.metadata.name);
  const stored = state.context.stores.workerPods.get(key) as Pod | undefined;
  if (stored) return stored;
  const created = state.created.get(key);
  if (created && created.until > performance.now()) return created.pod;
  state.created.delete(key);
  return undefined;
}

/** Remembers a worker pod that the watch may not have told of yet. */
export function rememberCreated(state: PodState, pod: Pod): void {
  const key = keyOf(pod);
  if (state.context.stores.workerPods.has(key)) return;
  state.created.set(key, { pod, until: performance.now() + BELIEVED_MS });
}

/** Home pods that take room on the vnode: let in or running, and not finished. */
export function podsOn(state: PodState, vnode: string, except: string | undefined): Pod[] {
  return (state.context.stores.homePods.byIndex('node', vnode) as Pod[]).filter((pod) => {
    if (pod.metadata.uid === except || isTerminal(pod)) return false;
    const worker = workerOf(state, pod);
    return worker ? !isTerminal(worker) : state.admitted.has(pod.metadata.uid ?? '');
  });
}
