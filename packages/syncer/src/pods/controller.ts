/**
 * Keeps home pods and worker pods in step, one key (home namespace/name) at a time. What to do is read off the two
 * objects each time anew; nothing that matters is remembered, so stopping at any point loses nothing.
 */
import { vnodeNames, workerName } from '@kubeocean/shared/api';
import { type KubeObject, keyOf, type Outcome, splitKey, WorkQueue } from '@kubeocean/shared/kube';
import { bindingOf } from '../nodes/looks.ts';
import { createWorker, whyNotRun } from './creation/creation.ts';
import { Departures } from './ending/departures.ts';
import { isElsewhere } from './ending/elsewhere.ts';
import { finish, finishWithoutWorker, followEnd, lost, orphan, predecessor } from './ending/ending.ts';
import { follow as followChanges, type Followed } from './following/follow.ts';
import { createFollowMemory } from './following/follow-memory.ts';
import { forgetGone, forgetIn } from './forgetting.ts';
import { WritesHeld } from '../gate.ts';
import { tellHeld } from './creation/held-back.ts';
import { HeldWaits } from './writes/held-waits.ts';
import { finishHomeDeletion, patchHomeStatus } from './writes/home.ts';
import { addressesHidden, leaseEndOf } from './ending/lease-end.ts';
import { homeKeyOf, isPredecessor, lostItsLabel, relationOf } from './writes/ownership.ts';
import { Pace, USUAL_PACE } from './placement/pace.ts';
import { concernedBy } from './creation/record-changes.ts';
import { createRefusals } from './creation/refusals.ts';
import { RefusedDeletions } from './ending/refused-deletions.ts';
import { repairPod, type RepairTimes } from './following/repair.ts';
import { createParts, soonest } from '../parts.ts';
import { watchScheduling } from './ending/schedule-timeout.ts';
import { SentPatches } from './status/sent-patches.ts';
import { type PodState, workerByNow, workerOf } from './state.ts';
import { isDone, mayWait, type OwnWord, statusPatch, wasShown } from './status/to-home.ts';
import { isReady, isTerminal, type Pod, podSubject } from './types.ts';
import { isUnheard } from './status/unheard.ts';
import { Unplaced } from './placement/unplaced.ts';
import { wordsFor } from './status/words.ts';

/** How long a state on the way may wait for the next one. */
const SETTLE_MS = 700;
/** The same while there is nothing to show but the worker pod's name, which the first status brings along. */
const NAME_ALONE_MS = 30_000;
const DISAGREES_MS = 60_000;
/** Until the watch tells of a pod that got its label back. */
const LABEL_MS = 1000;

export interface PodController {
  /** Looks at this home pod again. */
  add(homeKey: string): void;
  /** Looks again at every pod that has no worker pod, and at those that wait until the worker may be written to. */
  resync(): void;
  /** Looks again at every home pod, and at every worker pod of this binding. */
  sweep(): void;
  start(): void;
  stop(): Promise<void>;
}

