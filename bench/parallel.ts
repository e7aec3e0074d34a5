/** Work side by side that ends together: the first failure stops the rest, and nothing goes on behind the caller's back. */
import { performance } from 'node:perf_hooks';
import { pause, stopping } from './stop.ts';

/** A piece of work; its signal aborts when another piece has failed, or when the bench is to end. */
export type Work<T> = (signal: AbortSignal) => Promise<T>;

/**
 * Runs all pieces at once. When one fails the signal of the others aborts, and only when all have ended is the first failure
 * thrown: what is cleared afterwards is not filled again by a straggler.
 */
export async function allOrNone<T>(works: readonly Work<T>[], signal: AbortSignal = stopping): Promise<T[]> {
  const ending = new AbortController();
  const either = AbortSignal.any([signal, ending.signal]);
  const failures: unknown[] = [];
  const results: T[] = [];
  await Promise.all(
    works.map(async (work, at) => {
      try {
        results[at] = await work(either);
      } catch (error) {
        failures.push(error);
        ending.abort(error);
      }
    }),
  );
  if (failures.length > 0) throw failures[0];
  return results;
}

/** Runs `work` for each item, `width` at a time; after a failure no further item is begun. */
export async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T, at: number, signal: AbortSignal) => Promise<void>,
  signal: AbortSignal = stopping,
): Promise<void> {
  let next = 0;
  const lane = async (ending: AbortSignal): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) {
      ending.throwIfAborted();
      await work(items[at] as T, at, ending);
    }
  };
  await allOrNone(
    Array.from({ length: Math.min(width, items.length) }, () => lane),
    signal,
  );
}

export interface Wait {
  /** What is waited for, and how far it is: for people. */
  what: string;
  progress: () => string;
  done: () => boolean;
  timeoutMs: number;
  say: (line: string) => void;
  /** Default: when the bench is to end. */
  signal?: AbortSignal;
}

/** Waits until `done`; says how far it is every ten seconds. @throws Error naming what did not come. */
export async function until({ what, progress, done, timeoutMs, say, signal = stopping }: Wait): Promise<void> {
  const start = performance.now();
  let told = start;
  while (!done()) {
    signal.throwIfAborted();
    const now = performance.now();
    if (now - start > timeoutMs) throw new Error(`${what}: not within ${timeoutMs / 1000} s (${progress()})`);
    if (now - told > 10_000) {
      say(`    ${what}: ${progress()}`);
      told = now;
    }
    await pause(20, signal);
  }
}
