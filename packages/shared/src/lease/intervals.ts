/** When windows are open over a stretch of time: the list behind calendars and tables. */
import type { TimeWindow } from '../api/policy.ts';
import { insideWindows, nextTransition } from './windows.ts';

/** How far back the opening of an interval is looked for that is open already. */
const LookBackMs = 8 * 86_400_000;

export interface OpenInterval {
  /** Undefined: open since before anything that was looked at, more than a week. */
  opensAt?: Date;
  /** The first instant that is outside again. Undefined: never. */
  closesAt?: Date;
}

/**
 * The intervals that touch [from, until), in order, with their true ends: the first may begin before `from`, the last
 * may end after `until`.
 * @throws RangeError when a window or the zone is not valid; see `windowsProblem`
 */
export function openIntervals(
  windows: readonly TimeWindow[] | undefined,
  zone: string,
  from: Date,
  until: Date,
): OpenInterval[] {
  const intervals: OpenInterval[] = [];
  let at: Date | undefined = new Date(from.getTime() - LookBackMs);
  let inside = insideWindows(windows, at, zone);
  let opensAt: Date | undefined;
  while (at && (at < until || inside)) {
    const next: Date | undefined = nextTransition(windows, at, zone);
    if (inside && (!next || next > from)) {
      intervals.push({ ...(opensAt && { opensAt }), ...(next && { closesAt: next }) });
    }
    inside = !inside;
    opensAt = inside ? next : undefined;
    if (inside && next && next >= until) break;
    at = next;
  }
  return intervals;
}
