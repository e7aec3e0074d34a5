/** Emptying a vnode: home pods are asked to go through the Eviction API, so that the users' disruption budgets hold. */
import { Annotation } from '@kubeocean/shared/api';
import { ApiError, isConflict, isNotFound, type KubeObject, Pods } from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';
import { isNotRun } from './not-run.ts';

export interface DrainState {
  /** Home pods that are still there and have to go. */
  homePods: number;
  /** Worker pods of this binding made for the vnode. */
  workerPods: number;
  /** Of the home pods, those that a disruption budget keeps for now. */
  refused: string[];
}

/** Whether a pod on a vnode stands in the way of the vnode's removal. Pure. */
export function mustGo(pod: KubeObject, workerPods: readonly KubeObject[]): boolean {
  if (isNotRun(pod)) return false;
  // A DaemonSet puts its pod back for as long as there is a Node: only one that really runs is waited for.
  const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller);
  if (owner?.kind !== 'DaemonSet') return true;
  return workerPods.some(({ metadata }) => metadata.annotations?.[Annotation.virtualPodUID] === pod.metadata.uid);
}

/**
 * Asks every pod of the vnode to go that has not been asked yet. Call again until nothing is left.
 * @throws ApiError, ConnectionError for anything but a refusal by a disruption budget.
 */
export async function drain(context: SyncerContext, vnode: string): Promise<DrainState> {
  const workerPods = context.stores.workerPods.byIndex('vnode', vnode);
  const pods = context.stores.homePods.byIndex('node', vnode).filter((pod) => mustGo(pod, workerPods));
  const refused: string[] = [];
  for (const pod of pods) {
    if (pod.metadata.deletionTimestamp) continue;
    if (!context.leadership.isCurrent()) break;
    if (!(await evict(context, pod))) refused.push(`${pod.metadata.namespace}/${pod.metadata.name}`);
  }
  return { homePods: pods.length, workerPods: workerPods.length, refused };
}

/**
 * Asks a home pod to go.
 * @returns false when a disruption budget does not allow it now.
 * @throws ApiError, ConnectionError
 */
export async function evict(context: SyncerContext, pod: KubeObject): Promise<boolean> {
  const { name, namespace, uid } = pod.metadata;
  const eviction = {
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { name, ...(namespace && { namespace }) },
    deleteOptions: { preconditions: { uid } },
  };
  try {
    await context.home.create(Pods, eviction, { subresource: 'eviction', retry: false });
    return true;
  } catch (error) {
    if (isNotFound(error) || isConflict(error)) return true;
    if (error instanceof ApiError && error.code === 429) return false;
    throw error;
  }
}

/** Takes the pods of a vnode away at once, for a worker that is given up: nobody is left to end them. */
export async function abandonPods(context: SyncerContext, vnode: string): Promise<number> {
  const pods = context.stores.homePods.byIndex('node', vnode);
  for (const { metadata } of pods) {
    try {
      await context.home.delete(Pods, metadata.namespace ?? '', metadata.name, {
        gracePeriodSeconds: 0,
        ...(metadata.uid && { uid: metadata.uid }),
      });
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
  }
  return pods.length;
}
