import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { endsWithin, sleep } from './sleep.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const DAY_MS = 86_400_000;

it.each([1, 30, 400])('a wait of %d days lasts that long, not a millisecond', async (days) => {
  let over = false;
  const waiting = sleep(days * DAY_MS).then(() => (over = true));
  await vi.advanceTimersByTimeAsync(days * DAY_MS - 1);
  expect(over).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  await waiting;
  expect(over).toBe(true);
});

it('ends at once when the signal aborts, in any part of a long wait', async () => {
  for (const after of [0, 26 * DAY_MS]) {
    const stop = new AbortController();
    const waiting = sleep(60 * DAY_MS, stop.signal);
    waiting.catch(() => undefined);
    await vi.advanceTimersByTimeAsync(after);
    stop.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    expect(vi.getTimerCount()).toBe(0);
  }
  await expect(sleep(1, AbortSignal.abort(new Error('before')))).rejects.toThrow('before');
});

it('tells whether work ended in time, and keeps no timer', async () => {
  expect(await endsWithin(1000, Promise.resolve())).toBe(true);
  expect(await endsWithin(1000, Promise.reject(new Error('failed')))).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
  const late = endsWithin(1000, sleep(2000));
  await vi.advanceTimersByTimeAsync(1000);
  expect(await late).toBe(false);
  expect(vi.getTimerCount()).toBe(1);
});
