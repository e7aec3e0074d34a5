import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openIntervals } from './intervals.ts';
import { insideWindows } from './windows.ts';

const tutorial = [
  { start: '18:00', end: '08:00', days: ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday'] },
  { start: '00:00', end: '23:59', days: ['Saturday', 'Sunday'] },
];

function listed(...args: Parameters<typeof openIntervals>): (string | undefined)[][] {
  return openIntervals(...args).map(({ opensAt, closesAt }) => [opensAt?.toISOString(), closesAt?.toISOString()]);
}

test('intervals have their true ends, also outside the range', () => {
  // Saturday noon to Tuesday noon.
  expect(listed(tutorial, 'UTC', new Date('2026-11-21T12:00:00Z'), new Date('2026-11-24T01:00:00Z'))).toEqual([
    ['2026-11-20T18:00:00.000Z', '2026-11-23T08:01:00.000Z'],
    ['2026-11-23T18:00:00.000Z', '2026-11-24T08:01:00.000Z'],
  ]);
});

test('no windows are one interval without ends; a closed week has none', () => {
  const from = new Date('2026-11-21T12:00:00Z');
  expect(listed(undefined, 'UTC', from, new Date('2026-11-28T12:00:00Z'))).toEqual([[undefined, undefined]]);
  expect(listed([{ days: ['Sunday'] }], 'UTC', from, new Date('2026-11-21T13:00:00Z'))).toEqual([]);
});

test('a moment lies in an interval exactly when it is inside the windows', () => {
  const clock = fc
    .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
    .map((parts) => parts.map((part) => String(part).padStart(2, '0')).join(':'));
  const windows = fc.array(
    fc.record({ start: clock, end: clock, days: fc.subarray(['Monday', 'Wednesday', 'Saturday', 'Sunday']) }),
    { minLength: 1, maxLength: 3 },
  );
  const zone = fc.constantFrom('UTC', 'Asia/Shanghai', 'Europe/Berlin', 'Australia/Lord_Howe');
  const base = Date.parse('2026-10-20T00:00:00Z');
  fc.assert(
    fc.property(windows, zone, fc.nat(14 * 1440), fc.nat(5 * 1440 - 1), (list, name, offset, minute) => {
      const from = new Date(base + offset * 60_000);
      const until = new Date(from.getTime() + 5 * 86_400_000);
      const at = new Date(from.getTime() + minute * 60_000);
      const inside = openIntervals(list, name, from, until).some(
        ({ opensAt, closesAt }) => (!opensAt || opensAt <= at) && (!closesAt || at < closesAt),
      );
      expect(inside).toBe(insideWindows(list, at, name));
    }),
    { numRuns: 60 },
  );
});
