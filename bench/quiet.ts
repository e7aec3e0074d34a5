/** The end of what belongs to the pods of a run: some of it is removed later than they. */
import { performance } from 'node:perf_hooks';
import { pause } from './stop.ts';
import { difference, type Readings, total } from './writes.ts';

/** So long nothing was written when all that belongs to the pods is done: what is removed later than they counts as well. */
const QUIET_MS = 3000;
/** Copies of ConfigMaps and Secrets go 30 s after the last pod that needs them; longer is a system's own unrest. */
export const QUIET_MOST_MS = 45_000;

/**
 * Whether nothing was written that pods are the reason for. Nodes' status is left out beside Leases and Events: hollow nodes
 * tell theirs every five minutes, so that with 200 of them three quiet seconds would be luck.
 */
export function isQuiet(before: Readings, now: Readings): boolean {
  return (['computing', 'worker'] as const).every((side) => {
    const written = difference(before[side].writes, now[side].writes);
    return total(written, ['PATCH nodes/status', 'PUT nodes/status']) === 0;
  });
}

export interface Settled {
  readings: Readings;
  /** False: it went on writing, and what came later is not counted. */
  quiet: boolean;
}

export interface SettleTimes {
  quietMs?: number;
  mostMs?: number;
  signal?: AbortSignal;
}

/** Waits until neither side writes any more, but not for ever; gives the last counts. */
export async function settle(
  read: () => Promise<Readings>,
  { quietMs = QUIET_MS, mostMs = QUIET_MOST_MS, signal }: SettleTimes = {},
): Promise<Settled> {
  const end = performance.now() + mostMs;
  for (let last = await read(); ; ) {
    await pause(quietMs, signal);
    const now = await read();
    if (isQuiet(last, now)) return { readings: now, quiet: true };
    if (performance.now() + quietMs > end) return { readings: now, quiet: false };
    last = now;
  }
}
