/** From a home pod that was never run to its worker pod: whether it may, what it needs, and the one create. */
import { type LeasedNode, migratedNameSaidBy, PodReason } from '@kubeocean/shared/api';
import { ApiError, isAlreadyExists, keyOf, type Outcome, pathOf, Pods } from '@kubeocean/shared/kube';
import { podRequests } from '@kubeocean/shared/lease';
import type { SyncerContext } from '../../context.ts';
import { namespaceLabels } from '../../namespaces.ts';
import { leavingReason } from '../../nodes/leaving.ts';
import { isForNoPod } from '../../dependents/tokens.ts';
import { guardsLost, guardsWords, hostnameWords, leftOutWords } from './left-out.ts';
import { leaseRefusal, misfit, notRunReason, type Reason } from '../placement/eligibility.ts';
import { mayWriteWorker } from '../../gate.ts';
import { counterpartNow } from '../writes/counterpart.ts';
import { droppedVolumes } from './dropped-volumes.ts';
import { currentHome, patchHomeStatus } from '../writes/home.ts';
import { dnsLeftOut } from '../translation/network.ts';
import { relationOf } from '../writes/ownership.ts';
import { Refusal } from '../translation/refusal.ts';
import type { Refusals } from './refusals.ts';
import { type Asking, refusedByServer, refusedFor, tellRefused, tellWaits } from './refused.ts';
import { type PodState, rememberCreated } from '../state.ts';
import { failurePatch, notRunPatch } from '../status/own-patches.ts';
import { wasShown } from '../status/to-home.ts';
import { toWorkerPod, type WorkerFacts } from '../translation/to-worker.ts';
import { outlivesLease } from '../placement/outlives-lease.ts';
import { isDaemon, isTerminal, type Pod, podSubject } from '../types.ts';
import { linksLeftOut } from '../translation/service-variables.ts';
import { wouldDrop } from './would-drop.ts';
import { currentWorker } from '../writes/worker.ts';

/** Until the watch tells that the home pod is gone. */
const GONE_MS = 1000;
const NOT_SELECTED_MS = 60_000;

/** Why the pod is not run on vnodes at all; the namespace is only read when the binding selects by it. */
export async function whyNotRun({ context }: Pick<PodState, 'context'>, home: Pod): Promise<Reason | undefined> {
  const binding = context.binding();
  if (!binding.spec.namespaceSelector) return notRunReason(home, binding, undefined);
  return notRunReason(home, binding, await namespaceLabels(context.home, home.metadata.namespace ?? ''));
}

/** Says so on the pod, once. It takes no room any more, if it was let in before. */
async function tellNotRun(state: PodState, home: Pod, why: Reason, isExcused = false): Promise<void> {
  admit(state, home, false);
  await sayNotRun(state.context, home, why, isExcused);
}

/** @param isExcused as for {@link notRunPatch} */
export async function sayNotRun(
  context: SyncerContext,
  home: Pod,
  { reason, message }: Reason,
  isExcused: boolean,
): Promise<void> {
  const patch = notRunPatch(home, reason, message, context.now(), 'notRun', isExcused);
  if (!patch) return;
  await patchHomeStatus(context, home, patch);
  context.homeEvents.event(podSubject(home), 'Warning', 'NotRun', message);
}

/** @param stored the home pod as the watch has it */
export async function createWorker(state: PodState, stored: Pod, refusals: Refusals): Promise<Outcome> {
  const { context } = state;
  const notRun = await whyNotRun(state, stored);
  if (notRun) {
    await tellNotRun(state, stored, notRun, isDaemon(stored));
    // Labels of namespaces are not watched.
    return notRun.reason === 'NamespaceNotSelected' ? { againInMs: NOT_SELECTED_MS } : undefined;
  }

  const { nodeName = '' } = stored.spec;
  const record = context.stores.records.byIndex('vnode', nodeName)[0];
  const leaving = leavingReason(context.binding(), context.stores.vnodes.get(nodeName), record);
  if (leaving) return stayOff(state, stored, leaving);
  // Nothing is known of the lease: the record's return brings the pod back here.
  if (!record?.status?.phase) return undefined;
  const refused = leaseRefusal(record) ?? roomOn(state, record, stored);
  const pauseMs = refused ? 0 : refusals.left(stored, record);
  if (pauseMs > 0) return { againInMs: pauseMs };
  // Home is asked nothing either for thousands of pods that must not be made now.
  if (!refused) mayWriteWorker(context);
  const { namespace = '', name: homeName } = stored.metadata;
  const asks = refused !== undefined || !isNews(state, stored);
  const home = asks ? await currentHome(context, namespace, homeName) : stored;
  if (!home || home.metadata.uid !== stored.metadata.uid || home.metadata.deletionTimestamp) return undefined;
  // Nor one that has ended: it shows that, too.
  if (wasShown(home)) return undefined;
  // One that gocrane/kubeocean was about to run: it may run already.
  const migrated = migratedNameSaidBy(home) ? await counterpartNow(state, home) : undefined;
  if (migrated) {
    rememberCreated(state, home, migrated);
    return { againInMs: 0 };
  }
  // Others may have been let in while the API servers were asked; from here to `admit` nothing is waited for.
  const why = refused ?? (asks ? roomOn(state, record, home) : undefined);
  if (why) return refuse(state, home, why);

  admit(state, home, true);
  return make({ state, home, record, refusals });
}

