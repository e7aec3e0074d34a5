/** Brings many reasons to work into few runs: set by events, due at a time, never more often than its pace. */
import { inputTaken, sleep } from '@kubeocean/shared/kube';

/**
 * How often runs begin. A change and what follows from it come quickly, one after the other; a flood of changes costs no
 * more than `flood` says.
 */
export interface Pace {
  /** Milliseconds between two runs at the least. */
  least: number;
  /** Runs that may follow one another so closely. */
  burst: number;
  /** Milliseconds until one more run may. */
  flood: number;
}

/** The longest nap before the wall clock is looked at again: a clock that was set must not make us miss a window. */
const MAX_NAP_MS = 30_000;
/**
 * A wall clock that is further than this from where it should be by the monotonic one was set, or the machine slept. What
 * was computed by the old time may then be wrong in either direction.
 */
const JUMP_MS = 2000;

export class Trigger {
  private pending = false;
  private due: number | undefined;
  /** The nap that is under way. */
  private nap: AbortController | undefined;
  private readonly now: () => number;

  /** Wall clock less monotonic clock when the last run began. */
  private offset: number | undefined;
  private readonly onJump: (ms: number) => void;

  /**
   * `now` gives milliseconds of the clock that {@link setAt} goes by; `onJump` is told by how much it was set when that
   * is noticed, half a minute later at most, and a run follows.
   */
  constructor(now: () => number = Date.now, onJump: (ms: number) => void = () => undefined) {
    this.now = now;
    this.onJump = onJump;
  }

  /** Asks for a run as soon as the interval allows. */
  set(): void {
    this.pending = true;
    this.nap?.abort();
  }

  /** Asks for a run at a time of the wall clock; replaces what was asked for before. */
  setAt(time: Date | undefined): void {
    this.due = time?.getTime();
  }

  /**
   * Calls `work` for every request until the signal aborts, one call at a time, at this pace. A request made during a
   * call leads to another. Errors of `work` end the loop.
   */
  async run(work: () => Promise<void>, pace: Pace, signal: AbortSignal): Promise<void> {
    // When as many runs as may follow closely will be free to again, if none is made: a token bucket told by its end.
    let spent = -Infinity;
    signal.addEventListener('abort', () => this.nap?.abort(), { once: true });
    while (!signal.aborted) {
      await this.wait(signal);
      if (!signal.aborted) await inputTaken();
      if (signal.aborted) return;
      this.pending = false;
      this.due = undefined;
      const started = performance.now();
      this.offset = this.now() - started;
      await work();
      spent = Math.max(spent, started) + pace.flood;
      const next = Math.max(started + pace.least, spent - (pace.burst - 1) * pace.flood);
      const rest = next - performance.now();
      if (rest > 0) await sleep(rest, signal).catch(() => undefined);
    }
  }

  private async wait(signal: AbortSignal): Promise<void> {
    while (!this.pending && !signal.aborted) {
      const left = this.due === undefined ? MAX_NAP_MS : this.due - this.now();
      if (left <= 0 || this.jumped()) return;
      this.nap = new AbortController();
      await sleep(Math.min(left, MAX_NAP_MS), this.nap.signal).catch(() => undefined);
    }
  }

  /** Whether the clock was set since the last run. */
  private jumped(): boolean {
    if (this.offset === undefined) return false;
    const by = this.now() - performance.now() - this.offset;
    if (Math.abs(by) <= JUMP_MS) return false;
    this.onJump(by);
    return true;
  }
}
