/** Few things at once, some waiting, the rest refused: bounds what a burst of callers can cost. */
export interface Limiter {
  /**
   * @param signal aborts when nobody waits for it any more: it then leaves the line. What runs already sees to itself.
   * @throws whatever `full` gives when too many wait already; the signal's reason.
   */
  run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** How many run or wait. */
  readonly size: number;
}

export function createLimiter(atOnce: number, waiting: number, full: () => Error): Limiter {
  let running = 0;
  /** In the order they came. */
  const line = new Set<() => void>();

  function takeTurn(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const begin = () => {
      line.delete(begin);
      signal?.removeEventListener('abort', leave);
      resolve();
    };
    const leave = () => {
      line.delete(begin);
      reject(signal?.reason as Error);
    };
    line.add(begin);
    signal?.addEventListener('abort', leave, { once: true });
    return promise;
  }

  return {
    async run(work, signal) {
      signal?.throwIfAborted();
      if (running >= atOnce) {
        if (line.size >= waiting) throw full();
        // Whoever ends hands its place over, so nobody comes in between.
        await takeTurn(signal);
      } else running++;
      try {
        return await work();
      } finally {
        const [next] = line;
        if (next) next();
        else running--;
      }
    },
    get size() {
      return running + line.size;
    },
  };
}
