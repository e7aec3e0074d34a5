/**
 * Worker pod → status of the home pod. Pure. Only what a kubelet owns is taken from the worker; conditions that home's
 * own controllers keep stay theirs. The result is a strategic merge patch for `pods/status` with the smallest
 * difference, or nothing.
 */
import { Annotation, PodReason } from '@kubeocean/shared/api';
import type { Json } from '@kubeocean/shared/kube';
import { arePods } from './addresses.ts';
import { cutWords } from '../../cut.ts';
import type { Words } from './words.ts';
import { statusDifference, tidied } from './status-difference.ts';
import type { Reason } from '../placement/eligibility.ts';
import { conditionsOf, disruptionOf, type End, same } from './home-conditions.ts';
import { type ContainerStatus, isTerminal, type Pod, type PodStatus } from '../types.ts';
import { whyUnscheduled } from '../placement/unplaced.ts';

/** Kubernetes' default of terminationGracePeriodSeconds. */
const DEFAULT_GRACE_SECONDS = 30;
/** Longest time between the end of a pod's containers and the kubelet's last word about it. */
const KUBELET_LAG_SECONDS = 60;

/** Reason of what the worker cluster refuses. */
export const REFUSED = 'RefusedByWorker';

/** A patch of `pods/status`; `metadata.uid` guards against a namesake, `resourceVersion` against news that is on its way. */
export interface StatusPatch extends Json {
  metadata: { uid: string | undefined; resourceVersion?: string; annotations?: Record<string, string> };
  status: Json;
}

/** What is shown at home beside what the worker says of its pod. */
export interface OwnWord {
  /** A resize that waits here (Deferred) or cannot be (Infeasible), as a kubelet would say it. */
  resize?: Reason | undefined;
  /** Why the worker does not take debug containers that it has not got. */
  debug?: { names: readonly string[]; message: string } | undefined;
  /**
   * True while the worker pod has yet to follow the home pod in what the status says nothing of, so that home's generation is
   * not shown as observed.
   */
  behind?: boolean;
  /** The pod's addresses mean others at home (the record's `networkOverlap`): they are not shown. */
  withoutAddresses?: boolean;
  /** Home has not heard of the pod's vnode for long, and judges the readiness of its pods itself. */
  unheard?: boolean;
  /** Home's names for those of the worker. */
  words?: Words;
}

/**
 * The difference between what home shows and what the worker says. Undefined when there is none, and when home is
 * already in another terminal phase: finished means finished.
 */
export function statusPatch(
  worker: Pod,
  home: Pod,
  now: Date,
  lease?: string,
  own: OwnWord = {},
): StatusPatch | undefined {
  const wanted = homeStatus(worker, home, now, lease, own);
  if (isTerminal(home) && home.status?.phase !== wanted.phase) return undefined;
  const status = statusDifference(home.status ?? {}, wanted, own.withoutAddresses ? ['podIP', 'podIPs'] : []);
  const annotations = mappingAnnotations(worker, home);
  if (!status && !annotations) return undefined;
  return { metadata: { uid: home.metadata.uid, ...(annotations && { annotations }) }, status: status ?? {} };
}

/** Where the pod runs, for people. Never read back. */
function mappingAnnotations(worker: Pod, home: Pod): Record<string, string> | undefined {
  const wanted: Record<string, string> = {
    [Annotation.physicalPodNamespace]: worker.metadata.namespace ?? '',
    [Annotation.physicalPodName]: worker.metadata.name,
    [Annotation.physicalPodUID]: worker.metadata.uid ?? '',
  };
  const same = Object.entries(wanted).every(([key, value]) => home.metadata.annotations?.[key] === value);
  return same ? undefined : wanted;
}

/**
 * The status home should show: kubelet-owned fields only.
 * @param lease why the pod ends, when its lease ends it (ending/lease-end.ts)
 */
