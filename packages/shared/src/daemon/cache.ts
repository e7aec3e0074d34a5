/** Remembers answers for a while, asks once for callers who ask at the same time, and never holds more than its bound. */

export interface CacheOptions<V> {
  /** Milliseconds for which an answer holds; 0: it is given to those who wait for it now, and forgotten. */
  holdMs: (value: V) => number;
  /** Answers kept at most; the oldest go first. */
  bound: number;
  /** A clock that never goes back, in milliseconds. */
  clock?: () => number;
}

export interface Cache<V> {
  /** The remembered answer, or that of `ask`. A failure is passed on to all who wait for it and is not remembered. */
  get(key: string, ask: () => Promise<V>): Promise<V>;
  readonly size: number;
}

export function createCache<V>(options: CacheOptions<V>): Cache<V> {
  const clock = options.clock ?? (() => performance.now());
  const answers = new Map<string, { value: V; until: number }>();
  const asking = new Map<string, Promise<V>>();

  async function ask(key: string, question: () => Promise<V>): Promise<V> {
    try {
      const value = await question();
      const holdMs = options.holdMs(value);
      answers.delete(key);
      if (holdMs > 0) answers.set(key, { value, until: clock() + holdMs });
      if (answers.size > options.bound) answers.delete(answers.keys().next().value as string);
      return value;
    } finally {
      asking.delete(key);
    }
  }

  return {
    get(key, question) {
      const known = answers.get(key);
      if (known && clock() < known.until) return Promise.resolve(known.value);
      let running = asking.get(key);
      if (!running) {
        running = ask(key, question);
        asking.set(key, running);
      }
      return running;
    },
    get size() {
      return answers.size;
    },
  };
}
