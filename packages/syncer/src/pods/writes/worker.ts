/** Writes on worker pods. Each names the UID of the pod it means, and none is made while writes are held back. */
import { Finalizer } from '@kubeocean/shared/api';
import { isConflict, Pods, unlessMissing, withoutFinalizer } from '@kubeocean/shared/kube';
import { isGone, mayWriteWorker } from '../../gate.ts';
import type { PodState } from '../state.ts';
import type { Pod } from '../types.ts';

/** The pod of that name as the API server has it now; undefined when there is none. @throws ApiError, ConnectionError */
export function currentWorker(state: PodState, name: string): Promise<Pod | undefined> {
  return unlessMissing(state.context.worker.get<Pod>(Pods, state.context.mountNamespace, name));
}

export interface WorkerDeletion {
  /** Seconds; left out: the pod's own grace. */
  gracePeriodSeconds?: number | undefined;
  /** Only if nothing about the pod changed since. */
  unchanged?: boolean;
}

/** For so long, in milliseconds, it is believed that a watch lags which does not tell of a deletion that was taken. */
const BELIEVED_MS = 10_000;

/** Seconds of grace of a deletion under way, as far as is known here: the watch may not have told of it yet. */
function graceOf({ deleted }: PodState, { metadata }: Pod): number | undefined {
  const { uid = '', deletionTimestamp, deletionGracePeriodSeconds = 0 } = metadata;
  const told = deletionTimestamp ? deletionGracePeriodSeconds : undefined;
  const asked = deleted.get(uid);
  if (!asked || asked.until <= performance.now()) return told;
  return Math.min(told ?? Infinity, asked.seconds ?? Infinity);
}

/** Whether it was asked to end, by whomever. */
export function isEnding(state: PodState, worker: Pod): boolean {
  return graceOf(state, worker) !== undefined;
}

/** Asks it to end, or to do so within less time. Nothing when that is so already. */
export async function deleteWorker(state: PodState, worker: Pod, options: WorkerDeletion = {}): Promise<void> {
  mayWriteWorker(state.context);
  const { namespace = '', name, uid = '', resourceVersion } = worker.metadata;
  const { gracePeriodSeconds } = options;
  const known = graceOf(state, worker);
  if (known !== undefined && (gracePeriodSeconds === undefined || gracePeriodSeconds >= known)) return;
  state.deleted.set(uid, { seconds: gracePeriodSeconds, until: performance.now() + BELIEVED_MS });
  try {
    await state.context.worker.delete(Pods, namespace, name, {
      metadataOnly: true,
      ...(uid && { uid }),
      ...(options.unchanged && resourceVersion && { resourceVersion }),
      ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
    });
  } catch (error) {
    if (isGone(error)) return;
    state.deleted.delete(uid);
    // It changed: the watch tells how, and the pod is looked at again.
    if (!options.unchanged || !isConflict(error)) throw error;
  }
}

/**
 * Says who last wrote which field no longer (one empty entry: "clearing managedFields" in Kubernetes' documentation of
 * server-side apply). To keep that true is half of what the API server does for the patch, for a pod that goes with it.
 */
const NO_MANAGED_FIELDS = [{}];

/** Lets the worker pod go: home shows its end, or is gone. */
export async function releaseWorker(state: PodState, worker: Pod): Promise<void> {
  const { namespace = '', name, uid = '', finalizers = [], deletionTimestamp } = worker.metadata;
  if (state.released.has(uid) || !finalizers.includes(Finalizer.homeSync)) return;
  mayWriteWorker(state.context);
  const metadata = {
    ...withoutFinalizer(uid, Finalizer.homeSync),
    ...(deletionTimestamp && { managedFields: NO_MANAGED_FIELDS }),
  };
  const options = { type: 'strategic', metadataOnly: true } as const;
  // Before the answer: the watch may be faster to tell that the pod is gone, and then nobody would forget it.
  state.released.add(uid);
  try {
    await state.context.worker.patch(Pods, namespace, name, { metadata }, options);
  } catch (error) {
    if (isGone(error)) return;
    state.released.delete(uid);
    throw error;
  }
}
