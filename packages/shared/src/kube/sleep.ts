/** Waiting, ended early by a signal. */

/** Resolves after `ms` milliseconds; rejects at once when the signal aborts. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  if (signal?.aborted) {
    reject(signal.reason as Error);
    return promise;
  }
  const timer = setTimeout(done, ms);
  function done(): void {
    signal?.removeEventListener('abort', stop);
    resolve();
  }
  function stop(): void {
    clearTimeout(timer);
    reject(signal?.reason as Error);
  }
  signal?.addEventListener('abort', stop, { once: true });
  return promise;
}

/** Resolves when the signal aborts, at once if it has. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => resolve(), { once: true });
  return promise;
}
