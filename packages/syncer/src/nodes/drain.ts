/** Emptying a vnode: home pods are asked to go through the Eviction API, so that the users' disruption budgets hold. */
import { Annotation } from '@kubeocean/shared/api';
import {
  ApiError,
  type EventSubject,
  isConflict,
  isNotFound,
  keyOf,
  type KubeObject,
  messageOf,
  Pods,
} from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';
import { isDaemon, isTerminal, podSubject } from '../pods/types.ts';
import { isNotRun } from './not-run.ts';

export interface DrainState {
  /** Home pods that are still there and have to go. */
  homePods: number;
  /** Worker pods of this binding made for the vnode. */
  workerPods: number;
  /** Of the home pods, those that a disruption budget keeps for now, with the budget's words. */
  refused: string[];
  /** How each of these was refused last, by UID. */
  refusals: Refusals;
}

/** `at` in milliseconds, monotonic. */
type Refusals = ReadonlyMap<string, { why: string; at: number }>;

/**
 * So long a pod that a disruption budget keeps is not asked again, whatever happens around it: each pod of a vnode that goes
 * is a reason to look at all the others. A little less than the time until the next look. Milliseconds.
 */
export const REFUSED_MS = 4900;

/** Whether a pod on a vnode stands in the way of the vnode's removal. Pure. */
export function mustGo(pod: KubeObject, workerPods: readonly KubeObject[]): boolean {
  if (isNotRun(pod)) return false;
  // A DaemonSet puts its pod back for as long as there is a Node: only one that really runs is waited for.
  if (!isDaemon(pod)) return true;
  return workerPods.some(({ metadata }) => metadata.annotations?.[Annotation.virtualPodUID] === pod.metadata.uid);
}

/** What kept pods from being asked to go. */
class NotAsked extends Error {
  constructor(failures: readonly { pod: string; cause: unknown }[]) {
    const [first] = failures;
    const others = failures.length > 1 ? ` (and ${failures.length - 1} more)` : '';
    super(`the pod ${first?.pod}${others} cannot be made to go: ${messageOf(first?.cause)}`, { cause: first?.cause });
    this.name = 'NotAsked';
  }
}

/**
 * Does it to every pod, whatever becomes of the others, and tells each one that it fails for why. A home that does not
 * answer, or has too much to do, is not asked for each of them.
 * @throws NotAsked; ConnectionError, ApiError 429
 */
async function forEachPod(
  context: SyncerContext,
  pods: readonly KubeObject[],
  ask: (pod: KubeObject) => Promise<void>,
  mayStillGo: () => boolean = () => true,
): Promise<void> {
  const failures: { pod: string; cause: unknown }[] = [];
  for (const pod of pods) {
    if (!context.leadership.isCurrent() || !mayStillGo()) break;
    try {
      await ask(pod);
    } catch (error) {
      if (!isOfPod(error)) throw error;
      failures.push({ pod: keyOf(pod), cause: error });
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
  const onVnode = `the pod ${keyOf(pod)} cannot be made to go and is asked again: ${messageOf(error)}`;
  const vnode = context.stores.vnodes.get(nodeName) ?? { metadata: { name: nodeName } };
  context.homeEvents.event(vnodeSubject(vnode), 'Warning', 'EvictionFailed', onVnode);
}

/** A vnode as the subject of an event: `kubectl describe node` finds events by the UID. */
export function vnodeSubject({ metadata: { name, uid } }: KubeObject): EventSubject {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, ...(uid && { uid }) } };
}

/**
 * Asks every pod of the vnode to go that has not been asked yet. Call again until nothing is left.
 * @param before what the last call gave back as `refusals`
 * @param clock milliseconds, monotonic
 * @param mayStillGo asked before each pod: the lease may be open again meanwhile
 * @throws NotAsked for anything but a refusal by a disruption budget, when every pod has been asked; ConnectionError; ApiError 429
 * of a server that has too much to do
 */
export async function drain(
  context: SyncerContext,
  vnode: string,
  before: Refusals = new Map(),
  clock: () => number = () => performance.now(),
  mayStillGo: () => boolean = () => true,
): Promise<DrainState> {
  const workerPods = context.stores.workerPods.byIndex('vnode', vnode);
  const pods = context.stores.homePods.byIndex('node', vnode).filter((pod) => mustGo(pod, workerPods));
  const refused: string[] = [];
  const refusals = new Map<string, { why: string; at: number }>();
  const unasked = pods.filter(({ metadata }) => !metadata.deletionTimestamp);
  async function ask(pod: KubeObject): Promise<void> {
    const { uid = '' } = pod.metadata;
    let last = before.get(uid);
    if (!last || clock() - last.at >= REFUSED_MS) {
      const why = await evict(context, pod);
      if (why === undefined) return;
      last = { why, at: clock() };
    }
    refused.push(`${keyOf(pod)} (${last.why})`);
    refusals.set(uid, last);
  }
  await forEachPod(context, unasked, ask, mayStillGo);
  // One that has ended, such as one refused here, holds nothing up: others may take its place for ever.
  const homePods = pods.filter((pod) => !isTerminal(pod)).length;
  return { homePods, workerPods: workerPods.length, refused, refusals };
}

/**
 * Asks a home pod to go.
 * @returns the words of a disruption budget that does not allow it now.
 * @throws ApiError, ConnectionError
 */
export async function evict(context: SyncerContext, pod: KubeObject): Promise<string | undefined> {
  const { name, namespace, uid } = pod.metadata;
  const eviction = {
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { name, ...(namespace && { namespace }) },
    deleteOptions: { preconditions: { uid } },
  };
  try {
    await context.home.create(Pods, eviction, { subresource: 'eviction', retry: false });
    return undefined;
  } catch (error) {
    if (isNotFound(error) || isConflict(error)) return undefined;
    const words = budgetWords(error);
    if (words === undefined) throw error;
    return words;
  }
}

/** Whether it is one pod that cannot be asked to go, and not any of them. */
export function isOfPod(error: unknown): error is ApiError {
  return error instanceof ApiError && error.code !== 429;
}

/** What a disruption budget says; a server that has too much to do answers 429 as well, and names no cause. */
function budgetWords(error: unknown): string | undefined {
  if (!(error instanceof ApiError) || error.code !== 429) return undefined;
  const cause = error.status.details?.causes?.find(({ reason }) => reason === 'DisruptionBudget');
  return cause && (cause.message || error.message);
}

/**
 * Takes the pods of a vnode away at once, for a worker that is given up: nobody is left to end them.
 * @throws NotAsked; ConnectionError, ApiError 429
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
