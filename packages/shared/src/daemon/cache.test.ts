import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createCache } from './cache.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('a cache', () => {
  it('asks once for many, remembers for its time, forgets', async () => {
    let asked = 0;
    const cache = createCache<number>({ holdMs: () => 100, bound: 10 });
    const ask = async () => ++asked;
    expect(await Promise.all([cache.get('a', ask), cache.get('a', ask), cache.get('a', ask)])).toEqual([1, 1, 1]);
    vi.advanceTimersByTime(99);
    expect(await cache.get('a', ask)).toBe(1);
    vi.advanceTimersByTime(1);
    expect(await cache.get('a', ask)).toBe(2);
  });

  it('remembers no failure and gives it to all who wait', async () => {
    const cache = createCache<number>({ holdMs: () => 100, bound: 10 });
    const fail = () => Promise.reject(new Error('no'));
    const both = await Promise.allSettled([cache.get('a', fail), cache.get('a', fail)]);
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await cache.get('a', async () => 7)).toBe(7);
  });

  it('never holds more than its bound', async () => {
    const cache = createCache<number>({ holdMs: () => 1e9, bound: 3 });
    for (let i = 0; i < 10; i++) await cache.get(String(i), async () => i);
    expect(cache.size).toBe(3);
    expect(await cache.get('9', async () => -1)).toBe(9);
    expect(await cache.get('0', async () => -1)).toBe(-1);
  });

  it('holds nothing for no time', async () => {
    const cache = createCache<boolean>({ holdMs: () => 0, bound: 3 });
    await cache.get('a', async () => true);
    expect(cache.size).toBe(0);
  });

  it('lets go of answers that nobody asks for again', async () => {
    const cache = createCache<string>({ holdMs: () => 2500, bound: 32 });
    for (let at = 0; at < 32; at++) await cache.get(String(at), async () => 'x'.repeat(1000));
    expect(cache.size).toBe(32);
    vi.advanceTimersByTime(3000);
    expect(cache.size).toBe(0);
  });

  it('tells who asks that nobody waits any more, and asks anew for the next one', async () => {
    const cache = createCache<number>({ holdMs: () => 1000, bound: 3 });
    const asked: AbortSignal[] = [];
    const answers: ((value: number) => void)[] = [];
    const ask = (abandoned: AbortSignal) => {
      asked.push(abandoned);
      return new Promise<number>((resolve) => answers.push(resolve));
    };
    const [one, two] = [new AbortController(), new AbortController()];
    const first = cache.get('key', ask, one.signal);
    const second = cache.get('key', ask, two.signal);
    one.abort(new Error('gone'));
    await expect(first).rejects.toThrow('gone');
    expect(asked.map(({ aborted }) => aborted)).toEqual([false]);
    two.abort(new Error('gone, too'));
    await expect(second).rejects.toThrow('gone, too');
    expect(asked.map(({ aborted }) => aborted)).toEqual([true]);
    const third = cache.get('key', ask);
    // What was abandoned may end later than what was asked after it, and changes nothing of that.
    answers[0]?.(1);
    await Promise.resolve();
    const fourth = cache.get('key', ask);
    answers[1]?.(2);
    expect(await Promise.all([third, fourth])).toEqual([2, 2]);
    expect(asked.length).toBe(2);
  });

  it('never abandons what somebody without a signal waits for', async () => {
    const cache = createCache<number>({ holdMs: () => 0, bound: 3 });
    const answer = Promise.withResolvers<number>();
    const patient = cache.get('key', () => answer.promise);
    const gone = new AbortController();
    const other = cache.get('key', () => answer.promise, gone.signal);
    gone.abort(new Error('gone'));
    await expect(other).rejects.toThrow('gone');
    answer.resolve(7);
    expect(await patient).toBe(7);
  });

  it('passes on what is thrown at once, and asks again', async () => {
    const cache = createCache<number>({ holdMs: () => 1000, bound: 3 });
    const thrower = (): Promise<number> => {
      throw new Error('at once');
    };
    await expect(cache.get('key', thrower)).rejects.toThrow('at once');
    expect(await cache.get('key', async () => 1)).toBe(1);
  });
});
