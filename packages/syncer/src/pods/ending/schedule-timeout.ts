/** A pod that the worker does not place says so at home, and fails there when that lasts, or when its lease closes first. */
import { PodReason } from '@kubeocean/shared/api';
import { lateRefusal, recordOf } from './lease-end.ts';
import type { Asked, RefusedDeletions } from './refused-deletions.ts';
import type { PodState } from '../state.ts';
import { type Pod, podSubject } from '../types.ts';
import type { Unplaced } from '../placement/unplaced.ts';
import { deleteWorker } from '../writes/worker.ts';

/** So that the next look comes after the moment it waits for, in milliseconds. */
const AFTER_MS = 100;

/** Once it is deleted it ends as any worker pod does, and home shows why it had no node (status/to-home.ts). */
export async function watchScheduling(
  state: PodState,
  memory: { unplaced: Unplaced; deletions: RefusedDeletions },
  home: Pod,
  worker: Pod,
): Promise<Asked> {
  const { context } = state;
  const timeoutMs = context.settings.workerScheduleTimeoutSeconds * 1000;
  const waits = memory.unplaced.observe(worker, timeoutMs, performance.now());
  if (!waits) return {};
  const { leftMs = Infinity, quietMs } = waits;
  // Only if it is still as we know it: it may have been placed this moment.
  const end = () => memory.deletions.ask(context, home, worker, () => deleteWorker(state, worker, { unchanged: true }));
  const refusal = lateRefusal(recordOf(context, home));
  if (refusal) {
    context.homeEvents.event(podSubject(home), 'Warning', refusal.reason, refusal.message);
    return end();
  }
  if (quietMs <= 0 || leftMs <= 0) {
    const message = `the worker cluster cannot place the pod: ${waits.message}`;
    context.homeEvents.event(podSubject(home), 'Warning', PodReason.workerUnschedulable, message);
  }
  if (leftMs <= 0) return end();
  const next = Math.min(leftMs, quietMs > 0 ? quietMs : Infinity);
  return next === Infinity ? {} : { againInMs: next + AFTER_MS };
}
