/** A vnode's CPU counter: the sum of its pods', which must never fall nor count anything twice. */
import type { PodPairs } from './rename.ts';

/** What a pod's counter showed. */
export interface Reading {
  value: number;
  /** Milliseconds since 1970 by the worker's clock; undefined when that is not told, as the pod is known by its UID. */
  at?: number;
}

/** A counter of many parts that never falls: parts that are gone keep counting, those not told of keep their last value. */
export interface SumCounter {
  /** The sum, given what is known of parts now and which parts there are at all. Parts are never used again. */
  add(readings: ReadonlyMap<string, number>, alive: ReadonlySet<string>): number;
}

/** Parts that are remembered one by one after their end: for as long as an old answer or list may still tell of them. */
const REMEMBERED = 1024;

export function createSumCounter(remembered = REMEMBERED): SumCounter {
  /** The highest of each part, those that were heard of last at the end. */
  const highest = new Map<string, number>();
  let forgotten = 0;
  // The same figures added up in another order may come out a hair lower.
  let most = 0;

  function forget(alive: ReadonlySet<string>): void {
    let left = highest.size - alive.size - remembered;
    for (const [part, value] of highest) {
      if (left <= 0) return;
      if (alive.has(part)) continue;
      forgotten += value;
      highest.delete(part);
      left--;
    }
  }

  return {
    add(readings, alive) {
      for (const [part, value] of readings) {
        // Replicas of the agent hold answers for some seconds, each its own: what comes later may be older, and lower.
        const next = Math.max(value, highest.get(part) ?? 0);
        highest.delete(part);
        highest.set(part, next);
      }
      forget(alive);
      let sum = forgotten;
      for (const value of highest.values()) sum += value;
      most = Math.max(most, sum);
      return most;
    },
  };
}

/** Shorter than any pod needs to be made and start. Times of objects have whole seconds, cut off. */
const YOUNG_MS = 1_000;

/**
 * Readings by UID of the worker pod, given those by `namespace/name` at home. One taken before the pod was made is of an
 * earlier pod of that name, in an answer some seconds old, and left out. Pure.
 */
export function byWorkerPod(readings: ReadonlyMap<string, Reading>, pairs: PodPairs): Map<string, number> {
  const found = new Map<string, number>();
  for (const { namespace, name, workerUID, createdAt } of pairs.values()) {
    const reading = readings.get(`${namespace}/${name}`);
    if (!reading || (reading.at !== undefined && reading.at < createdAt + YOUNG_MS)) continue;
    found.set(workerUID, reading.value);
  }
  return found;
}

/** UIDs of the worker pods that there are. */
export function workerPodsOf(pairs: PodPairs): Set<string> {
  return new Set([...pairs.values()].map(({ workerUID }) => workerUID));
}
