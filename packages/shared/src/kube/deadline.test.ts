import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Deadline } from './deadline.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Something that notes how it was destroyed. */
function target(): { errors: (Error | undefined)[]; destroy(error?: Error): void } {
  const errors: (Error | undefined)[] = [];
  return { errors, destroy: (error) => void errors.push(error) };
}

test('ends what it follows when the time is over, once', () => {
  const deadline = new Deadline(100.2);
  const request = target();
  deadline.follow(request);
  vi.advanceTimersByTime(100);
  expect(deadline.aborted).toBe(false);
  vi.advanceTimersByTime(1);
  expect(deadline.aborted).toBe(true);
  expect(request.errors).toMatchObject([{ message: 'no answer in time' }]);
});

test("ends with the caller's signal, and keeps its reason", () => {
  const caller = new AbortController();
  const deadline = new Deadline(100, caller.signal);
  const request = target();
  deadline.follow(request);
  caller.abort();
  vi.advanceTimersByTime(200);
  expect(deadline.reason).toBe(caller.signal.reason);
  expect(request.errors).toHaveLength(1);
});

test('what comes after the end is ended at once', () => {
  const deadline = new Deadline(100, AbortSignal.abort());
  const request = target();
  deadline.follow(request);
  expect(request.errors).toHaveLength(1);
});

test('a reason that is no error becomes one', () => {
  const deadline = new Deadline(100, AbortSignal.abort('enough'));
  const request = target();
  deadline.follow(request);
  expect(request.errors).toMatchObject([{ message: 'ended by the caller', cause: 'enough' }]);
});

test('leaves alone what is over, and keeps no timer and no listener', () => {
  const caller = new AbortController();
  const deadline = new Deadline(100, caller.signal);
  const request = target();
  deadline.follow(request);
  deadline.over();
  expect(vi.getTimerCount()).toBe(0);
  caller.abort();
  vi.advanceTimersByTime(200);
  expect(request.errors).toEqual([]);
  expect(deadline.aborted).toBe(false);
});
