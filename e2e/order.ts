/**
 * In which order test files begin: the longest first, so that no lane waits at the end for one that began last. How long
 * each takes is known from this checkout's last `npm test`, and otherwise from the committed table.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Seconds by the path in the checkout, `e2e/pods.test.ts`. */
export type Durations = Record<string, number>;

/** Where `npm test` keeps the durations of its last run. */
export const LAST_RUN = '.local/results/durations.json';
const COMMITTED = 'durations.json';

/** Of the last run here, with those of the committed table for what it does not tell. */
export function knownDurations(checkout: string): Durations {
  return { ...read(join(import.meta.dirname, COMMITTED)), ...lastDurations(checkout) };
}

/** Of the last run here; none before there was one. */
export function lastDurations(checkout: string): Durations {
  return read(join(checkout, LAST_RUN));
}

function read(file: string): Durations {
  if (!existsSync(file)) return {};
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Durations;
  } catch {
    // Half written by a run that was ended: as good as none.
    return {};
  }
}

/**
 * Longest first, equal ones by path. Of what nothing is known: an end-to-end test counts as the longest, another as the
 * shortest, since only those of a second and more are kept.
 * @param pathOf in the checkout
 */
export function longestFirst<T>(files: readonly T[], pathOf: (file: T) => string, durations: Durations): T[] {
  const seconds = (path: string) => durations[path] ?? (path.startsWith('e2e/') ? Number.POSITIVE_INFINITY : 0);
  return files.toSorted((one, other) => {
    const [a, b] = [pathOf(one), pathOf(other)];
    return seconds(b) - seconds(a) || (a < b ? -1 : 1);
  });
}