export function createPodController(state: PodState): PodController {
  const { context } = state;
  const { homePods, workerPods, records } = context.stores;
  const queue = new WorkQueue(sync, {
    ...context.queue('pods'),
    // What hangs keeps its worker until its deadline: those that are made have 30 of them, the pods of one namespace 35.
    workers: 40,
    baseDelayMs: 100,
    maxDelayMs: 10_000,
    // A namespace with thousands of pods to run does not keep the pods of others waiting.
    ownerOf: (key) => splitKey(key).namespace,
    // What became of pods that were made is shown before more are made, and what ends does not wait for what begins.
    continues: (key) => {
      if (workerOf(state, { metadata: splitKey(key) })) return true;
      const home = homePods.get(key);
      return !home || home.metadata.deletionTimestamp !== undefined;
    },
    mayBegin: () => pace.allows(),
  });
  const pace = new Pace({ ...USUAL_PACE, onReopen: () => queue.look() });
  const refusals = createRefusals(state.carriedPrefixes);
  /** What the worker refused of changes of pods that run. */
  const followMemory = createFollowMemory();
  /** Since when a change waits for the next one, by home UID. Milliseconds, monotonic. */
  const settling = new Map<string, number>();
  const sent = new SentPatches();
  const repaired: RepairTimes = new Map();
  const unplaced = new Unplaced();
  const deletions = new RefusedDeletions();
  const departures = new Departures();
  const held = new HeldWaits();
  /** By the UID of the home pod, and of the worker pod. */
  const ofHome = [settling, sent, refusals, state.admitted, followMemory, state.phases, state.guard];
  const ofWorker = [state.deleted, state.released, repaired, unplaced, deletions, state.guard];
  /** Home key by name of its worker pod, while the home pod is known. */
  const homeKeys = new Map<string, string>();
  const stops: (() => void)[] = [];

  async function sync(key: string): Promise<Outcome> {
    const home = homePods.get(key) as Pod | undefined;
    const named = { metadata: splitKey(key) };
    const worker = workerOf(state, named);
    try {
      const outcome = await syncPod(key, home, worker);
      for (const other of held.passed(key, context.mayWriteWorker())) queue.add(other);
      return outcome;
    } catch (error) {
      if (error instanceof WritesHeld) return { againInMs: await tellHeld(state, key, held.held(key)) };
      throw error;
    } finally {
      forgetGone(ofHome, home, homePods.get(key));
      forgetGone(ofWorker, worker, worker && workerPods.get(keyOf(worker)), workerOf(state, named));
    }
  }

  async function syncPod(key: string, home: Pod | undefined, worker: Pod | undefined): Promise<Outcome> {
    if (!worker) departures.forget(key);
    if (!home) return worker ? orphan(state, key, worker, departures) : undefined;
    if (!worker) return isOurs(home) ? withoutWorker(home) : undefined;
    switch (relationOf(worker, home, context.bindingUID)) {
      case 'same':
        // Its deletion is followed wherever it is.
        if (!home.metadata.deletionTimestamp && isElsewhere(worker, home, context.clusterID)) {
          return orphan(state, key, worker, departures);
        }
        return withWorker(home, worker);
      case 'namesake':
        if (isPredecessor(worker, home)) return predecessor(state, home, worker, departures);
        break;
      case 'foreign':
        if (!lostItsLabel(worker, home, context.bindingUID)) break;
        return { againInMs: (await repairPod(state, home, worker, repaired)) ?? LABEL_MS };
      case 'disagrees':
    }
    const message = `the pod ${context.mountNamespace}/${worker.metadata.name} of the worker cluster no longer says that it belongs to this pod; neither is touched: ask the worker's owner`;
    context.homeEvents.event(podSubject(home), 'Warning', 'MappingDisagrees', message);
    return { againInMs: DISAGREES_MS };
  }

  /** Ours is what sits on a vnode of this binding: a node's name alone may be another's. */
  function isOurs(home: Pod): boolean {
    return bindingOf(context.stores.vnodes.get(home.spec.nodeName ?? '')) === context.bindingUID;
  }

  async function withoutWorker(home: Pod): Promise<Outcome> {
    if (home.metadata.deletionTimestamp) {
      if (!wasShown(home) && (await whyNotRun(state, home))) {
        await finishHomeDeletion(context, home);
        return undefined;
      }
      return finishWithoutWorker(state, home);
    }
    if (isTerminal(home)) {
      // It may have been about to be failed as lost.
      state.guard.forget(home.metadata.uid ?? '');
      return undefined;
    }
    state.phases.seen(home);
    return wasShown(home) ? lost(state, home) : createWorker(state, home, refusals);
  }

  async function withWorker(home: Pod, worker: Pod): Promise<Outcome> {
    if (isDone(worker)) {
      await finish(state, home, worker);
      return undefined;
    }
    let followed: Followed = { own: {} };
    const asked = await followEnd(state, deletions, home, worker);
    // Also of one that is being deleted: its end may take longer than a token lives.
    if (!isTerminal(home)) state.dependents.tokens.follow(keyOf(home));
    const isEnding = [home, worker].some((pod) => isTerminal(pod) || pod.metadata.deletionTimestamp !== undefined);
    if (!isEnding) followed = await keepUp(home, worker);
    const now = workerByNow(state, home, worker);
    if (isReady(now)) state.phases.reached(home.metadata.uid ?? '', 'ready');
    const again = await showStatus(home, now, followed.own);
    const scheduled = await watchScheduling(state, { unplaced, deletions }, home, now);
    // What could not be written in the worker must not keep home from seeing how its pod is.
    const failure = followed.failure ?? asked.failure ?? scheduled.failure;
    if (failure !== undefined) throw failure;
    return soonest(again, scheduled, asked, followed);
  }

  /** The worker pod, and what it refers to, as home wants them now. One part that fails does not keep the others back. */
  async function keepUp(home: Pod, worker: Pod): Promise<Followed> {
    const parts = createParts();
    await parts.run(async () => void (state.dependents.lacks(home) && (await state.dependents.prepare(home))));
    const followed = await parts.run(() => followChanges(state, home, worker, followMemory));
    parts.failed(followed?.failure);
    const repairMs = await parts.run(() => repairPod(state, home, worker, repaired));
    const { failure } = parts;
    const own = { ...followed?.own, ...(failure !== undefined && { behind: true }) };
    return { own, ...soonest(followed, { againInMs: repairMs }), failure };
  }

  async function showStatus(home: Pod, worker: Pod, own: OwnWord): Promise<Outcome> {
    const { uid = '', resourceVersion } = home.metadata;
    const withoutAddresses = addressesHidden(context, home);
    const unheard = isUnheard(context.stores.vnodes.get(home.spec.nodeName ?? ''));
    const said: OwnWord = { ...own, withoutAddresses, unheard, words: wordsFor(home, context, worker) };
    const patch = statusPatch(worker, home, context.now(), leaseEndOf(context, worker, home), said);
    // The watch has told of it: kilobytes for each pod.
    if (!patch) sent.delete(uid);
    if (!patch || sent.has(uid, patch, resourceVersion)) {
      settling.delete(uid);
      if (isReady(home)) state.phases.reached(uid, 'shown');
      return undefined;
    }
    if (mayWait(worker, home)) {
      const since = settling.get(uid) ?? performance.now();
      settling.set(uid, since);
      const wait = Object.keys(patch.status).length === 0 ? NAME_ALONE_MS : SETTLE_MS;
      const left = since + wait - performance.now();
      if (left > 0) return { againInMs: left };
    }
    settling.delete(uid);
    const after = await patchHomeStatus(context, home, patch);
    sent.note(uid, patch, [resourceVersion, after]);
    return undefined;
  }

  function follow(): void {
    for (const pod of homePods.values()) {
      const key = keyOf(pod);
      know(key, pod);
      state.room.changed(key);
    }
    stops.push(
      homePods.onChange(({ key, previous, current, deleted }) => {
        if (current && !previous) know(key, current);
        else if (previous && !current) forget(previous as Pod, deleted as Pod | undefined);
        state.room.changed(key);
        queue.add(key);
      }),
      workerPods.onChange(({ key, previous, current }) => {
        state.created.delete(key);
        pace.told(key, current as Pod | undefined);
        if (!current && previous) forgetIn(ofWorker, previous);
        const pod = current ?? previous;
        const homeKey = pod && (homeKeys.get(pod.metadata.name) ?? homeKeyOf(pod as Pod, context.bindingUID));
        if (homeKey) {
          state.room.changed(homeKey);
          queue.add(homeKey);
        }
        context.report.facts({ pods: workerPods.size });
      }),
      records.onChange(({ previous, current }) => {
        const concerned = concernedBy(previous, current);
        if (concerned === 'none') return;
        const { nodeName = '' } = (current ?? previous)?.spec ?? {};
        const { clusterID } = context;
        for (const name of vnodeNames(clusterID, nodeName)) addPodsOf(name, concerned);
      }),
      context.stores.vnodes.onChange(({ key, previous, current }) => {
        if (bindingOf(previous) !== bindingOf(current)) addPodsOf(key, 'waiting');
        else if (isUnheard(previous) && !isUnheard(current)) addPodsOf(key, 'all');
      }),
    );
  }

  function addAll(): void {
    for (const key of homePods.keys()) queue.add(key);
    for (const pod of workerPods.values()) {
      const homeKey = homeKeyOf(pod as Pod, context.bindingUID);
      if (homeKey) queue.add(homeKey);
    }
  }

  /** Pods of a vnode; `waiting`: those that may be waiting for it, without a worker pod or with one that has no node. */
  function addPodsOf(vnode: string, which: 'waiting' | 'all'): void {
    for (const pod of homePods.byIndex('node', vnode))
      if (which === 'all' || !workerOf(state, pod)?.spec.nodeName) queue.add(keyOf(pod));
  }

  function know(key: string, { metadata: { namespace = '', name } }: KubeObject): void {
    homeKeys.set(workerName(context.bindingUID, namespace, name), key);
  }

  function forget(pod: Pod, deleted: Pod | undefined): void {
    departures.gone(keyOf(pod), pod, deleted);
    homeKeys.delete(workerName(context.bindingUID, pod.metadata.namespace ?? '', pod.metadata.name));
    forgetIn(ofHome, pod);
  }

  return {
    add: (homeKey) => queue.add(homeKey),
    resync() {
      refusals.clear();
      for (const pod of homePods.values()) if (!workerOf(state, pod)?.spec.nodeName) queue.add(keyOf(pod));
      for (const key of held.wake()) queue.add(key);
    },
    sweep: addAll,
    start() {
      follow();
      addAll();
      queue.start();
      context.report.facts({ pods: workerPods.size });
    },
    async stop() {
      for (const stop of stops) stop();
      pace.stop();
      await queue.stop();
    },
  };
}
