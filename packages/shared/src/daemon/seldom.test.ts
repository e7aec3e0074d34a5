import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createSeldom } from './seldom.ts';

// By a clock that stands still, the timer by which what is over goes would be set again and again.
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('what comes without end is told every ten seconds, with how many went untold, each sort by itself', () => {
  let now = 0;
  const untold = createSeldom(() => now);
  expect(untold('a')).toBe(0);
  for (let at = 0; at < 1000; at++) expect(untold('a')).toBeUndefined();
  expect(untold('b')).toBe(0);
  now = 9_999;
  expect(untold('a')).toBeUndefined();
  now = 10_000;
  expect([untold('a'), untold('a'), untold('b')]).toEqual([1001, undefined, 0]);
});
