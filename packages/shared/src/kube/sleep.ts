/** Waiting, ended early by a signal. */

/** setTimeout takes at most 2^31-1 ms and makes 1 ms of anything beyond; a longer wait is taken in parts. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** Resolves after `ms` milliseconds, however many; rejects at once when the signal aborts. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  if (signal?.aborted) {
    reject(signal.reason as Error);
    return promise;
  }
  let timer: NodeJS.Timeout;
  function wait(leftMs: number): void {
    timer =
      leftMs > LONGEST_TIMER ? setTimeout(() => wait(leftMs - LONGEST_TIMER), LONGEST_TIMER) : setTimeout(done, leftMs);
  }
  function done(): void {
    signal?.removeEventListener('abort', stop);
    resolve();
  }
  function stop(): void {
    clearTimeout(timer);
    reject(signal?.reason as Error);
  }
  wait(ms);
  signal?.addEventListener('abort', stop, { once: true });
  return promise;
}

/** Whether `work` has ended, well or not, when `ms` milliseconds are over; resolves as soon as that is known. */
export async function endsWithin(ms: number, work: Promise<unknown>): Promise<boolean> {
  const over = new AbortController();
  const ended = work.then(
    () => true,
    () => true,
  );
  const late = sleep(ms, over.signal).then(
    () => false,
    () => true,
  );
  const result = await Promise.race([ended, late]);
  over.abort();
  return result;
}

/**
 * Resolves when what has come in by now is taken. A process that stood still, stopped or starved of CPU, is woken by its timers
 * first, and by what it knows then all others have been silent meanwhile.
 */
export function inputTaken(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  setImmediate(resolve);
  return promise;
}

/** Resolves when the signal aborts, at once if it has. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => resolve(), { once: true });
  return promise;
}
