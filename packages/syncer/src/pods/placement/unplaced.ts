/**
 * For how long the worker has not placed a pod, by this process' own monotonic clock, from the moment it first saw so: the
 * clocks of two clusters need not agree, and the pod's creation is stamped by the other one. A syncer that is started anew
 * begins again.
 */
import { isTerminal, type Pod } from '../types.ts';

/** So long a pod may wait for a scheduler's first look before that is worth a word. Milliseconds. */
const QUIET_MS = 30_000;

/** Why a pod has no node. */
export interface Unscheduled {
  /** For its user. */
  message: string;
  /** True when a scheduler has looked at it; otherwise it has yet to. */
  judged: boolean;
}

export interface Waiting extends Unscheduled {
  /** Milliseconds until the pod has waited for too long (0 or less: it has; undefined: it never will). */
  leftMs: number | undefined;
  /** Milliseconds until its user should be told (0 or less: now). */
  quietMs: number;
}

/** What keeps the worker pod from a node, as it says itself; undefined when it has one, or is to get one. Pure. */
export function whyUnscheduled(worker: Pod): Unscheduled | undefined {
  const { phase = 'Pending', conditions } = worker.status ?? {};
  const scheduled = conditions?.find(({ type }) => type === 'PodScheduled');
  if (worker.spec.nodeName || scheduled?.status === 'True') return undefined;
  if (scheduled?.status === 'False') {
    return { message: scheduled.message ?? scheduled.reason ?? 'no reason given', judged: true };
  }
  if (phase !== 'Pending') return undefined;
  const scheduler = JSON.stringify(worker.spec['schedulerName'] ?? 'default-scheduler');
  return { message: `no scheduler there has looked at it (its schedulerName is ${scheduler})`, judged: false };
}

export class Unplaced {
  /** Monotonic milliseconds by UID of the worker pod. */
  private readonly since = new Map<string, number>();

  /**
   * @param timeoutMs 0 = never
   * @param now monotonic milliseconds
   * @returns undefined for a pod that does not wait for a place
   */
  observe(worker: Pod, timeoutMs: number, now: number): Waiting | undefined {
    const { uid = '', deletionTimestamp } = worker.metadata;
    const why = deletionTimestamp || isTerminal(worker) ? undefined : whyUnscheduled(worker);
    if (!why) {
      this.since.delete(uid);
      return undefined;
    }
    const since = this.since.get(uid) ?? now;
    this.since.set(uid, since);
    const quietMs = why.judged ? 0 : since + QUIET_MS - now;
    return { ...why, leftMs: timeoutMs === 0 ? undefined : since + timeoutMs - now, quietMs };
  }

  /** The worker pod is gone. */
  forget(uid: string): void {
    this.since.delete(uid);
  }
}
