import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Pace } from './pace.ts';
import type { Pod } from '../types.ts';

const fresh = { metadata: { name: 'p' }, spec: { containers: [] } } as unknown as Pod;
const placed = { ...fresh, spec: { ...fresh.spec, nodeName: 'n1' } } as Pod;

function saying(status: 'True' | 'False'): Pod {
  return { ...fresh, status: { conditions: [{ type: 'PodScheduled', status }] } };
}

describe('pods that wait for the scheduler of the worker', () => {
  let reopened = 0;
  let pace: Pace;

  beforeEach(() => {
    vi.useFakeTimers();
    reopened = 0;
    pace = new Pace({ most: 2, patienceMs: 10_000, onReopen: () => reopened++, clock: () => Date.now() });
  });
  afterEach(() => {
    const before = reopened;
    pace.stop();
    vi.advanceTimersByTime(60_000);
    expect(reopened).toBe(before);
    vi.useRealTimers();
  });

  it('may be so many at once, and no more', () => {
    expect(pace.allows()).toBe(true);
    pace.told('ns/a', fresh);
    expect(pace.allows()).toBe(true);
    pace.told('ns/b', fresh);
    expect(pace.allows()).toBe(false);
  });

  it.each([
    ['has a node', placed],
    ['is told that there is none', saying('False')],
    ['is told that it is placed', saying('True')],
    ['is being deleted', { ...fresh, metadata: { name: 'p', deletionTimestamp: '2026-01-01T00:00:00Z' } }],
    ['has failed', { ...fresh, status: { phase: 'Failed' } }],
    ['is gone', undefined],
  ])('make room when one %s', (_, pod) => {
    pace.told('ns/a', fresh);
    pace.told('ns/b', fresh);
    expect(pace.allows()).toBe(false);
    pace.told('ns/a', pod);
    expect(pace.allows()).toBe(true);
  });

  it('count only when they wait: one that names its node does not', () => {
    for (const key of ['ns/a', 'ns/b', 'ns/c']) pace.told(key, placed);
    expect(pace.allows()).toBe(true);
  });

  it('hold nobody up for longer than the patience lasts', async () => {
    pace.told('ns/a', fresh);
    await vi.advanceTimersByTimeAsync(4000);
    // Said again, it is no younger.
    pace.told('ns/a', fresh);
    pace.told('ns/b', fresh);
    expect(pace.allows()).toBe(false);
    expect(pace.allows()).toBe(false);
    await vi.advanceTimersByTimeAsync(5999);
    expect(reopened).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(reopened).toBe(1);
    expect(pace.allows()).toBe(true);
    // It counts no more, whatever else is said of it.
    pace.told('ns/a', fresh);
    expect(pace.allows()).toBe(true);
    pace.told('ns/c', fresh);
    expect(pace.allows()).toBe(false);
  });

  it('count anew under a name that was free in between', async () => {
    pace.told('ns/a', fresh);
    pace.told('ns/b', fresh);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(pace.allows()).toBe(true);
    for (const key of ['ns/a', 'ns/b']) pace.told(key, undefined);
    for (const key of ['ns/a', 'ns/b']) pace.told(key, fresh);
    expect(pace.allows()).toBe(false);
  });
});
