/**
 * How far the worker's clock is ahead of ours, told from the times in the agent's heartbeat: a record's times are the
 * agent's, and clocks of two clusters need not agree. Pure but for the times passed in.
 */

/** Below this the clocks count as equal, and a new estimate as the old one. Milliseconds. */
const TOLERANCE_MS = 30_000;
/** Heartbeats that are remembered: a minute of them. */
const KEPT = 6;
/** Those that come within so long of each other, in milliseconds, come at once: the agent sends one every ten seconds. */
const AT_ONCE_MS = 5000;

export interface WorkerClock {
  /**
   * The heartbeat was seen to change.
   * @param renewTime RFC 3339, as the agent wrote it
   * @param nowMs our own time of day
   */
  heard(renewTime: unknown, nowMs: number): void;
  /** Milliseconds; negative when the worker's clock is behind, 0 when the two agree, undefined while nothing is known. */
  readonly aheadMs: number | undefined;
}

export function createWorkerClock(): WorkerClock {
  let samples: { aheadMs: number; atMs: number }[] = [];
  let aheadMs: number | undefined;
  return {
    heard(renewTime, nowMs) {
      const time = typeof renewTime === 'string' ? Date.parse(renewTime) : Number.NaN;
      if (Number.isNaN(time)) return;
      // What is underway for long makes a sample too low, nothing makes one too high. After a silence a watch tells all that
      // was missed, the oldest first: these must not be a minute's.
      const last = samples.at(-1);
      if (last && Math.abs(nowMs - last.atMs) < AT_ONCE_MS) last.aheadMs = Math.max(last.aheadMs, time - nowMs);
      else samples = [...samples.slice(1 - KEPT), { aheadMs: time - nowMs, atMs: nowMs }];
      const best = Math.max(...samples.map((sample) => sample.aheadMs));
      if (aheadMs !== undefined && Math.abs(best - aheadMs) <= TOLERANCE_MS) return;
      aheadMs = Math.abs(best) <= TOLERANCE_MS ? 0 : Math.round(best / 1000) * 1000;
    },
    get aheadMs() {
      return aheadMs;
    },
  };
}
