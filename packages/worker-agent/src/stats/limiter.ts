/** Few things at once, some waiting, the rest refused: bounds what a burst of callers can cost. */
export interface Limiter {
  /** @throws whatever `full` gives when too many wait already. */
  run<T>(work: () => Promise<T>): Promise<T>;
}

export function createLimiter(atOnce: number, waiting: number, full: () => Error): Limiter {
  let running = 0;
  const queue: (() => void)[] = [];
  return {
    async run(work) {
      if (running >= atOnce) {
        if (queue.length >= waiting) throw full();
        const { promise, resolve } = Promise.withResolvers<void>();
        queue.push(resolve);
        // Whoever ends hands its place over, so nobody comes in between.
        await promise;
      } else running++;
      try {
        return await work();
      } finally {
        const next = queue.shift();
        if (next) next();
        else running--;
      }
    },
  };
}
