import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Trigger } from './trigger.ts';

describe('trigger', () => {
  const end = { current: new AbortController() };
  let trigger: Trigger;
  let runs: number[];

  beforeEach(() => {
    vi.useFakeTimers({ now: 0, toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
    end.current = new AbortController();
    trigger = new Trigger();
    runs = [];
  });
  afterEach(() => {
    end.current.abort();
    vi.useRealTimers();
  });

  function start(work: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    return trigger.run(
      () => {
        runs.push(Date.now());
        return work();
      },
      200,
      end.current.signal,
    );
  }

  it('runs at once when set, and once for many requests in an interval', async () => {
    void start();
    trigger.set();
    await vi.advanceTimersByTimeAsync(0);
    for (let i = 0; i < 500; i++) trigger.set();
    await vi.advanceTimersByTimeAsync(1000);
    expect(runs).toEqual([0, 200]);
  });

  it('does not run without a reason', async () => {
    void start();
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(runs).toEqual([]);
  });

  it('runs again for a request made during a run', async () => {
    void start(async () => {
      if (runs.length === 1) trigger.set();
    });
    trigger.set();
    await vi.advanceTimersByTimeAsync(1000);
    expect(runs).toEqual([0, 200]);
  });

  it('runs when its time has come, also far off', async () => {
    const days = 30 * 86_400_000;
    trigger.setAt(new Date(days));
    void start();
    await vi.advanceTimersByTimeAsync(days + 1000);
    expect(runs).toEqual([days]);
  });

  it('notices within a minute that the clock was set past its time', async () => {
    trigger.setAt(new Date(3_600_000));
    void start();
    await vi.advanceTimersByTimeAsync(1000);
    vi.setSystemTime(4_000_000);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(runs).toHaveLength(1);
  });

  it('ends when told to', async () => {
    const running = start();
    end.current.abort();
    await running;
    expect(runs).toEqual([]);
  });
});
