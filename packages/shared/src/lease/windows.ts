/**
 * Time windows of a policy. A moment is inside a window when the wall clock of the zone says so: local start and end
 * instants are never built, so hours that a change to summer time skips or repeats need no rule of their own.
 */
import { IANAZone } from 'luxon';
import type { TimeWindow } from '../api/policy.ts';

const MinuteMs = 60_000;
const DayMs = 86_400_000;
const MinutesPerDay = 1440;
/**
 * Days in which a change must show if there is any: a window repeats weekly, unless summer time skips it once.
 */
const horizonDays = 16;
/** Monday first, as luxon and ISO 8601 count. */
const dayNames = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];

interface Span {
  /** Minutes of the day, both inclusive; end < start crosses midnight. */
  start: number;
  end: number;
  /** 0 = Monday; undefined = every day. */
  days: ReadonlySet<number> | undefined;
}

/**
 * True when `now` lies in any of the windows; no windows = always. Both ends are inclusive to the minute; the day list
 * is held against the calendar day of the moment asked, also after midnight in a window that crosses it.
 * @throws RangeError when a window or the zone is not valid; see {@link windowsProblem}
 */
export function insideWindows(windows: readonly TimeWindow[] | undefined, now: Date, zone: string): boolean {
  if (!windows || windows.length === 0) return true;
  const spans = windows.map(readSpan);
  return insideSpans(spans, now.getTime() + offsetMs(openZone(zone), now.getTime()));
}

/**
 * The first instant after `now` at which being inside or outside changes, exact to the minute; undefined when it never
 * does.
 * @throws RangeError when a window or the zone is not valid; see {@link windowsProblem}
 */
export function nextTransition(windows: readonly TimeWindow[] | undefined, now: Date, zone: string): Date | undefined {
  if (!windows || windows.length === 0) return undefined;
  const spans = windows.map(readSpan);
  const iana = openZone(zone);
  const from = now.getTime();
  const until = from + horizonDays * DayMs;
  const inside = insideSpans(spans, from + offsetMs(iana, from));

  const minutes = boundaries(spans);
  let start = from;
  while (start < until) {
    // Between two changes of the offset, local time is UTC plus a constant: every boundary is one sum away.
    const offset = offsetMs(iana, start);
    const end = offsetChange(iana, start, until) ?? until;
    if (start > from && insideSpans(spans, start + offset) !== inside) return new Date(start);
    const firstDay = Math.floor((start + offset) / DayMs) * DayMs;
    for (let day = firstDay; day < end + offset; day += DayMs) {
      for (const minute of minutes) {
        const local = day + minute * MinuteMs;
        const at = local - offset;
        if (at > start && at < end && insideSpans(spans, local) !== inside) return new Date(at);
      }
    }
    start = end;
  }
  return undefined;
}

/** Why the windows or the zone are not valid, in words for the policy; undefined when they are. */
export function windowsProblem(windows: readonly TimeWindow[] | undefined, zone: string): string | undefined {
  try {
    openZone(zone);
    for (const window of windows ?? []) readSpan(window);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function openZone(zone: string): IANAZone {
  const iana = IANAZone.create(zone);
  if (!iana.isValid) throw new RangeError(`time zone "${zone}" is not known; use an IANA name like Asia/Shanghai`);
  return iana;
}

function readSpan(window: TimeWindow): Span {
  const days = window.days?.map((name) => {
    const day = dayNames.indexOf(name.toLowerCase());
    if (day < 0) throw new RangeError(`timeWindows: "${name}" is no day; use Monday to Sunday`);
    return day;
  });
  return {
    start: readTime(window.start ?? '00:00'),
    end: readTime(window.end ?? '23:59'),
    days: days && days.length > 0 ? new Set(days) : undefined,
  };
}

function readTime(text: string): number {
  const match = /^([01][0-9]|2[0-3]):([0-5][0-9])$/.exec(text);
  if (!match) throw new RangeError(`timeWindows: "${text}" is no time; use HH:MM from 00:00 to 23:59`);
  return Number(match[1]) * 60 + Number(match[2]);
}

/** `local` is milliseconds of the wall clock, counted as if it were UTC. */
function insideSpans(spans: readonly Span[], local: number): boolean {
  const day = Math.floor(local / DayMs);
  // 1970-01-01, day 0, was a Thursday.
  const weekday = (((day + 3) % 7) + 7) % 7;
  const minute = Math.floor((local - day * DayMs) / MinuteMs);
  return spans.some(({ start, end, days }) => {
    if (days && !days.has(weekday)) return false;
    return start <= end ? minute >= start && minute <= end : minute >= start || minute <= end;
  });
}

/** Minutes of the day at which membership can change, ascending: the day's start, starts, and the minutes after ends. */
function boundaries(spans: readonly Span[]): number[] {
  const minutes = new Set([0]);
  for (const { start, end } of spans) {
    minutes.add(start);
    minutes.add((end + 1) % MinutesPerDay);
  }
  return [...minutes].sort((a, b) => a - b);
}

function offsetMs(zone: IANAZone, at: number): number {
  return Math.round(zone.offset(at) * MinuteMs);
}

/** First instant in (from, until) with another offset than `from`. Zones change at most once a day. */
function offsetChange(zone: IANAZone, from: number, until: number): number | undefined {
  const offset = offsetMs(zone, from);
  let same = from;
  let other = from;
  while (offsetMs(zone, other) === offset) {
    if (other >= until) return undefined;
    same = other;
    other = Math.min(other + DayMs, until);
  }
  while (other - same > 1) {
    const middle = Math.floor((same + other) / 2);
    if (offsetMs(zone, middle) === offset) same = middle;
    else other = middle;
  }
  return other < until ? other : undefined;
}
