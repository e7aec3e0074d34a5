/**
 * For how long the worker has not placed a pod, by this process' own monotonic clock, from the moment it first saw so: the
 * clocks of two clusters need not agree, and the pod's creation is stamped by the other one. A syncer that is started anew
 * begins again.
 */
import type { Pod } from './types.ts';

export class Unplaced {
  /** Monotonic milliseconds by UID of the worker pod. */
  private readonly since = new Map<string, number>();

  /**
   * @param timeoutMs 0 = never
   * @param now monotonic milliseconds
   * @returns the scheduler's words, and milliseconds until the pod has waited for too long (0 or less: it has; undefined:
   *   it never will); undefined for a pod that does not wait for a place.
   */
  observe(worker: Pod, timeoutMs: number, now: number): { message: string; leftMs: number | undefined } | undefined {
    const { uid = '', deletionTimestamp } = worker.metadata;
    const refusal = worker.status?.conditions?.find(
      ({ type, status, reason }) => type === 'PodScheduled' && status === 'False' && reason === 'Unschedulable',
    );
    if (!refusal || worker.spec.nodeName || deletionTimestamp) {
      this.since.delete(uid);
      return undefined;
    }
    const since = this.since.get(uid) ?? now;
    this.since.set(uid, since);
    return { message: refusal.message ?? '', leftMs: timeoutMs === 0 ? undefined : since + timeoutMs - now };
  }

  /** The worker pod is gone. */
  forget(uid: string): void {
    this.since.delete(uid);
  }
}
