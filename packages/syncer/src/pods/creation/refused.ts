/** What the worker does not take of a home pod that was never run: said on the pod, and asked for again after a pause. */
import type { LeasedNode } from '@kubeocean/shared/api';
import { ApiError, ConnectionError, isAlreadyExists, messageOf, type Outcome } from '@kubeocean/shared/kube';
import { ForeignObject } from '../../dependents/write-copy.ts';
import { patchHomeStatus } from '../writes/home.ts';
import { notRunPatch } from '../status/own-patches.ts';
import type { Refusals } from './refusals.ts';
import type { PodState } from '../state.ts';
import { type Pod, podSubject } from '../types.ts';
import { wordsFor } from '../status/words.ts';

/** A pod that is about to be made. */
export interface Asking {
  state: PodState;
  home: Pod;
  /** The lease of its vnode. */
  record: LeasedNode;
  refusals: Refusals;
}

/** Answers that are a server's own word on what was asked of it. */
export const REFUSALS = [400, 403, 404, 422];
/** Answers of a webhook that does not answer, and of an object that is too large: neither goes by itself. */
export const FAILURES = [413, 500];

/**
 * So often in a row the worker gives no answer to what a pod needs before its user is told: some seconds where a call fails
 * at once, minutes where one hangs, in a webhook perhaps that keeps every pod of a kind.
 */
const SILENCES = 6;
const SILENT = 'the worker cluster does not answer: what the pod needs is asked for again and again';

/** As a condition on the pod, once. @returns the words that stand there */
export async function tellRefused({ state, home, refusals }: Asking, reason: string, message: string): Promise<string> {
  const words = refusals.words(home, reason, message);
  const patch = notRunPatch(home, reason, words, state.context.now(), 'refused');
  if (patch) await patchHomeStatus(state.context, home, patch);
  return words;
}

/** The same with an event. */
export async function tellWaits(asking: Asking, reason: string, message: string): Promise<void> {
  const words = await tellRefused(asking, reason, message);
  asking.state.context.homeEvents.event(podSubject(asking.home), 'Warning', reason, words);
}

/** The worker's own words, on the pod; tried again ever more rarely. Errors of other kinds go to the queue's own back-off. */
export async function refusedByServer(asking: Asking, asked: Pod, error: unknown): Promise<Outcome> {
  const { state, home, record, refusals } = asking;
  if (isSilent(asking, error)) {
    const { count } = refusals.refused(home, record, true);
    // How it is silent differs from one time to the next, and says nothing to the pod's user.
    if (count >= SILENCES) await tellRefused(asking, 'FailedCreate', SILENT);
    throw error;
  }
  const isRefusal = error instanceof ApiError && REFUSALS.includes(error.code);
  // A copy that exists already is mostly one that is still being deleted: over in a moment, unless a finalizer holds it.
  const isInTheWay = error instanceof ForeignObject || isAlreadyExists(error);
  const isFailure = isInTheWay || (error instanceof ApiError && FAILURES.includes(error.code));
  if (!isRefusal && !isFailure) throw error;
  const { mountNamespace } = state.context;
  const athome = error instanceof ApiError && !error.path.includes(`/namespaces/${mountNamespace}/`);
  const words = wordsFor(home, state.context, asked);
  const message = `${athome ? 'this cluster' : 'the worker cluster'} refused what the pod needs: ${words(messageOf(error))}`;
  if (isRefusal) return refusedFor(asking, message);
  // Once may be for a moment only. From the second time on the pod's user is told.
  const { count } = refusals.refused(home, record, true);
  if (count > 1) await tellRefused(asking, 'FailedCreate', message);
  throw error;
}

/** Whether the worker gave no answer: not that it refuses, nor that home is silent. */
function isSilent({ state: { context } }: Asking, error: unknown): boolean {
  if (error instanceof ConnectionError) return error.server === context.worker.transport.server;
  return error instanceof ApiError && error.code > 500 && error.path.includes(`/namespaces/${context.mountNamespace}/`);
}

export async function refusedFor(asking: Asking, message: string): Promise<Outcome> {
  const { waitMs } = asking.refusals.refused(asking.home, asking.record);
  await tellWaits(asking, 'FailedCreate', message);
  return { againInMs: waitMs };
}
