import { queryObjects } from 'node:v8';
import { inputTaken } from '@kubeocean/shared/kube';
import { openConnection, standStill } from '@kubeocean/shared/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Trigger } from './trigger.ts';

describe('trigger', () => {
  const end = { current: new AbortController() };
  let trigger: Trigger;
  let runs: number[];

  beforeEach(() => {
    vi.useFakeTimers({
      now: 0,
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
    });
    // Nothing comes in here, and a turn of the event loop takes no time.
    vi.stubGlobal('setImmediate', queueMicrotask);
    end.current = new AbortController();
    trigger = new Trigger();
    runs = [];
  });
  afterEach(() => {
    end.current.abort();
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });

  function start(work: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    return trigger.run(
      () => {
        runs.push(Date.now());
        return work();
      },
      { least: 200, burst: 3, flood: 1000 },
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

  it('follows a flood at its slower pace, and is quick again after a pause', async () => {
    void start();
    const flood = setInterval(() => trigger.set(), 10);
    trigger.set();
    await vi.advanceTimersByTimeAsync(4100);
    clearInterval(flood);
    expect(runs).toEqual([0, 200, 400, 1000, 2000, 3000, 4000]);
    await vi.advanceTimersByTimeAsync(6000);
    runs = [];
    const again = setInterval(() => trigger.set(), 10);
    await vi.advanceTimersByTimeAsync(1500);
    clearInterval(again);
    expect(runs.map((at) => at - (runs[0] ?? 0))).toEqual([0, 200, 400, 1000]);
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
    // Hundreds of naps. Each takes real milliseconds on a busy machine.
    const hours = 3 * 3_600_000;
    trigger.setAt(new Date(hours));
    void start();
    await vi.advanceTimersByTimeAsync(hours + 1000);
    expect(runs).toEqual([hours]);
  });

  it('notices within a minute that the clock was set past its time', async () => {
    trigger.setAt(new Date(3_600_000));
    void start();
    await vi.advanceTimersByTimeAsync(1000);
    vi.setSystemTime(4_000_000);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(runs).toHaveLength(1);
  });

  it.each([
    ['back, with a time set', -7_200_000, new Date(3_600_000)],
    ['forward, short of its time', 1_800_000, new Date(36_000_000)],
    ['back, with no time set', -7_200_000, undefined],
  ])('notices within a minute that the clock was set %s, and says by how much', async (_, by, due) => {
    let skew = 0;
    const jumps: number[] = [];
    trigger = new Trigger(
      () => Date.now() + skew,
      (ms) => jumps.push(ms),
    );
    trigger.set();
    const running = start(async () => trigger.setAt(due));
    await vi.advanceTimersByTimeAsync(1000);
    expect(runs).toHaveLength(1);
    skew = by;
    await vi.advanceTimersByTimeAsync(60_000);
    expect([runs.length, jumps]).toEqual([2, [by]]);
    end.current.abort();
    await running;
  });

  it('takes no notice of a clock that is brought to the right time bit by bit', async () => {
    let skew = 0;
    trigger = new Trigger(() => Date.now() + skew);
    trigger.set();
    void start();
    for (let minute = 0; minute < 60; minute++) {
      skew += 10;
      await vi.advanceTimersByTimeAsync(60_000);
    }
    expect(runs).toHaveLength(1);
  });

  it('keeps nothing of the naps that it takes while there is no reason to run, for months perhaps', async () => {
    void start();
    await vi.advanceTimersByTimeAsync(60_000);
    const before = queryObjects(Promise, { format: 'count' });
    await vi.advanceTimersByTimeAsync(200 * 30_000);
    expect(queryObjects(Promise, { format: 'count' }) - before).toBeLessThan(100);
  });

  it('ends when told to', async () => {
    const running = start();
    end.current.abort();
    await running;
    expect(runs).toEqual([]);
  });
});

it('after the process stood still, what watches told meanwhile is known before it runs', async () => {
  const { client, peer, close } = await openConnection();
  let told = false;
  peer.on('data', () => (told = true));
  const knew: boolean[] = [];
  const end = new AbortController();
  const trigger = new Trigger();
  await inputTaken();
  trigger.setAt(new Date(Date.now() + 10));
  const running = trigger.run(
    () => Promise.resolve(void knew.push(told)),
    { least: 200, burst: 3, flood: 1000 },
    end.signal,
  );
  client.write('x');
  standStill(100);
  await vi.waitFor(() => expect(knew).toEqual([true]), { timeout: 10_000 });
  end.abort();
  await running;
  close();
});