export function homeStatus(worker: Pod, home: Pod, now: Date, lease?: string, own: OwnWord = {}): PodStatus {
  const status = worker.status ?? {};
  const ended = endOf(worker, home, lease);
  const words = own.words ?? same;
  const observed = status.observedGeneration !== undefined ? observedGeneration(worker, home, own) : undefined;
  const told = ended ?? {
    phase: status.phase ?? 'Pending',
    reason: status.reason,
    message: cutWords(status.message && words(status.message)),
  };
  // What home says of a pod that has ended stays: it may be our own reason, which the worker pod does not have.
  const kept = isTerminal(home) && home.status?.phase === told.phase ? home.status : told;
  const withAddresses = !own.withoutAddresses && arePods(status);
  const wanted: PodStatus = {
    phase: told.phase,
    reason: kept.reason,
    message: kept.message,
    startTime: status.startTime,
    podIP: withAddresses ? status.podIP : undefined,
    podIPs: withAddresses ? status.podIPs : undefined,
    hostIP: status.hostIP,
    hostIPs: status.hostIPs,
    containerStatuses: statusesOf(status.containerStatuses, home.spec.containers, words),
    initContainerStatuses: statusesOf(status.initContainerStatuses, home.spec.initContainers, words),
    ephemeralContainerStatuses: debugStatusesOf(worker, home, own, words),
    resize: status['resize'],
    resources: status['resources'],
    allocatedResources: status['allocatedResources'],
    conditions: conditionsOf(worker, home, now, ended, own, observed),
    ...(observed !== undefined && { observedGeneration: observed }),
  };
  return tidied(wanted) as PodStatus;
}

/**
 * Generation of the home pod that the worker's kubelet has acted on. A deletion raises it too, which alone is worth no
 * write.
 */
function observedGeneration(worker: Pod, home: Pod, own: OwnWord): number | undefined {
  const { deletionTimestamp, generation } = home.metadata;
  const before = home.status?.observedGeneration;
  if (deletionTimestamp) return before ?? generation;
  const behind = own.behind === true || (worker.status?.observedGeneration ?? 0) < (worker.metadata.generation ?? 0);
  return behind && before !== undefined ? before : generation;
}

/** The worker pod is being deleted and nothing of it runs any more: what is left is our finalizer. */
export function isDone(worker: Pod): boolean {
  if (!worker.metadata.deletionTimestamp) return false;
  return isTerminal(worker) || worker.metadata.deletionGracePeriodSeconds === 0;
}

/**
 * A worker pod that ended because somebody in the worker deleted it, or because its lease is over, has failed, whatever
 * its exit code: a Job must not count it. One that had finished before it was deleted keeps its phase.
 */
function endOf(worker: Pod, home: Pod, lease: string | undefined): End | undefined {
  if (!isDone(worker) || isTerminal(home)) return undefined;
  // What home's users deleted ends as it ends.
  if (home.metadata.deletionTimestamp && lease === undefined) return undefined;
  if (isTerminal(worker) && finishedBeforeDeletion(worker)) return undefined;
  if (lease !== undefined) return { phase: 'Failed', reason: PodReason.leaseClosed, message: cutWords(lease, 1024) };
  const target = disruptionOf(worker);
  const unscheduled = whyUnscheduled(worker);
  // One that no scheduler has looked at yet may have been ended by whoever said so on it.
  if (unscheduled && (unscheduled.judged || !target)) {
    const message = `the worker cluster could not place the pod: ${unscheduled.message}`;
    return { phase: 'Failed', reason: PodReason.workerUnschedulable, message: cutWords(message, 1024) };
  }
  return {
    phase: 'Failed',
    reason: worker.status?.reason ?? target?.reason ?? PodReason.workerPodLost,
    message:
      cutWords(worker.status?.message ?? target?.message) ??
      'the worker pod was deleted in the worker cluster; nobody in this cluster asked for it',
  };
}

