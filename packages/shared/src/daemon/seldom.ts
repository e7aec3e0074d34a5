/**
 * What would be told over and over is told from time to time: whoever asks without end, be it a scraper for each of its nodes
 * or a stranger who knocks, is not to fill the log.
 */
import { createExpiringMap } from './expiring.ts';

/**
 * To be asked before something is told.
 * @returns how many of its sort went untold since the last that was told; undefined: this one is to go untold as well
 */
export type Seldom = (sort: string) => number | undefined;

const EVERY_MS = 10_000;
/** Sorts that are remembered, and for how long after the last line of one. */
const SORTS = 1024;
const REMEMBERED_MS = 60_000;

/** @param clock milliseconds, never going back */
export function createSeldom(clock: () => number = () => performance.now()): Seldom {
  const told = createExpiringMap<{ at: number; untold: number }>({ bound: SORTS, clock });
  return (sort) => {
    const last = told.get(sort);
    if (last && clock() - last.at < EVERY_MS) {
      last.untold++;
      return undefined;
    }
    told.set(sort, { at: clock(), untold: 0 }, REMEMBERED_MS);
    return last?.untold ?? 0;
  };
}
