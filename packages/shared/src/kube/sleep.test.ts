import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openConnection, standStill } from '../testing/connection.ts';
import { endsWithin, inputTaken, sleep } from './sleep.ts';

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

it('what came in while the process stood still is taken before a timer goes on', async () => {
  vi.useRealTimers();
  const { client, peer, close } = await openConnection();
  let heard = false;
  peer.on('data', () => (heard = true));
  const seen: boolean[] = [];
  async function goOn(): Promise<void> {
    seen.push(heard);
    await inputTaken();
    seen.push(heard);
  }
  await inputTaken();
  setTimeout(() => void goOn(), 10);
  client.write('x');
  standStill(100);
  await vi.waitFor(() => expect(seen).toEqual([false, true]), { timeout: 10_000 });
  close();
});