function finishedBeforeDeletion(worker: Pod): boolean {
  const { deletionTimestamp = '', deletionGracePeriodSeconds: grace = 0 } = worker.metadata;
  const own = worker.spec['terminationGracePeriodSeconds'];
  const ownGrace = typeof own === 'number' ? own : DEFAULT_GRACE_SECONDS;
  // Once nothing runs any more the kubelet deletes the pod again, without grace, and the time of that takes the place of
  // the first request's (seen on 1.34). Whoever did not watch meanwhile knows only that it was not much earlier.
  const earlier = grace === 0 && ownGrace > 0 ? ownGrace + KUBELET_LAG_SECONDS : grace;
  const askedAt = Date.parse(deletionTimestamp) - earlier * 1000;
  const statuses = worker.status?.containerStatuses ?? [];
  return (
    statuses.length > 0 &&
    statuses.every(({ state }) => {
      const finishedAt = state?.terminated?.finishedAt;
      return finishedAt !== undefined && Date.parse(finishedAt) < askedAt;
    })
  );
}

/** Statuses of containers that the home pod really has, one of each; a hostile worker could invent others. */
function statusesOf(
  statuses: ContainerStatus[] | undefined,
  containers: readonly { name: string }[] | undefined,
  words: Words,
): ContainerStatus[] | undefined {
  const names = new Set(containers?.map(({ name }) => name));
  const kept = statuses?.filter(({ name }) => names.delete(name)).map((status) => inHomeWords(status, words));
  return kept && kept.length > 0 ? kept : undefined;
}

/** The kubelet's words about a container. What the container itself left behind (terminated.message) stays as it is. */
function inHomeWords(status: ContainerStatus, words: Words): ContainerStatus {
  const message = status.state?.waiting?.message;
  if (message === undefined) return status;
  const waiting = { ...status.state?.waiting, message: cutWords(words(message)) };
  return { ...status, state: { ...status.state, waiting } };
}

/** With those that the worker refuses: whoever waits for one (`kubectl debug`) reads why. */
function debugStatusesOf(worker: Pod, home: Pod, own: OwnWord, words: Words): ContainerStatus[] | undefined {
  const statuses = statusesOf(worker.status?.ephemeralContainerStatuses, home.spec.ephemeralContainers, words) ?? [];
  const { names = [], message = '' } = own.debug ?? {};
  for (const { name, image } of home.spec.ephemeralContainers ?? []) {
    if (!names.includes(name) || statuses.some((status) => status.name === name)) continue;
    const waiting = { reason: REFUSED, message: cutWords(message, 1024) };
    statuses.push({ name, image, imageID: '', ready: false, restartCount: 0, state: { waiting } });
  }
  return statuses.length > 0 ? statuses : undefined;
}

/** True when home has ever been shown that a worker pod exists: from then on its absence means that it was lost. */
export function wasShown(home: Pod): boolean {
  const { startTime, containerStatuses, phase } = home.status ?? {};
  return (
    startTime !== undefined || (containerStatuses?.length ?? 0) > 0 || (phase !== undefined && phase !== 'Pending')
  );
}

/**
 * True when the change may wait a moment for the next one: a pod that is starting passes several states a second, of
 * which nobody needs to see each.
 */
export function mayWait(worker: Pod, home: Pod): boolean {
  if (isTerminal(worker) || isDone(worker)) return false;
  const wanted = worker.status ?? {};
  if (home.metadata.deletionTimestamp) return true;
  const settled = (wanted.phase ?? 'Pending') === 'Pending' && (home.status?.phase ?? 'Pending') === 'Pending';
  const statuses = [...(wanted.containerStatuses ?? []), ...(wanted.initContainerStatuses ?? [])];
  const troubled = statuses.some(
    ({ state }) => state?.waiting && !['ContainerCreating', 'PodInitializing'].includes(state.waiting.reason ?? ''),
  );
  return settled && !troubled;
}