/** Makes the worker pod of one that was let in, with what it refers to before it. */
async function make(asking: Asking): Promise<Outcome> {
  const { state, home, record, refusals } = asking;
  const { context } = state;
  const { uid = '' } = home.metadata;
  let pod: Pod;
  let unlinked: string | undefined;
  try {
    const { claims, missing } = await state.volumes.resolve(home);
    if (missing.length > 0) {
      await tellWaits(asking, 'FailedDependency', `waiting: ${missing.join('; ')}`);
      return { againInMs: refusals.missing(home) };
    }
    const facts = await factsFor(state, record.spec.nodeName, home);
    unlinked = linksLeftOut(home, facts.services);
    pod = toWorkerPod(home, { ...facts, claims });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return tellNotRun(state, home, { reason: error.reason, message: error.message });
  }
  try {
    mayWriteWorker(context);
    const dropped = await wouldDrop(state, pod);
    if (dropped) return await refusedFor(asking, dropped);
    if (isOver(state, home)) return undefined;
    const missing = await state.dependents.prepare(home);
    const words = missing.map(({ message }) => message).join('; ');
    if (missing.length > 0) {
      context.homeEvents.event(podSubject(home), 'Warning', 'FailedDependency', `waiting: ${words}`);
    }
    if (missing.some(({ absent }) => !absent)) {
      await tellRefused(asking, 'FailedDependency', words);
      return { againInMs: refusals.missing(home) };
    }
    // What does not exist yet keeps the worker's kubelet waiting, exactly as it would keep one at home.
    state.phases.reached(uid, 'translated');
    if (isOver(state, home)) return undefined;
    mayWriteWorker(context);
    const made = await context.worker.create<Pod>(Pods, pod);
    rememberCreated(state, home, made);
    state.phases.reached(uid, 'accepted');
    tellLeftOut(state, home, pod, made);
    state.networkPolicies.made(home);
    if (unlinked) context.homeEvents.event(podSubject(home), 'Warning', 'ServiceLinksLeftOut', unlinked);
  } catch (error) {
    if (isOfPod(error, context.mountNamespace)) return existsAlready(state, home, pod.metadata.name);
    if (isForNoPod(error)) return { againInMs: GONE_MS };
    return refusedByServer(asking, pod, error);
  }
  refusals.delete(uid);
  const tooLong = outlivesLease(home, context.stores.vnodes.get(home.spec.nodeName ?? ''), context.now());
  if (tooLong) context.homeEvents.event(podSubject(home), 'Warning', PodReason.leaseClosesFirst, tooLong);
  context.log.info({ pod: keyOf(home), worker: pod.metadata.name, node: record.spec.nodeName }, 'worker pod created');
  return undefined;
}

/** A pod that came to a vnode on its way out. Failed, its DaemonSet would make it again until the vnode is gone. */
async function stayOff(state: PodState, stored: Pod, leaving: Reason): Promise<Outcome> {
  if (isDaemon(stored)) {
    await tellNotRun(state, stored, leaving, true);
    return undefined;
  }
  const { namespace = '', name, uid } = stored.metadata;
  const home = await currentHome(state.context, namespace, name);
  if (!home || home.metadata.uid !== uid || home.metadata.deletionTimestamp) return undefined;
  return wasShown(home) ? undefined : refuse(state, home, leaving);
}

/**
 * The watch may lag behind, and nothing is made or failed but on what the API server says now. It need not be asked for a
 * pod that was never let in since we lead, as the stores were filled after that, and whose token is asked for next:
 * nobody but us could have run it or ended it since, and there is no token for a pod that is gone. That it is being
 * deleted may be news on the way; then, as on a kubelet, what was started is ended when the news comes.
 */
