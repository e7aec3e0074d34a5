/**
 * Counts deletions that nobody asked for (orphans in the worker, home pods that would be failed as lost) and stops them
 * when there are suddenly many: then it is more likely that we are wrong than that so many pods are. A person approves
 * by an annotation on the binding. Deletions that a user asked for are never counted; nor is a worker pod that has ended,
 * of which nothing is lost any more, nor anything while the binding itself is being deleted.
 */
const WINDOW_MS = 60_000;
const AT_LEAST = 20;
const SHARE = 0.1;

export interface DeletionGuardOptions {
  /** Pods that the share is taken of. */
  population: () => number;
  /** Value of the approving annotation on the binding. */
  approval: () => string | undefined;
  /** Monotonic milliseconds. */
  clock: () => number;
  /** Text that a person has to write to approve; new for each stop. */
  token: () => string;
  /**
   * The syncer before had stopped, and nothing goes before {@link DeletionGuard.open}: who begins finds what that one held back,
   * and each change of leaders would let as many go as a minute does.
   */
  wasStopped?: boolean;
  /** Told when the guard stops and when it goes on; `waiting` pods are held back. */
  onChange: (state: GuardState) => void;
}

export type GuardState = { stopped: false } | { stopped: true; token: string; waiting: number };

export interface DeletionGuard {
  /** True when this pod may go now. Ask once for each deletion, right before it. */
  allow(uid: string): boolean;
  /** True while this pod waits for a person: whoever works on it need not ask any API server meanwhile. */
  holdsBack(uid: string): boolean;
  /** This pod is gone, or went for another reason: nobody need approve it any more. */
  forget(uid: string): void;
  /** Everything has been looked at since we began: what the syncer before held back waits by now, or need not go any more. */
  open(): void;
  state(): GuardState;
}

export function createDeletionGuard(options: DeletionGuardOptions): DeletionGuard {
  /** Times of the deletions of the last minute, by UID: a retry of one is no second one. */
  const recent = new Map<string, number>();
  const waiting = new Set<string>();
  /** What a person let go, until it is gone: a deletion that fails is tried again. */
  const approved = new Set<string>();
  let token: string | undefined;
  let told = '';
  let isShut = options.wasStopped === true;

  function state(): GuardState {
    return token === undefined ? { stopped: false } : { stopped: true, token, waiting: waiting.size };
  }

  function tell(): void {
    const text = JSON.stringify(state());
    if (text === told) return;
    told = text;
    options.onChange(state());
  }

  function checkApproval(): void {
    if (token === undefined || options.approval() !== token) return;
    for (const uid of waiting) approved.add(uid);
    waiting.clear();
    token = undefined;
    tell();
  }

  return {
    state() {
      checkApproval();
      return state();
    },
    holdsBack(uid) {
      checkApproval();
      return token !== undefined && waiting.has(uid);
    },
    allow(uid) {
      checkApproval();
      if (approved.has(uid)) return true;
      const now = options.clock();
      for (const [known, at] of recent) if (now - at >= WINDOW_MS) recent.delete(known);
      if (recent.has(uid)) return true;
      const limit = isShut ? 0 : Math.max(AT_LEAST, Math.floor(options.population() * SHARE));
      if (token === undefined && recent.size < limit) {
        recent.set(uid, now);
        return true;
      }
      waiting.add(uid);
      token ??= options.token();
      tell();
      return false;
    },
    forget(uid) {
      approved.delete(uid);
      if (!waiting.delete(uid)) return;
      // With nothing left to approve it is at rest. What comes next is counted with what went within the last minute.
      if (waiting.size === 0) token = undefined;
      tell();
    },
    open() {
      isShut = false;
      tell();
    },
  };
}
