import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Deadline } from './deadline.ts';

const told = vi.fn<(error: Error) => void>();

beforeEach(() => {
  told.mockClear();
  vi.useFakeTimers();
});
afterEach(() => void vi.useRealTimers());

/** Something that notes how it was destroyed. */
function target(): { errors: (Error | undefined)[]; destroy(error?: Error): void } {
  const errors: (Error | undefined)[] = [];
  return { errors, destroy: (error) => void errors.push(error) };
}

test('ends what it follows when the time is over, once', () => {
  const deadline = new Deadline(100.2);
  const request = target();
  deadline.follow(request, told);
  vi.advanceTimersByTime(100);
  expect(deadline.aborted).toBe(false);
  vi.advanceTimersByTime(1);
  expect(deadline.aborted).toBe(true);
  expect(request.errors).toMatchObject([{ message: 'no answer in time' }]);
  expect(told.mock.calls).toEqual([request.errors]);
});

test("ends with the caller's signal, and keeps its reason", () => {
  const caller = new AbortController();
  const deadline = new Deadline(100, caller.signal);
  const request = target();
  deadline.follow(request, told);
  caller.abort();
  vi.advanceTimersByTime(200);
  expect(deadline.reason).toBe(caller.signal.reason);
  expect(request.errors).toHaveLength(1);
});

test('what comes after the end is ended at once', () => {
  const deadline = new Deadline(100, AbortSignal.abort());
  const request = target();
  deadline.follow(request, told);
  expect(request.errors).toHaveLength(1);
  expect(told).toHaveBeenCalledOnce();
});

test('a reason that is no error becomes one', () => {
  const deadline = new Deadline(100, AbortSignal.abort('enough'));
  const request = target();
  deadline.follow(request, told);
  expect(request.errors).toMatchObject([{ message: 'ended by the caller', cause: 'enough' }]);
});

test('leaves alone what is over, and keeps no timer and no listener', () => {
  const caller = new AbortController();
  const deadline = new Deadline(100, caller.signal);
  const request = target();
  deadline.follow(request, told);
  deadline.over();
  expect(vi.getTimerCount()).toBe(0);
  caller.abort();
  vi.advanceTimersByTime(200);
  expect(request.errors).toEqual([]);
  expect(told).not.toHaveBeenCalled();
  expect(deadline.aborted).toBe(false);
});
