/** How pods end: home's deletion followed, the end shown at home, the worker pod let go, orphans and losses told apart. */
import { BindingCondition, Finalizer, PodReason } from '@kubeocean/shared/api';
import { ApiError, isConflict, keyOf, messageOf, type Outcome, splitKey } from '@kubeocean/shared/kube';
import { counterpartNow } from '../writes/counterpart.ts';
import type { Departures } from './departures.ts';
import { isElsewhere } from './elsewhere.ts';
import { currentHome, finishHomeDeletion, patchHomeStatus } from '../writes/home.ts';
import { addressesHidden, leaseEndOf } from './lease-end.ts';
import { claimedUID, homeKeyOf } from '../writes/ownership.ts';
import type { Asked, RefusedDeletions } from './refused-deletions.ts';
import { type PodState, rememberCreated } from '../state.ts';
import { failurePatch } from '../status/own-patches.ts';
import { isDone, statusPatch, wasShown } from '../status/to-home.ts';
import { isTerminal, type Pod, podSubject } from '../types.ts';
import { wordsFor } from '../status/words.ts';
import { deleteWorker, isEnding, releaseWorker } from '../writes/worker.ts';

const LAG_MS = 500;
/** Until a home pod that has no node any more, as in an older state of home, may have got one. */
const NO_NODE_MS = 2000;

/** Until a pod that the guard holds back is looked at again; spread, as there may be thousands. */
function guardRetryMs(): number {
  return 5000 * (1 + Math.random());
}

/** Nothing of the worker pod runs any more: home shows how it ended, or goes, and then the worker pod may go. */
export async function finish(state: PodState, home: Pod, worker: Pod): Promise<void> {
  const { context } = state;
  const { uid = '', finalizers } = worker.metadata;
  // Both watches have yet to tell of what was done here. One that finalizers of others keep holds up nothing at home.
  if (state.released.has(uid) && finalizers?.includes(Finalizer.homeSync)) return;
  const patch = statusPatch(worker, home, context.now(), leaseEndOf(context, worker, home), {
    words: wordsFor(home, context, worker),
    withoutAddresses: addressesHidden(context, home),
  });
  if (patch) await patchHomeStatus(context, home, patch);
  if (home.metadata.deletionTimestamp) await finishHomeDeletion(context, home, patch);
  await releaseWorker(state, worker);
  context.log.info({ pod: keyOf(home) }, 'worker pod released');
}

/** The worker pod is asked to end when home has ended its pod, or is about to. What is refused is told at home. */
export async function followEnd(state: PodState, deletions: RefusedDeletions, home: Pod, worker: Pod): Promise<Asked> {
  const { context, guard } = state;
  // Neither lost nor an orphan, whatever it looked like before.
  for (const { uid = '' } of [home.metadata, worker.metadata]) guard.forget(uid);
  if (home.metadata.deletionTimestamp) {
    const { deletionGracePeriodSeconds: gracePeriodSeconds } = home.metadata;
    return deletions.ask(context, home, worker, () => deleteWorker(state, worker, { gracePeriodSeconds }));
  }
  if (!isTerminal(home) || isTerminal(worker) || isEnding(state, worker)) return {};
  // Home ended the pod (eviction, a lost node): what still runs must not go on beside its successor.
  return deletions.ask(context, home, worker, () => deleteWorker(state, worker));
}

/** A home pod that is being deleted and, as far as the watch knows, has no worker pod. */
export async function finishWithoutWorker(state: PodState, home: Pod): Promise<Outcome> {
  const worker = await counterpartNow(state, home);
  if (worker && claimedUID(worker) === home.metadata.uid) {
    rememberCreated(state, home, worker);
    return { againInMs: LAG_MS };
  }
  try {
    await finishHomeDeletion(state.context, home);
  } catch (error) {
    if (!isConflict(error)) throw error;
    return { againInMs: LAG_MS };
  }
  return undefined;
}

