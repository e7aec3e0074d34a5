import { expect, test } from 'vitest';
import { createLeaseTimes } from './lease-times.ts';

test('times go on from the last one when the clock is set back, until it has caught up', () => {
  let now = 3_600_000;
  const times = createLeaseTimes(() => now);
  const next = () => times.next().getTime();
  expect([next(), next()]).toEqual([3_600_000, 3_600_001]);
  now = 0;
  expect(next()).toBe(3_600_002);
  now = 3_700_000;
  expect(next()).toBe(3_700_000);
});

test('they are later than what somebody else has given, and no text keeps them from going on', () => {
  const times = createLeaseTimes(() => 1000);
  times.follow(5000);
  times.follow(4000);
  times.follow(Number.NaN);
  expect(times.next().getTime()).toBe(5001);
});
