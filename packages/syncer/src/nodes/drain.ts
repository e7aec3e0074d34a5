/** Emptying a vnode: home pods are asked to go through the Eviction API, so that the users' disruption budgets hold. */
import { Annotation } from '@kubeocean/shared/api';
import {
  ApiError,
  type EventSubject,
  isConflict,
  isNotFound,
  type KubeObject,
  messageOf,
  Pods,
} from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';
import { isTerminal, type Pod, podSubject } from '../pods/types.ts';
import { isNotRun } from './not-run.ts';

export interface DrainState {
  /** Home pods that are still there and have to go. */
  homePods: number;
  /** Worker pods of this binding made for the vnode. */
  workerPods: number;
  /** Of the home pods, those that a disruption budget keeps for now. */
  refused: string[];
  /** When each of these was asked to go last, by UID. */
  refusedAt: RefusedAt;
}

/** Monotonic, in milliseconds. */
type RefusedAt = ReadonlyMap<string, number>;

/**
 * So long a pod that a disruption budget keeps is not asked again, whatever happens around it: each pod of a vnode that goes
 * is a reason to look at all the others. A little less than the time until the next look. Milliseconds.
 */
export const REFUSED_MS = 4900;

/** Whether a pod on a vnode stands in the way of the vnode's removal. Pure. */
export function mustGo(pod: KubeObject, workerPods: readonly KubeObject[]): boolean {
  if (isNotRun(pod)) return false;
  // A DaemonSet puts its pod back for as long as there is a Node: only one that really runs is waited for.
  const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller);
  if (owner?.kind !== 'DaemonSet') return true;
  return workerPods.some(({ metadata }) => metadata.annotations?.[Annotation.virtualPodUID] === pod.metadata.uid);
}

/** What kept pods from being asked to go. */
export class NotAsked extends Error {
  constructor(failures: readonly { pod: string; cause: unknown }[]) {
    const [first] = failures;
    const others = failures.length > 1 ? ` (and ${failures.length - 1} others)` : '';
    super(`the pod ${first?.pod}${others} cannot be made to go: ${messageOf(first?.cause)}`, { cause: first?.cause });
    this.name = 'NotAsked';
  }
}

/**
 * Does it to every pod, whatever becomes of the others, and tells each one that it fails for why. A home that does not
 * answer is not asked for each of them.
 * @throws NotAsked, ConnectionError
 */
async function forEachPod(
  context: SyncerContext,
  pods: readonly KubeObject[],
  ask: (pod: KubeObject) => Promise<void>,
): Promise<void> {
  const failures: { pod: string; cause: unknown }[] = [];
  for (const pod of pods) {
    if (!context.leadership.isCurrent()) break;
    try {
      await ask(pod);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      failures.push({ pod: nameOf(pod), cause: error });
      tellNotAsked(context, pod, error);
    }
  }
  if (failures.length > 0) throw new NotAsked(failures);
}

/** Says on the pod, and on its vnode, what keeps it from being asked to go. */
export function tellNotAsked(context: SyncerContext, pod: KubeObject, error: unknown): void {
  const { nodeName = '' } = (pod['spec'] ?? {}) as { nodeName?: string };
  const text = `has to leave the vnode ${nodeName}, but cannot be made to go and is asked again: ${messageOf(error)}`;
  context.homeEvents.event(podSubject(pod), 'Warning', 'EvictionFailed', text);
  const onVnode = `the pod ${nameOf(pod)} cannot be made to go and is asked again: ${messageOf(error)}`;
  const vnode = context.stores.vnodes.get(nodeName) ?? { metadata: { name: nodeName } };
  context.homeEvents.event(vnodeSubject(vnode), 'Warning', 'EvictionFailed', onVnode);
}

/** A vnode as the subject of an event: `kubectl describe node` finds events by the UID. */
export function vnodeSubject({ metadata: { name, uid } }: KubeObject): EventSubject {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, ...(uid && { uid }) } };
}

function nameOf({ metadata }: KubeObject): string {
  return `${metadata.namespace}/${metadata.name}`;
}

/**
 * Asks every pod of the vnode to go that has not been asked yet. Call again until nothing is left.
 * @param before what the last call gave back as `refusedAt`
 * @param clock milliseconds, monotonic
 * @throws NotAsked for anything but a refusal by a disruption budget, when every pod has been asked; ConnectionError
 */
export async function drain(
  context: SyncerContext,
  vnode: string,
  before: RefusedAt = new Map(),
  clock: () => number = () => performance.now(),
): Promise<DrainState> {
  const workerPods = context.stores.workerPods.byIndex('vnode', vnode);
  const pods = context.stores.homePods.byIndex('node', vnode).filter((pod) => mustGo(pod, workerPods));
  const refused: string[] = [];
  const refusedAt = new Map<string, number>();
  const unasked = pods.filter(({ metadata }) => !metadata.deletionTimestamp);
  await forEachPod(context, unasked, async (pod) => {
    const { uid = '' } = pod.metadata;
    const last = before.get(uid);
    const at = last !== undefined && clock() - last < REFUSED_MS ? last : undefined;
    if (at === undefined && (await evict(context, pod))) return;
    refused.push(nameOf(pod));
    refusedAt.set(uid, at ?? clock());
  });
  // One that has ended, such as one refused here, holds nothing up: others may take its place for ever.
  const homePods = pods.filter((pod) => !isTerminal(pod as Pod)).length;
  return { homePods, workerPods: workerPods.length, refused, refusedAt };
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

/**
 * Takes the pods of a vnode away at once, for a worker that is given up: nobody is left to end them.
 * @throws NotAsked, ConnectionError
 */
export async function abandonPods(context: SyncerContext, vnode: string): Promise<void> {
  await forEachPod(context, context.stores.homePods.byIndex('node', vnode), async ({ metadata }) => {
    try {
      await context.home.delete(Pods, metadata.namespace ?? '', metadata.name, {
        gracePeriodSeconds: 0,
        ...(metadata.uid && { uid: metadata.uid }),
      });
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
  });
}
