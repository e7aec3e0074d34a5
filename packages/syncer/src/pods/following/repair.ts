/** Puts right what somebody changed by hand of a worker pod, and counts it. */
import { keyOf, Pods } from '@kubeocean/shared/kube';
import { driftOf } from './drift.ts';
import { isGone, mayWriteWorker } from '../../gate.ts';
import type { PodState } from '../state.ts';
import type { Pod } from '../types.ts';

/** Who changes a pod again and again is answered no more often than this. */
export const REPAIR_AGAIN_MS = 10_000;

/** When worker pods were repaired last, by UID. Milliseconds, monotonic. */
export type RepairTimes = Map<string, number>;

/** @returns after how many milliseconds to look again, when it was repaired only a moment ago. */
export async function repairPod(
  state: PodState,
  home: Pod,
  worker: Pod,
  times: RepairTimes,
): Promise<number | undefined> {
  const { context } = state;
  const { namespace = '', name, uid = '' } = worker.metadata;
  const drift = state.released.has(uid) ? undefined : driftOf(home, worker, context);
  if (!drift) return undefined;
  const left = (times.get(uid) ?? -REPAIR_AGAIN_MS) + REPAIR_AGAIN_MS - performance.now();
  if (left > 0) return left;
  mayWriteWorker(context);
  times.set(uid, performance.now());
  try {
    await context.worker.patch(Pods, namespace, name, drift.patch, { type: 'strategic' });
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
  for (const part of drift.what) state.repairs.count('pod', part);
  context.log.warn({ pod: keyOf(home), worker: name, repaired: drift.what }, 'worker pod was changed by hand');
  return undefined;
}
