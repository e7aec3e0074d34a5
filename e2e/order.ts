/**
 * In which order test files begin: the longest first, so that no lane waits at the end for one that began last. How long
 * each takes is known from this checkout's last `npm test`, and otherwise from the committed table.
 */
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** Seconds by the name of the file, `pods.test.ts`. */
export type Durations = Record<string, number>;

/** Where `npm test` keeps the durations of its last run. */
export const LAST_RUN = '.local/results/durations.json';
const COMMITTED = 'durations.json';

/** Of the last run here, with those of the committed table for what it did not run. */
export function knownDurations(checkout: string): Durations {
  return { ...read(join(import.meta.dirname, COMMITTED)), ...read(join(checkout, LAST_RUN)) };
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

/** Longest first; one of which nothing is known counts as the longest, equal ones go by name. */
export function longestFirst<T>(files: readonly T[], pathOf: (file: T) => string, durations: Durations): T[] {
  const seconds = (file: T) => durations[basename(pathOf(file))] ?? Number.POSITIVE_INFINITY;
  return files.toSorted((a, b) => {
    const [first, second] = [seconds(a), seconds(b)];
    if (first !== second) return first > second ? -1 : 1;
    return pathOf(a) < pathOf(b) ? -1 : 1;
  });
}