/** A home pod that was shown to run and has no worker pod any more: it fails, it is never run again. */
export async function lost(state: PodState, stored: Pod): Promise<Outcome> {
  const { context } = state;
  const { namespace = '', name, uid = '' } = stored.metadata;
  if (isCounted(state) && state.guard.holdsBack(uid)) return { againInMs: guardRetryMs() };
  const worker = await counterpartNow(state, stored);
  if (worker) {
    rememberCreated(state, stored, worker);
    return { againInMs: LAG_MS };
  }
  // Home shows the end before the worker pod may go, so what it says now is the truth.
  const home = await currentHome(context, namespace, name);
  if (!home || home.metadata.uid !== uid || isTerminal(home) || home.metadata.deletionTimestamp || !wasShown(home)) {
    return undefined;
  }
  if (isCounted(state) && !state.guard.allow(uid)) return { againInMs: guardRetryMs() };
  const message = 'the worker pod is gone from the worker cluster; nobody in this cluster asked for it';
  const end = { reason: PodReason.workerPodLost, message, disruption: true };
  await patchHomeStatus(context, home, failurePatch(home, end, context.now()));
  context.homeEvents.event(podSubject(home), 'Warning', PodReason.workerPodLost, message);
  context.log.warn({ pod: `${namespace}/${name}` }, 'worker pod lost');
  return undefined;
}

/**
 * A worker pod whose home pod is not known, is another by now, or is on another node. It goes only when the API server at
 * home agrees, and no faster than the guard lets it unless somebody asked for that, or nothing of it runs any more.
 */
export async function orphan(state: PodState, homeKey: string, worker: Pod, departures: Departures): Promise<Outcome> {
  const { context, guard } = state;
  const { uid = '', name: workerPod } = worker.metadata;
  if (state.released.has(uid)) return undefined;
  if (homeKeyOf(worker, context.bindingUID) !== homeKey) {
    context.log.warn({ worker: workerPod, pod: homeKey }, 'worker pod disagrees with its name; left alone');
    return undefined;
  }
  const isOver = isTerminal(worker) || isDone(worker);
  const free = isOver || !isCounted(state);
  const wasAsked = departures.wasAsked(homeKey, claimedUID(worker));
  if (!free && !wasAsked && guard.holdsBack(uid)) return waits();
  const { namespace, name } = splitKey(homeKey);
  const home = await currentHome(context, namespace, name);
  const isThere = home?.metadata.uid === claimedUID(worker);
  if (home && isThere && !isElsewhere(worker, home, context.clusterID)) {
    return { againInMs: home.spec.nodeName ? LAG_MS : NO_NODE_MS };
  }
  // Whoever asked it to end may have come no further.
  if (isEnding(state, worker)) {
    await letGo();
    return undefined;
  }
  // Nobody asked for a pod to be on two nodes.
  if (!free && !(wasAsked && !isThere) && !guard.allow(uid)) return waits();
  try {
    await deleteWorker(state, worker);
  } catch (error) {
    if (error instanceof ApiError)
      tellNext('FailedDelete', `The worker cluster refuses to delete it: ${messageOf(error)}`);
    throw error;
  }
  await letGo();
  if (!wasAsked) state.repairs.count('pod', 'orphan');
  context.log.info({ worker: workerPod, pod: homeKey, asked: wasAsked }, 'orphan deleted');
  return undefined;

  /** Home has no such pod, so that nobody there counts what this one takes until it is over; the agent does without the finalizer. */
  async function letGo(): Promise<void> {
    await releaseWorker(state, worker);
    guard.forget(uid);
  }

  function waits(): Outcome {
    const why = `The deletion guard holds that back: see the condition ${BindingCondition.deletionGuard} of the ClusterBinding ${context.bindingName}`;
    tellNext('WaitsForDeletionGuard', why);
    return { againInMs: guardRetryMs() };
  }

  /** Whoever has the name at home by now learns what it waits for. */
  function tellNext(reason: string, why: string): void {
    const next = context.stores.homePods.get(homeKey) as Pod | undefined;
    if (!next || isTerminal(next) || !departures.isFirstToWait(homeKey, `${next.metadata.uid} ${reason}`)) return;
    // One that ran is never run again: what ran for it is gone.
    const does = wasShown(next) ? 'nothing of it runs any more, which it shows' : 'it runs';
    const message = `${does} once the worker pod ${context.mountNamespace}/${workerPod}, which was made for its name before, is gone. ${why}`;
    context.homeEvents.event(podSubject(next), 'Warning', reason, message);
  }
}

/**
 * A worker pod that was made for an earlier home pod of the name, and is still there. Nothing runs of the one that has the
 * name now: when it is to go, too, it does not wait.
 */
export async function predecessor(state: PodState, home: Pod, worker: Pod, departures: Departures): Promise<Outcome> {
  const waits = home.metadata.deletionTimestamp ? await finishWithoutWorker(state, home) : undefined;
  return waits ?? orphan(state, keyOf(home), worker, departures);
}

/** Whether the guard counts at all: who deletes the binding has asked for all of its pods to go. */
function isCounted({ context }: PodState): boolean {
  return context.binding().metadata.deletionTimestamp === undefined;
}
