import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createExpiringMap } from './expiring.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('values that expire', () => {
  it('go by themselves, without anybody asking', () => {
    const map = createExpiringMap<string>({ bound: 10 });
    map.set('short', 'a', 1000);
    map.set('long', 'b', 5000);
    vi.advanceTimersByTime(999);
    expect(map.get('short')).toBe('a');
    vi.advanceTimersByTime(1);
    expect(map.get('short')).toBeUndefined();
    vi.advanceTimersByTime(250);
    expect(map.size).toBe(1);
    vi.advanceTimersByTime(4000);
    expect(map.size).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('one that is to go earlier than those before it is not late', () => {
    const map = createExpiringMap<string>({ bound: 10 });
    map.set('long', 'b', 60_000);
    map.set('short', 'a', 1000);
    vi.advanceTimersByTime(1250);
    expect(map.size).toBe(1);
  });

  it('thousands of them are not looked at for each', () => {
    const clock = vi.fn(() => performance.now());
    const map = createExpiringMap<number>({ bound: 10_000, clock });
    for (let at = 0; at < 5000; at++) map.set(String(at), at, 1000 + at);
    clock.mockClear();
    vi.advanceTimersByTime(10_000);
    expect(map.size).toBe(0);
    expect(clock.mock.calls.length).toBeLessThan(100);
  });

  it('are held for longer than a timer can be set for', () => {
    const map = createExpiringMap<string>({ bound: 10 });
    map.set('a', 'a', 30 * 86_400_000);
    vi.advanceTimersByTime(29 * 86_400_000);
    expect(map.get('a')).toBe('a');
    vi.advanceTimersByTime(86_400_000 + 250);
    expect(map.size).toBe(0);
  });

  it('together weigh no more than they may; the oldest go first, and what is too heavy does not come in', () => {
    const map = createExpiringMap<string>({ bound: 10, weight: { most: 10, of: (text) => text.length } });
    map.set('a', 'aaaa', 1000);
    map.set('b', 'bbbb', 1000);
    map.set('a', 'AAAA', 1000);
    map.set('c', 'cccc', 1000);
    expect([map.get('a'), map.get('b'), map.get('c')]).toEqual(['AAAA', undefined, 'cccc']);
    map.set('d', 'd'.repeat(11), 1000);
    expect([map.get('a'), map.get('d'), map.size]).toEqual(['AAAA', undefined, 2]);
    map.delete('a');
    map.set('e', 'eeeeee', 1000);
    expect([map.get('c'), map.get('e')]).toEqual(['cccc', 'eeeeee']);
  });
});
