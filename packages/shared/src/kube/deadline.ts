/**
 * What ends a call from our side: its time is over, or its caller gives up. AbortSignal.any with AbortSignal.timeout
 * says the same, but costs as much CPU as the rest of a small call (weak references, finalisers): see
 * docs/performance-history.md.
 */

/** Why and whether a call was ended by us; an AbortSignal is one too. */
export interface Ending {
  readonly aborted: boolean;
  readonly reason: unknown;
}

/** What can be ended: a request that was sent. */
interface Destroyable {
  destroy(error?: Error): unknown;
}

export class Deadline implements Ending {
  aborted = false;
  reason: unknown = undefined;
  private readonly timer: NodeJS.Timeout;
  private readonly signal: AbortSignal | undefined;
  private followed: Destroyable | undefined;
  private told: ((error: Error) => void) | undefined;
  private readonly onAbort = (): void => this.end(this.signal?.reason);

  /**
   * @param ms milliseconds from now
   * @param signal the caller's, if any
   */
  constructor(ms: number, signal?: AbortSignal) {
    this.signal = signal;
    this.timer = setTimeout(() => this.end(new Error('no answer in time')), Math.ceil(ms));
    if (signal?.aborted) this.end(signal.reason);
    else signal?.addEventListener('abort', this.onAbort, { once: true });
  }

  /**
   * Destroys `what` when the call is ended, and tells `told` why; at once when it is already. A request that still waits
   * for a connection says nothing of its own end before it gets one, which may be never.
   */
  follow(what: Destroyable, told: (error: Error) => void): void {
    this.followed = what;
    this.told = told;
    if (this.aborted) this.stop();
  }

  /** The call is over: nothing is destroyed any more. Always to be called, or the timer stays. */
  over(): void {
    clearTimeout(this.timer);
    this.signal?.removeEventListener('abort', this.onAbort);
    this.followed = undefined;
    this.told = undefined;
  }

  private end(reason: unknown): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    this.stop();
  }

  private stop(): void {
    const error = asError(this.reason);
    this.followed?.destroy(error);
    this.told?.(error);
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error('ended by the caller', { cause: reason });
}
