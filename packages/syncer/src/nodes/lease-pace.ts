/**
 * How many Leases are renewed at the same time: a few in ordinary times, more when renewals begin late in their turn, as
 * with many vnodes and an API server that takes half a second for each. No clock: times are passed in.
 */

/** A thousand vnodes must not be a thousand calls at once. */
const FEWEST = 8;
/**
 * The Lease by which this syncer leads is renewed through the same few connections (LEASE_SOCKETS of shared/kube: 40) and
 * must never wait behind those of vnodes.
 */
export const MOST_AT_ONCE = 36;

export interface LeasePace {
  /** Renewals that may be under way now. */
  readonly limit: number;
  /** A renewal begins at `nowMs` that was due at `dueMs`, on the same monotonic clock. */
  begins(dueMs: number, nowMs: number): void;
}

/**
 * @param everyMs how long a turn is, in milliseconds
 * @param most renewals at the same time when turns are late
 */
export function createLeasePace(everyMs: number, most = MOST_AT_ONCE): LeasePace {
  let limit = FEWEST;
  let changedAt = -Infinity;
  /** The turn that is under way, and how late its latest renewal has begun. */
  let turn = -Infinity;
  let latest = 0;
  return {
    get limit() {
      return limit;
    },
    begins(dueMs, nowMs) {
      // Times of one turn differ by what a number cannot hold.
      if (dueMs > turn + everyMs / 2) {
        // Half as many would have begun within half a turn, too, with room to spare.
        if (latest < everyMs / 8) limit = Math.max(FEWEST, Math.floor(limit / 2));
        [turn, latest] = [dueMs, 0];
      }
      const late = nowMs - dueMs;
      latest = Math.max(latest, late);
      // What the last raise does shows only after a while.
      if (late <= everyMs / 2 || nowMs - changedAt < everyMs / 2) return;
      limit = Math.min(most, limit * 2);
      changedAt = nowMs;
    },
  };
}
