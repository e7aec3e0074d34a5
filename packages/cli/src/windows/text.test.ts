import { expect, test } from 'vitest';
import { hourScale } from './calendar.ts';
import { windowsReport, windowsText } from './text.ts';

function policy(spec: object) {
  return { metadata: { name: 'p' }, spec: { cluster: 'c', ...spec } };
}

const tutorial = [
  { start: '18:00', end: '08:00', days: ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday'] },
  { start: '00:00', end: '23:59', days: ['Saturday', 'Sunday'] },
];

test("the tutorial's policy: open from Friday 18:00 to Monday 08:01", () => {
  const from = new Date('2026-11-20T12:00:00Z');
  const text = windowsText(windowsReport(policy({ timeWindows: tutorial }), 'UTC', from, 4));
  expect(text.split('\n')).toEqual([
    'Policy p, lends to c',
    'Time zone UTC (the policy names none: --time-zone, or UTC)',
    'From Fri 2026-11-20 12:00 +00:00 to Tue 2026-11-24 12:00 +00:00',
    'At the beginning: closed; opens Fri 2026-11-20 18:00 +00:00, in 6 h',
    '',
    'OPENS                         CLOSES                        OPEN FOR',
    'Fri 2026-11-20 18:00 +00:00   Mon 2026-11-23 08:01 +00:00   2 d 14 h 1 min',
    'Mon 2026-11-23 18:00 +00:00   Tue 2026-11-24 08:01 +00:00   14 h 1 min',
    '',
    `${' '.repeat(16)}${hourScale()}`.trimEnd(),
    `Fri 2026-11-20 |${' '.repeat(24)}${'.'.repeat(12)}${'#'.repeat(12)}|`,
    `Sat 2026-11-21 |${'#'.repeat(48)}|`,
    `Sun 2026-11-22 |${'#'.repeat(48)}|`,
    `Mon 2026-11-23 |${'#'.repeat(16)}+${'.'.repeat(19)}${'#'.repeat(12)}|`,
    `Tue 2026-11-24 |${'#'.repeat(16)}+${'.'.repeat(7)}${' '.repeat(24)}|`,
    '',
    '# open   + partly open   . closed; half an hour each, by the clock of UTC',
    '',
  ]);
});

test.each([
  [{}, 'At the beginning: open, at all times'],
  [
    { timeWindows: [{ start: '12:00', end: '12:59' }] },
    'At the beginning: open; closes Fri 2026-11-20 13:00 +00:00, in 1 h; lent pods that run may stay (no forceReclaim)',
  ],
  [
    { timeWindows: [{ start: '12:00', end: '12:59' }], forceReclaim: true, gracefulReclaimPeriodSeconds: 90 },
    'At the beginning: open; closes Fri 2026-11-20 13:00 +00:00, in 1 h; lent pods are then evicted after 1 min of notice (forceReclaim)',
  ],
  [
    { timeWindows: [{ start: '12:00', end: '12:59' }], forceReclaim: true },
    'At the beginning: open; closes Fri 2026-11-20 13:00 +00:00, in 1 h; lent pods are then evicted at once (forceReclaim)',
  ],
  [{ timeWindows: [{ days: ['Wednesday'] }] }, 'At the beginning: closed, and no window opens in this time'],
])('%j', (spec, state) => {
  const report = windowsReport(policy(spec), 'UTC', new Date('2026-11-20T12:00:00Z'), 1);
  expect(windowsText(report).split('\n')[3]).toBe(state);
});

test('a policy that its owner takes back says so', () => {
  const taken = { ...policy({}), metadata: { name: 'p', annotations: { 'kubeocean.io/reclaim': 'now' } } };
  const lines = windowsText(windowsReport(taken, 'UTC', new Date('2026-11-20T12:00:00Z'), 1)).split('\n');
  expect(lines[4]).toBe(
    'Taken back by its owner: nothing is lent until the annotation kubeocean.io/reclaim is taken off',
  );
});

test('a policy that is being deleted says so, and what keeps it', () => {
  const finalizers = ['policy.kubeocean.io/finalizer', 'mine'];
  const going = { ...policy({}), metadata: { name: 'p', deletionTimestamp: '2026-11-20T11:00:00Z', finalizers } };
  const lines = windowsText(windowsReport(going, 'UTC', new Date('2026-11-20T12:00:00Z'), 1)).split('\n');
  expect(lines[4]).toBe(
    'It is being deleted since 2026-11-20T11:00:00Z, so it lends nothing any more; these finalizers keep it: policy.kubeocean.io/finalizer (of gocrane/kubeocean: "kubeocean adopt c" takes it off), mine',
  );
});

test.each([
  [
    [{ start: '22:00', end: '06:00', days: ['monday', 'Friday'] }],
    /^The window 22:00-06:00 closes at midnight after Monday, Friday: .* add a window 00:00-06:00 on Tuesday, Saturday$/,
  ],
  [[{ start: '22:00', end: '06:00' }], undefined],
  [[{ start: '22:00', end: '00:00', days: ['Monday'] }], undefined],
  [
    [
      { start: '22:00', end: '06:00', days: ['Monday'] },
      { start: '00:00', end: '06:00', days: ['Tuesday'] },
    ],
    undefined,
  ],
  [tutorial, undefined],
])('a window that midnight cuts says so: %j', (timeWindows, remark) => {
  const report = windowsReport(policy({ timeWindows }), 'UTC', new Date('2026-11-20T12:00:00Z'), 1);
  const line = windowsText(report).split('\n')[4];
  if (remark) expect(line).toMatch(remark);
  else expect(line).toBe('');
});

test('hours that summer time skips are blank, and the repeated ones are one cell', () => {
  const spring = windowsReport(policy({ timeZone: 'Europe/Berlin' }), 'UTC', new Date('2026-03-28T23:00:00Z'), 1);
  expect(spring.days[0]).toEqual({ day: 'Sun 2026-03-29', bar: `####  ${'#'.repeat(42)}` });
  const autumn = windowsReport(
    policy({ timeZone: 'Europe/Berlin', timeWindows: [{ start: '02:00', end: '02:59' }] }),
    'UTC',
    new Date('2026-10-24T22:00:00Z'),
    1,
  );
  expect(autumn.days[0]?.bar).toBe(`....##${'.'.repeat(40)}  `);
  // That day has 25 hours, of which 24 were asked for. By the clock the window comes twice.
  expect(autumn.intervals).toEqual([{ opensAt: '2026-10-25T00:00:00Z', closesAt: '2026-10-25T02:00:00Z' }]);
  expect(autumn.zoneFrom).toBe('policy');
});
