/** Who may write now: asked right before every write, because leadership and the claim can end between two lines. */
import { ApiError, isConflict, isNotFound } from '@kubeocean/shared/kube';
import type { SyncerContext } from './context.ts';

/** Writes are held back for the moment; the work is tried again. */
export class WritesHeld extends Error {
  constructor(cluster: 'home' | 'worker') {
    super(`no writes to the ${cluster} cluster now: leadership or the claim is not held`);
    this.name = 'WritesHeld';
  }
}

/** @throws WritesHeld */
export function mayWriteWorker(context: SyncerContext): void {
  if (!context.mayWriteWorker()) throw new WritesHeld('worker');
}

/**
 * To be asked before anything is done because the worker has not got something: another cluster has not got it either.
 * @throws WritesHeld, ApiError, ConnectionError
 */
export async function mayBelieveAbsence(context: SyncerContext): Promise<void> {
  if (!(await context.confirmWorker())) throw new WritesHeld('worker');
}

/** @throws WritesHeld */
export function mayWriteHome(context: SyncerContext): void {
  if (!context.leadership.isCurrent()) throw new WritesHeld('home');
}

/**
 * The object that a write meant by its UID is no longer there. A delete answers 409 for another UID, a patch 422 on
 * metadata.uid, which {@link isConflict} knows as well; any other conflict means only that the write is to be tried again.
 */
export function isGone(error: unknown): boolean {
  if (isNotFound(error)) return true;
  if (!(error instanceof ApiError) || !isConflict(error)) return false;
  return error.code === 422 || error.message.includes('Precondition failed: UID');
}
