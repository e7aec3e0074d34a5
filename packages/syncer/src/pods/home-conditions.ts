/** Conditions of a home pod, from those of its worker pod: the kubelet's own, and why it was ended. Pure. */
import { Annotation, PodCondition, PodReason } from '@kubeocean/shared/api';
import type { Condition } from '@kubeocean/shared/kube';
import type { Reason } from './eligibility.ts';
import { KUBELET_CONDITIONS } from './status-difference.ts';
import { isTerminal, type Pod } from './types.ts';
import type { OwnWord } from './to-home.ts';

/** Longest text taken over from the worker, in characters. A termination message is at most this (kubelet). */
const MAX_MESSAGE = 4096;

/** How a pod ends that its worker pod's phase alone does not tell. */
export interface End {
  phase: 'Failed';
  reason?: string;
  message?: string;
}

export function conditionsOf(
  worker: Pod,
  home: Pod,
  now: Date,
  ended: End | undefined,
  own: OwnWord,
  generation: number | undefined,
): Condition[] {
  const theirs = worker.status?.conditions ?? [];
  const conditions = theirs
    .filter(({ type }) => KUBELET_CONDITIONS.includes(type))
    .map((condition) => ({ ...condition }));
  for (const [at, condition] of conditions.entries()) {
    if (condition.type === 'Ready') conditions[at] = readyCondition(condition, home, now);
  }
  const pending = own.resize && !isTerminal(worker) ? pendingResize(own.resize, home, now) : undefined;
  if (pending) {
    const at = conditions.findIndex(({ type }) => type === pending.type);
    conditions.splice(at < 0 ? conditions.length : at, 1, pending);
  }
  const disrupted = disruptionOf(worker);
  if (disrupted && ended?.reason !== PodReason.leaseClosed) {
    // By home's clock, by which home's controller-manager judges whether it is out of date.
    conditions.push(stamped(disrupted, home, now));
  } else if (ended) {
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
    const message = cut(condition.message && (own.words ?? same)(condition.message), 1024);
    if (message !== undefined) condition.message = message;
    if (condition !== pending && condition.observedGeneration !== undefined) {
      if (generation !== undefined) condition.observedGeneration = generation;
      else delete condition.observedGeneration;
    }
  }
  return conditions;
}

/** As a kubelet says it of a resize that it has not taken on. */
function pendingResize(resize: Reason, home: Pod, now: Date): Condition {
  const { generation } = home.metadata;
  const told = { ...resize, ...(generation !== undefined && { observedGeneration: generation }) };
  return stamped({ type: 'PodResizePending', status: 'True', ...told }, home, now);
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
export function stamped(condition: Condition, home: Pod, now: Date): Condition {
  const known = home.status?.conditions?.find(({ type }) => type === condition.type);
  const since = known?.status === condition.status ? known.lastTransitionTime : undefined;
  return { ...condition, lastTransitionTime: since ?? now.toISOString().replace(/\.\d+Z$/, 'Z') };
}

/**
 * Why the worker cluster ends the pod, once it goes. The agent's own word is in an annotation: the Eviction API puts its
 * words over the condition, the controller-manager takes it back after a while, and a kubelet that remembers it brings it
 * back (lease-end.ts).
 */
export function disruptionOf(worker: Pod): Condition | undefined {
  const goes = worker.metadata.deletionTimestamp !== undefined;
  if (!goes && !isTerminal(worker)) return undefined;
  const type = PodCondition.disruptionTarget;
  const target = worker.status?.conditions?.find((condition) => condition.type === type && condition.status === 'True');
  const message = worker.metadata.annotations?.[Annotation.leaseClosed];
  if (message === undefined) return target?.reason === PodReason.leaseClosed ? undefined : target;
  if (!target && isTerminal(worker)) return undefined;
  return { ...(target ?? { type, status: 'True' }), reason: PodReason.leaseClosed, message };
}

/** The words as they are. */
export function same(text: string): string {
  return text;
}

/** At most `length` characters. */
export function cut(text: string | undefined, length = MAX_MESSAGE): string | undefined {
  return text !== undefined && text.length > length ? `${text.slice(0, length - 3)}...` : text;
}
