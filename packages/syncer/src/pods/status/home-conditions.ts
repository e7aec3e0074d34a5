/** Conditions of a home pod, from those of its worker pod: the kubelet's own, and why it was ended. Pure. */
import { Annotation, PodCondition, PodReason } from '@kubeocean/shared/api';
import type { Condition } from '@kubeocean/shared/kube';
import { rfc3339 } from '@kubeocean/shared/lease';
import { cutWords } from '../../cut.ts';
import type { Reason } from '../placement/eligibility.ts';
import { isExcuse, KUBELET_CONDITIONS } from './status-difference.ts';
import { isTerminal, type Pod } from '../types.ts';
import type { OwnWord } from './to-home.ts';

/**
 * What a pod that has ended is not, whatever its kubelet said last: disruption budgets count whoever is Ready, and
 * `kubectl wait` believes it.
 */
export const READINESS: readonly string[] = ['Ready', 'ContainersReady'];

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
  // One of each: a hostile worker could send thousands.
  const left = new Set(KUBELET_CONDITIONS);
  const conditions = theirs.filter(({ type }) => left.delete(type)).map(withoutDirective);
  const phase = ended?.phase ?? worker.status?.phase;
  const isOver = phase === 'Failed' || phase === 'Succeeded';
  for (const [at, condition] of conditions.entries()) {
    if (isOver && READINESS.includes(condition.type)) conditions[at] = endedCondition(condition, phase, home, now);
    else if (condition.type === 'Ready') conditions[at] = readyCondition(condition, home, now, own.unheard);
  }
  const pending = own.resize && !isTerminal(worker) ? pendingResize(own.resize, home, now) : undefined;
  if (pending) {
    const at = conditions.findIndex(({ type }) => type === pending.type);
    conditions.splice(at < 0 ? conditions.length : at, 1, pending);
  }
  const disrupted = disruptionOf(worker);
  if (disrupted && ended?.reason !== PodReason.leaseClosed) {
    // By home's clock, by which home's controller-manager judges whether it is out of date.
    conditions.push(stamped(withoutDirective(disrupted), home, now));
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
    const message = cutWords(condition.message && (own.words ?? same)(condition.message), 1024);
    if (message !== undefined) condition.message = message;
    if (condition !== pending && condition.observedGeneration !== undefined) {
      if (generation !== undefined) condition.observedGeneration = generation;
      else delete condition.observedGeneration;
    }
  }
  return conditions;
}

/** The condition, without what home's API server would take for an order, such as to replace the whole list. */
function withoutDirective(given: Condition): Condition {
  const { $patch: _, ...condition } = given;
  return condition;
}

/** As a kubelet says it of a resize that it has not taken on. */
function pendingResize(resize: Reason, home: Pod, now: Date): Condition {
  const { generation } = home.metadata;
  const told = { ...resize, ...(generation !== undefined && { observedGeneration: generation }) };
  return stamped({ type: 'PodResizePending', status: 'True', ...told }, home, now);
}

/**
 * In the worker the pod may still be Ready: a grace of 0, or a node that is gone, leaves its kubelet no time for another
 * word. The reasons are a kubelet's (pkg/kubelet/status GeneratePodReadyCondition).
 */
function endedCondition(condition: Condition, phase: string, home: Pod, now: Date): Condition {
  if (condition.status !== 'True') return condition;
  const { type, observedGeneration } = condition;
  const reason = phase === 'Succeeded' ? 'PodCompleted' : 'PodFailed';
  const generation = observedGeneration !== undefined && { observedGeneration };
  return stamped({ type, status: 'False', reason, ...generation }, home, now);
}

/**
 * Home's readiness gates count at home, where their controllers are: they are not carried to the worker. What home's node
 * controller made of the pods of a node that nobody has heard of stands until the node is heard of again: what the worker
 * said last is old.
 */
function readyCondition(ready: Condition, home: Pod, now: Date, unheard = false): Condition {
  const gates = home.spec.readinessGates ?? [];
  const known = unheard && home.status?.conditions?.find(({ type }) => type === 'Ready');
  if (ready.status === 'True' && known && known.status !== 'True') return { ...known };
  if (ready.status !== 'True') return ready;
  const open = gates.filter(
    ({ conditionType }) =>
      home.status?.conditions?.find((condition) => condition.type === conditionType)?.status !== 'True',
  );
  // By home's clock, by which its controllers count minReadySeconds.
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
  // It was Ready for its DaemonSet's sake, and had not begun.
  const isSame = known?.status === condition.status && !isExcuse(known);
  const since = isSame ? known.lastTransitionTime : undefined;
  return { ...condition, lastTransitionTime: since ?? rfc3339(now) };
}

/**
 * Why the worker cluster ends the pod, once it goes. The agent's own word is in an annotation: the Eviction API puts its
 * words over the condition, the controller-manager takes it back after a while, and a kubelet that remembers it brings it
 * back (ending/lease-end.ts).
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
