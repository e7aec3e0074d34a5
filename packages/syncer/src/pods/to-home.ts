/**
 * Worker pod → status of the home pod. Pure. Only what a kubelet owns is taken from the worker; conditions that home's
 * own controllers keep stay theirs. The result is a strategic merge patch for `pods/status` with the smallest
 * difference, or nothing.
 */
import { Annotation, PodCondition, PodReason } from '@kubeocean/shared/api';
import type { Condition, Json } from '@kubeocean/shared/kube';
import { KUBELET_CONDITIONS, statusDifference, withoutNulls } from './status-difference.ts';
import { type ContainerStatus, isTerminal, type Pod, type PodStatus } from './types.ts';

/** Longest text taken over from the worker, in characters. A termination message is at most this (kubelet). */
const MAX_MESSAGE = 4096;

/** A patch of `pods/status`; `metadata.uid` guards against a namesake. */
export interface StatusPatch extends Json {
  metadata: { uid: string | undefined; annotations?: Record<string, string> };
  status: Json;
}

/**
 * The difference between what home shows and what the worker says. Undefined when there is none, and when home is
 * already in another terminal phase: finished means finished.
 */
export function statusPatch(worker: Pod, home: Pod, now: Date, lease?: string): StatusPatch | undefined {
  const wanted = homeStatus(worker, home, now, lease);
  if (isTerminal(home) && home.status?.phase !== wanted.phase) return undefined;
  const status = statusDifference(home.status ?? {}, wanted);
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
 * @param lease why the pod ends, when its lease ends it (lease-end.ts)
 */
export function homeStatus(worker: Pod, home: Pod, now: Date, lease?: string): PodStatus {
  const status = worker.status ?? {};
  const ended = endOf(worker, home, lease);
  const observed = status.observedGeneration !== undefined ? generationOf(home) : undefined;
  const told = ended ?? { phase: status.phase ?? 'Pending', reason: status.reason, message: cut(status.message) };
  // What home says of a pod that has ended stays: it may be our own reason, which the worker pod does not have.
  const kept = isTerminal(home) && home.status?.phase === told.phase ? home.status : told;
  const wanted: PodStatus = {
    phase: told.phase,
    reason: kept.reason,
    message: kept.message,
    startTime: status.startTime,
    podIP: status.podIP,
    podIPs: status.podIPs,
    hostIP: status.hostIP,
    hostIPs: status.hostIPs,
    containerStatuses: statusesOf(status.containerStatuses, home.spec.containers),
    initContainerStatuses: statusesOf(status.initContainerStatuses, home.spec.initContainers),
    conditions: conditionsOf(worker, home, now, ended),
    ...(observed !== undefined && { observedGeneration: observed }),
  };
  return withoutNulls(wanted) as PodStatus;
}

/** Generation of the home pod that was acted on. A deletion raises it too, which alone is worth no write. */
function generationOf(home: Pod): number | undefined {
  const { deletionTimestamp, generation } = home.metadata;
  return deletionTimestamp ? (home.status?.observedGeneration ?? generation) : generation;
}

interface End {
  phase: 'Failed';
  reason?: string;
  message?: string;
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
  if (lease !== undefined) return { phase: 'Failed', reason: PodReason.leaseClosed, message: cut(lease, 1024) ?? '' };
  const unplaced = worker.status?.conditions?.find(({ type, status }) => type === 'PodScheduled' && status === 'False');
  if (unplaced && !worker.spec.nodeName) {
    const message = `the worker cluster could not place the pod: ${unplaced.message ?? unplaced.reason ?? 'no reason given'}`;
    return { phase: 'Failed', reason: PodReason.workerUnschedulable, message: cut(message, 1024) ?? '' };
  }
  const target = disruptionOf(worker);
  return {
    phase: 'Failed',
    reason: worker.status?.reason ?? target?.reason ?? PodReason.workerPodLost,
    message:
      cut(worker.status?.message ?? target?.message) ??
      'the worker pod was deleted in the worker cluster; nobody in this cluster asked for it',
  };
}

/**
 * Why the worker cluster ends the pod. The Eviction API, and the kubelet after it, put their own words over those of the
 * agent, which are therefore in an annotation too.
 */
function disruptionOf(worker: Pod): Condition | undefined {
  const target = worker.status?.conditions?.find(
    ({ type, status }) => type === PodCondition.disruptionTarget && status === 'True',
  );
  const message = worker.metadata.annotations?.[Annotation.leaseClosed];
  return target && message !== undefined ? { ...target, reason: PodReason.leaseClosed, message } : target;
}

function finishedBeforeDeletion(worker: Pod): boolean {
  const { deletionTimestamp = '', deletionGracePeriodSeconds = 0 } = worker.metadata;
  // The API server keeps deletionTimestamp - grace at the moment of the request, also when the grace is shortened.
  const askedAt = Date.parse(deletionTimestamp) - deletionGracePeriodSeconds * 1000;
  const statuses = worker.status?.containerStatuses ?? [];
  return (
    statuses.length > 0 &&
    statuses.every(({ state }) => {
      const finishedAt = state?.terminated?.finishedAt;
      return finishedAt !== undefined && Date.parse(finishedAt) < askedAt;
    })
  );
}

/** Statuses of containers that the home pod really has; a hostile worker could invent others. */
function statusesOf(
  statuses: ContainerStatus[] | undefined,
  containers: readonly { name: string }[] | undefined,
): ContainerStatus[] | undefined {
  const names = new Set(containers?.map(({ name }) => name));
  const kept = statuses?.filter(({ name }) => names.has(name));
  return kept && kept.length > 0 ? kept : undefined;
}

function conditionsOf(worker: Pod, home: Pod, now: Date, ended: End | undefined): Condition[] {
  const theirs = worker.status?.conditions ?? [];
  const conditions = theirs
    .filter(({ type }) => KUBELET_CONDITIONS.includes(type))
    .map((condition) => ({ ...condition }));
  for (const [at, condition] of conditions.entries()) {
    if (condition.type === 'Ready') conditions[at] = readyCondition(condition, home, now);
  }
  const disrupted = disruptionOf(worker);
  if (disrupted && ended?.reason !== PodReason.leaseClosed) conditions.push({ ...disrupted });
  else if (ended) {
    conditions.push(
      stamped(
        {
          type: PodCondition.disruptionTarget,
          status: 'True',
          reason: ended.reason ?? PodReason.workerPodLost,
          ...(ended.message !== undefined && { message: ended.message }),
        },
        home,
        now,
      ),
    );
  }
  for (const condition of conditions) {
    const message = cut(condition.message, 1024);
    if (message !== undefined) condition.message = message;
    if (condition.observedGeneration !== undefined) {
      const generation = generationOf(home);
      if (generation !== undefined) condition.observedGeneration = generation;
      else delete condition.observedGeneration;
    }
  }
  return conditions;
}

/** Home's readiness gates count at home, where their controllers are: they are not carried to the worker. */
function readyCondition(ready: Condition, home: Pod, now: Date): Condition {
  const gates = home.spec.readinessGates ?? [];
  if (ready.status !== 'True' || gates.length === 0) return ready;
  const open = gates.filter(
    ({ conditionType }) =>
      home.status?.conditions?.find((condition) => condition.type === conditionType)?.status !== 'True',
  );
  if (open.length === 0) return stamped(ready, home, now);
  const names = open.map(({ conditionType }) => `"${conditionType}"`).join(', ');
  return stamped(
    {
      type: 'Ready',
      status: 'False',
      reason: 'ReadinessGatesNotReady',
      message: `conditions of the pod's readiness gates are not true: ${names}`,
      ...(ready.observedGeneration !== undefined && { observedGeneration: ready.observedGeneration }),
    },
    home,
    now,
  );
}

/** With the time of the transition as seen at home. */
function stamped(condition: Condition, home: Pod, now: Date): Condition {
  const known = home.status?.conditions?.find(({ type }) => type === condition.type);
  const since = known?.status === condition.status ? known.lastTransitionTime : undefined;
  return { ...condition, lastTransitionTime: since ?? now.toISOString().replace(/\.\d+Z$/, 'Z') };
}

function cut(text: string | undefined, length = MAX_MESSAGE): string | undefined {
  return text !== undefined && text.length > length ? `${text.slice(0, length - 3)}...` : text;
}

/** Patch that ends a home pod which has no worker pod, or lost it. */
export function failurePatch(
  home: Pod,
  end: { reason: string; message: string; disruption: boolean },
  now: Date,
): StatusPatch {
  const time = now.toISOString().replace(/\.\d+Z$/, 'Z');
  const conditions: Json[] = [];
  for (const type of ['Ready', 'ContainersReady']) {
    const known = home.status?.conditions?.find((condition) => condition.type === type);
    if (known?.status === 'True') {
      conditions.push({ type, status: 'False', reason: 'PodFailed', message: null, lastTransitionTime: time });
    }
  }
  if (end.disruption) {
    const { reason, message } = end;
    conditions.push({ type: PodCondition.disruptionTarget, status: 'True', reason, message, lastTransitionTime: time });
  }
  return {
    metadata: { uid: home.metadata.uid },
    status: {
      phase: 'Failed',
      reason: end.reason,
      message: end.message,
      ...(conditions.length > 0 && { conditions }),
    },
  };
}

/** Patch that says on the home pod why it is not run; undefined when it says so already. */
export function notRunPatch(home: Pod, reason: string, message: string, now: Date): StatusPatch | undefined {
  const known = home.status?.conditions?.find(({ type }) => type === PodCondition.notRun);
  if (known?.status === 'True' && known.reason === reason && known.message === message) return undefined;
  const condition = stamped({ type: PodCondition.notRun, status: 'True', reason, message }, home, now);
  return { metadata: { uid: home.metadata.uid }, status: { conditions: [condition as Json] } };
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
