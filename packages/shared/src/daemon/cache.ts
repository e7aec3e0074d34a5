/**
 * Remembers answers for a while, asks once for callers who ask at the same time, and never holds more than its bounds.
 * What nobody waits for any more is told so.
 */
import { createExpiringMap, type ExpiringOptions, type Value } from './expiring.ts';

export interface CacheOptions<V> extends ExpiringOptions<V> {
  /** Milliseconds for which an answer holds; 0: it is given to those who wait for it now, and forgotten. */
  holdMs: (value: V) => number;
}

export interface Cache<V> {
  /**
   * The remembered answer, or that of `ask`. A failure is passed on to all who wait for it and is not remembered.
   * @param ask is given a signal that aborts when none of the callers waits any more
   * @param signal aborts when this caller does not wait any more; without one it waits to the end
   */
  get(key: string, ask: (abandoned: AbortSignal) => Promise<V>, signal?: AbortSignal): Promise<V>;
  /** The remembered answer is too old for somebody: the next caller asks again. */
  forget(key: string): void;
  readonly size: number;
}

interface Question<V> {
  answer: Promise<V>;
  waiting: number;
  abandon: AbortController;
}

export function createCache<V extends Value>(options: CacheOptions<V>): Cache<V> {
  const answers = createExpiringMap<V>(options);
  const asking = new Map<string, Question<V>>();

  function begin(key: string, ask: (abandoned: AbortSignal) => Promise<V>): Question<V> {
    const { promise, resolve } = Promise.withResolvers<V>();
    const question: Question<V> = { answer: promise, waiting: 0, abandon: new AbortController() };
    async function run(): Promise<V> {
      try {
        const value = await ask(question.abandon.signal);
        const holdMs = options.holdMs(value);
        // What was asked after one that was abandoned is newer.
        if (holdMs > 0 && !question.abandon.signal.aborted) answers.set(key, value, holdMs);
        return value;
      } finally {
        // Another may have begun since nobody waited for this one.
        if (asking.get(key) === question) asking.delete(key);
      }
    }
    asking.set(key, question);
    resolve(run());
    return question;
  }

  async function waitFor(key: string, question: Question<V>, signal: AbortSignal): Promise<V> {
    try {
      return await orAborted(question.answer, signal);
    } finally {
      question.waiting--;
      if (question.waiting === 0 && asking.get(key) === question) {
        asking.delete(key);
        question.abandon.abort(signal.reason);
      }
    }
  }

  return {
    async get(key, ask, signal) {
      const known = answers.get(key);
      if (known !== undefined) return known;
      const question = asking.get(key) ?? begin(key, ask);
      question.waiting++;
      return signal ? waitFor(key, question, signal) : question.answer;
    },
    forget(key) {
      answers.delete(key);
    },
    get size() {
      return answers.size;
    },
  };
}

/** What the promise says, or the signal's reason when that comes first. */
function orAborted<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const stop = () => reject(signal.reason as Error);
  signal.addEventListener('abort', stop, { once: true });
  answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  if (signal.aborted) stop();
  return promise;
}
