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
