import fc from 'fast-check';
import { DateTime } from 'luxon';
import { describe, expect, it } from 'vitest';
import type { TimeWindow } from '../api/policy.ts';
import { insideWindows, nextTransition, windowsProblem } from './windows.ts';

/** The sample of the tutorial: weekdays 18:00–08:00 and all of the weekend. */
const tutorial: TimeWindow[] = [
  { start: '18:00', end: '08:00', days: ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday'] },
  { start: '00:00', end: '23:59', days: ['Saturday', 'Sunday'] },
];

/** 2026-11-16 is a Monday. */
const membership: [string, TimeWindow[], string, boolean][] = [
  ['no windows', [], '2026-11-16T12:00', true],
  ['a window with nothing in it', [{}], '2026-11-16T23:59:59.999', true],
  ['an empty day list', [{ start: '09:00', end: '10:00', days: [] }], '2026-11-16T09:30', true],
  ['the first second', [{ start: '09:00', end: '10:00' }], '2026-11-16T09:00', true],
  ['the second before', [{ start: '09:00', end: '10:00' }], '2026-11-16T08:59:59.999', false],
  ['the last second of the end minute', [{ start: '09:00', end: '10:00' }], '2026-11-16T10:00:59.999', true],
  ['the minute after', [{ start: '09:00', end: '10:00' }], '2026-11-16T10:01', false],
  ['start = end is one minute', [{ start: '09:00', end: '09:00' }], '2026-11-16T09:00:30', true],
  ['across midnight, before', [{ start: '22:00', end: '06:00' }], '2026-11-16T23:00', true],
  ['across midnight, after', [{ start: '22:00', end: '06:00' }], '2026-11-16T06:00:59', true],
  ['across midnight, outside', [{ start: '22:00', end: '06:00' }], '2026-11-16T12:00', false],
  [
    'the day is that of the moment asked: Tuesday 02:00',
    [{ start: '22:00', end: '06:00', days: ['Monday'] }],
    '2026-11-17T02:00',
    false,
  ],
  [
    'the day is that of the moment asked: Monday 02:00',
    [{ start: '22:00', end: '06:00', days: ['monday'] }],
    '2026-11-16T02:00',
    true,
  ],
  ['tutorial: Friday 17:59', tutorial, '2026-11-20T17:59:59', false],
  ['tutorial: Friday 18:00', tutorial, '2026-11-20T18:00', true],
  ['tutorial: Saturday noon', tutorial, '2026-11-21T12:00', true],
  ['tutorial: Sunday 23:59:59', tutorial, '2026-11-22T23:59:59', true],
  ['tutorial: Monday 08:00:59', tutorial, '2026-11-23T08:00:59', true],
  ['tutorial: Monday 08:01', tutorial, '2026-11-23T08:01', false],
];

describe('windows', () => {
  it.each(membership)('%s', (_, windows, local, expected) => {
    for (const zone of ['UTC', 'Asia/Shanghai', 'America/St_Johns']) {
      expect(insideWindows(windows, DateTime.fromISO(local, { zone }).toJSDate(), zone)).toBe(expected);
    }
  });

  it.each([
    ['the tutorial opens on Friday for the whole weekend', tutorial, '2026-11-20T12:00', '2026-11-20T18:00'],
    ['and closes on Monday', tutorial, '2026-11-20T19:00', '2026-11-23T08:01'],
    ['always open', [], '2026-11-20T12:00', undefined],
    ['every minute of every day', [{}], '2026-11-20T12:00', undefined],
    ['exactly at a boundary', [{ start: '09:00', end: '10:00' }], '2026-11-20T09:00', '2026-11-20T10:01'],
    ['within the end minute', [{ start: '09:00', end: '10:00' }], '2026-11-20T10:00:30', '2026-11-20T10:01'],
    ['once a week', [{ start: '09:00', end: '10:00', days: ['Monday'] }], '2026-11-16T10:01', '2026-11-23T09:00'],
  ] as [string, TimeWindow[], string, string | undefined][])('next change: %s', (_, windows, local, expected) => {
    const zone = 'Asia/Shanghai';
    const next = nextTransition(windows, DateTime.fromISO(local, { zone }).toJSDate(), zone);
    expect(next?.toISOString()).toBe(expected && DateTime.fromISO(expected, { zone }).toJSDate().toISOString());
  });

  it('on the day that summer time skips a window, it is open for what remains of it', () => {
    const zone = 'Europe/Berlin';
    const windows = [{ start: '02:30', end: '03:14' }];
    const opens = nextTransition(windows, new Date('2027-03-28T00:00:00Z'), zone);
    expect(opens?.toISOString()).toBe('2027-03-28T01:00:00.000Z');
    expect(nextTransition(windows, opens as Date, zone)?.toISOString()).toBe('2027-03-28T01:15:00.000Z');
  });

  it('a weekly window that summer time skips is found a week later', () => {
    const windows = [{ start: '02:15', end: '02:45', days: ['Sunday'] }];
    const next = nextTransition(windows, new Date('2027-03-21T02:00:00Z'), 'Europe/Berlin');
    expect(next?.toISOString()).toBe('2027-04-04T00:15:00.000Z');
  });

  it.each([
    [[{ start: '24:00', end: '08:00' }], 'UTC', /"24:00" is no time/],
    [[{ start: '8:00', end: '09:00' }], 'UTC', /"8:00" is no time/],
    [[{ days: ['Funday'] }], 'UTC', /"Funday" is no day/],
    [[], 'Mars/Olympus', /time zone "Mars\/Olympus" is not known/],
  ])('%j in %s is told to be wrong', (windows, zone, problem) =>
    expect(windowsProblem(windows, zone)).toMatch(problem),
  );
});

/** Membership asked of luxon's own calendar, minute by minute. */
function oracle(windows: TimeWindow[], at: number, zone: string): boolean {
  const local = DateTime.fromMillis(at, { zone });
  const clock = local.toFormat('HH:mm');
  return windows.some(({ start = '00:00', end = '23:59', days = [] }) => {
    if (days.length > 0 && !days.includes(local.setLocale('en').weekdayLong ?? '')) return false;
    return start <= end ? clock >= start && clock <= end : clock >= start || clock <= end;
  });
}

describe('windows, against a minute-by-minute oracle', () => {
  const time = fc
    .tuple(fc.nat(23), fc.nat(59))
    .map(([hour, minute]) => `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`);
  const day = fc.constantFrom('Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday');
  const window = fc.record({ start: time, end: time, days: fc.uniqueArray(day) });
  // A few days around changes of the offset: Berlin, Santiago (gap at midnight), Lord Howe (half an hour), and one without.
  const moment = fc.constantFrom(
    ['Europe/Berlin', '2027-03-27T12:00:00Z'],
    ['Europe/Berlin', '2026-10-24T12:00:00Z'],
    ['America/Santiago', '2026-09-05T12:00:00Z'],
    ['America/Santiago', '2027-04-03T12:00:00Z'],
    ['Australia/Lord_Howe', '2026-10-03T12:00:00Z'],
    ['Australia/Lord_Howe', '2027-04-03T12:00:00Z'],
    ['Asia/Kolkata', '2026-11-20T12:00:00Z'],
  ) as fc.Arbitrary<[string, string]>;

  it('membership and the next change agree', () => {
    fc.assert(
      fc.property(
        fc.array(window, { minLength: 1, maxLength: 3 }),
        moment,
        fc.nat(1440),
        (windows, [zone, day1], skip) => {
          const from = Date.parse(day1) + skip * 60_000;
          const inside = insideWindows(windows, new Date(from), zone);
          expect(inside).toBe(oracle(windows, from, zone));
          let expected: number | undefined;
          for (let at = from + 60_000; at <= from + 36 * 3_600_000 && expected === undefined; at += 60_000) {
            if (oracle(windows, at, zone) !== inside) expected = at;
          }
          const next = nextTransition(windows, new Date(from), zone)?.getTime();
          if (expected !== undefined) expect(next).toBe(expected);
          else expect(next ?? Infinity).toBeGreaterThan(from + 36 * 3_600_000);
        },
      ),
      { numRuns: 60 },
    );
  }, 60_000);
});