function isNews(state: PodState, home: Pod): boolean {
  return !state.admitted.has(home.metadata.uid ?? '') && state.dependents.tokens.willAsk(home);
}

/** What home's watch told while API servers were asked, which may take a minute: nothing is begun that is to go. */
function isOver({ context }: PodState, { metadata }: Pod): boolean {
  const known = context.stores.homePods.get(keyOf({ metadata })) as Pod | undefined;
  if (!known || known.metadata.uid !== metadata.uid) return true;
  return known.metadata.deletionTimestamp !== undefined || isTerminal(known);
}

function admit(state: PodState, home: Pod, isIn: boolean): void {
  const { uid = '' } = home.metadata;
  if (isIn) state.admitted.add(uid);
  else state.admitted.delete(uid);
  state.room.changed(keyOf(home));
}

function roomOn(state: PodState, record: LeasedNode, home: Pod): Reason | undefined {
  const used = state.room.used(home.spec.nodeName ?? '', keyOf(home));
  return misfit(podRequests(home), used, record.status?.allocatable);
}

/** Fails a pod that never ran. Only after the worker itself said that it has none: the watch may lag. */
async function refuse(state: PodState, home: Pod, { reason, message }: Reason): Promise<Outcome> {
  const { context } = state;
  const worker = await counterpartNow(state, home);
  if (worker) {
    rememberCreated(state, home, worker);
    return { againInMs: 0 };
  }
  const disruption = !reason.startsWith('OutOf');
  const patch = failurePatch(home, { reason, message, disruption }, context.now());
  await patchHomeStatus(context, home, patch);
  context.homeEvents.event(podSubject(home), 'Warning', reason, message);
  context.log.info({ pod: keyOf(home), reason }, 'home pod refused');
  return undefined;
}

export async function factsFor(state: PodState, node: string, home: Pod): Promise<WorkerFacts> {
  const { context } = state;
  const { spec } = context.binding();
  return {
    bindingName: context.bindingName,
    bindingUID: context.bindingUID,
    mountNamespace: context.mountNamespace,
    node,
    services: state.services(home.metadata.namespace ?? ''),
    carriedPrefixes: state.carriedPrefixes(),
    directScheduling: spec.directScheduling ?? false,
    ...(spec.podPriorityClassName && { priorityClassName: spec.podPriorityClassName }),
    ...(await state.network()),
  };
}

/** Whether it is the pod that exists already, and not a copy that it needs. */
function isOfPod(error: unknown, mountNamespace: string): boolean {
  return isAlreadyExists(error) && error instanceof ApiError && error.path === pathOf(Pods, mountNamespace);
}

/** The watch lags behind a create of ours, or the name is taken. */
async function existsAlready(state: PodState, home: Pod, name: string): Promise<Outcome> {
  const worker = await currentWorker(state, name);
  if (!worker) return { againInMs: 0 };
  const relation = relationOf(worker, home, state.context.bindingUID);
  if (relation === 'same' || relation === 'namesake') {
    rememberCreated(state, home, worker);
    return { againInMs: 0 };
  }
  const message = `the pod ${worker.metadata.namespace}/${name} of the worker cluster stands where this one's counterpart belongs and was not made for it; it is left alone: ask the worker's owner to remove it`;
  state.context.homeEvents.event(podSubject(home), 'Warning', 'NameTaken', message);
  return { againInMs: 60_000 };
}

/** A worker older than a field leaves it out without a word. */
function tellLeftOut(state: PodState, home: Pod, asked: Pod, made: Pod): void {
  const lost = guardsLost(asked, made);
  // The next such pod is asked about first.
  for (const guard of lost) state.kept.delete(guard);
  const fields = leftOutWords(asked, made) ?? (lost.length > 0 ? guardsWords(lost, 'runs') : undefined);
  if (fields) state.context.homeEvents.event(podSubject(home), 'Warning', 'FieldsNotCarried', fields);
  const dropped = droppedVolumes(asked, made);
  if (dropped) state.context.homeEvents.event(podSubject(home), 'Warning', 'VolumeNotCarried', dropped);
  const hostname = hostnameWords(home, asked, made);
  if (hostname) state.context.homeEvents.event(podSubject(home), 'Warning', 'HostnameNotCarried', hostname);
  const dns = dnsLeftOut(home, asked);
  // As kubelets name it.
  if (dns) state.context.homeEvents.event(podSubject(home), 'Warning', 'DNSConfigForming', dns);
}
