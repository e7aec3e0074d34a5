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

/** Parts that are remembered one by one after their end, at most. */
const REMEMBERED = 1024;
/**
 * How long they are, in milliseconds: for as long as an old answer or list may still tell of them. For longer, a thousand
 * vnodes would come to keep a thousand pods each that are long gone.
 */
const REMEMBERED_MS = 60_000;

interface Part {
  highest: number;
  /** When it was first not among those that there are. */
  endedAt: number | undefined;
}

/** @param clock milliseconds, never going back */
export function createSumCounter(remembered = REMEMBERED, clock = (): number => performance.now()): SumCounter {
  /** Those that were heard of last at the end. */
  const parts = new Map<string, Part>();
  let forgotten = 0;
  // The same figures added up in another order may come out a hair lower.
  let most = 0;

  function forget(alive: ReadonlySet<string>): void {
    const now = clock();
    let tooMany = parts.size - alive.size - remembered;
    for (const [name, part] of parts) {
      if (alive.has(name)) {
        part.endedAt = undefined;
        continue;
      }
      part.endedAt ??= now;
      if (tooMany <= 0 && now - part.endedAt < REMEMBERED_MS) continue;
      forgotten += part.highest;
      parts.delete(name);
      tooMany--;
    }
  }

  return {
    add(readings, alive) {
      for (const [name, value] of readings) {
        const part = parts.get(name) ?? { highest: 0, endedAt: undefined };
        // Replicas of the agent hold answers for some seconds, each its own: what comes later may be older, and lower.
        part.highest = Math.max(value, part.highest);
        parts.delete(name);
        parts.set(name, part);
      }
      forget(alive);
      let sum = forgotten;
      for (const { highest } of parts.values()) sum += highest;
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
