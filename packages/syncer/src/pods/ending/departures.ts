/**
 * Which home pods went because somebody asked for it, as home's watch told, until their worker pods are gone. Only work
 * that is under way needs it: whoever starts anew counts every worker pod without a home pod as one that nobody asked for.
 */
import type { Pod } from '../types.ts';
import { isTerminal } from '../types.ts';

export class Departures {
  /** UIDs by home key: more than one may have had the name while a worker pod was still there. */
  private readonly asked = new Map<string, Set<string>>();
  /** Who was told, and what of, by home key. */
  private readonly told = new Map<string, string>();

  /** A home pod is known no longer. @param deleted its last state, when the watch told of its deletion */
  gone(key: string, previous: Pod, deleted: Pod | undefined): void {
    if (!askedToGo(previous, deleted)) return;
    const uids = this.asked.get(key) ?? new Set();
    uids.add(previous.metadata.uid ?? '');
    this.asked.set(key, uids);
  }

  /** Whether the deletion of the home pod of that UID was asked for. */
  wasAsked(key: string, uid: string): boolean {
    return this.asked.get(key)?.has(uid) ?? false;
  }

  /**
   * True once for each pod that bears the name and has to wait for its predecessor's worker pod.
   * @param who its UID, and what it is told of
   */
  isFirstToWait(key: string, who: string): boolean {
    if (this.told.get(key) === who) return false;
    this.told.set(key, who);
    return true;
  }

  /** There is no worker pod of that name. */
  forget(key: string): void {
    this.asked.delete(key);
    this.told.delete(key);
  }
}

/**
 * Whether a home pod that is gone was deleted by somebody. API servers mark a pod before they delete it, even when that is
 * the next thing they do, because it has finished, its grace is 0 or it is forced away (CheckGracefulDelete of the pod
 * registry; seen on 1.34): the mark comes with the deletion's own event. Pods that vanish without one are what the guard is
 * for: a server that lost them, or was put back to a time before them. Pure.
 */
export function askedToGo(previous: Pod, deleted: Pod | undefined): boolean {
  if (previous.metadata.deletionTimestamp) return true;
  if (!deleted) return false;
  return (
    deleted.metadata.deletionTimestamp !== undefined ||
    isTerminal(deleted) ||
    deleted.spec['terminationGracePeriodSeconds'] === 0
  );
}
