import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PodPair } from './rename.ts';
import { byWorkerPod, createSumCounter } from './sum-counter.ts';

const uids = (...all: string[]) => new Set(all);
const readings = (all: Record<string, number>) => new Map(Object.entries(all));

describe('the sum of counters', () => {
  it('goes on from where it was when a part is gone or silent', () => {
    const counter = createSumCounter();
    expect(counter.add(readings({ a: 10, b: 5 }), uids('a', 'b'))).toBe(15);
    expect(counter.add(readings({ a: 12 }), uids('a', 'b'))).toBe(17);
    expect(counter.add(readings({ a: 12, b: 6 }), uids('a', 'b'))).toBe(18);
    expect(counter.add(readings({ a: 12 }), uids('a'))).toBe(18);
    expect(counter.add(readings({ c: 1 }), uids('c'))).toBe(19);
  });

  it('does not jump when replicas with answers of different age speak in turn', () => {
    const counter = createSumCounter();
    const seen = [1005, 1001, 1006, 1002, 1007].map((value) => counter.add(readings({ a: value }), uids('a')));
    expect(seen).toEqual([1005, 1005, 1006, 1006, 1007]);
  });

  it('counts no part twice that is heard of again after its end', () => {
    const counter = createSumCounter();
    counter.add(readings({ a: 1000 }), uids('a'));
    expect(counter.add(readings({}), uids())).toBe(1000);
    expect(counter.add(readings({ a: 1000 }), uids('a'))).toBe(1000);
  });

  it('remembers so many parts that have ended, whatever there are', () => {
    const counter = createSumCounter(2);
    let expected = 0;
    for (let part = 0; part < 20; part++) {
      expected += 1;
      expect(counter.add(readings({ [`p${part}`]: 1, alive: 100 }), uids('alive', `p${part}`))).toBe(100 + expected);
    }
    // One that is long forgotten counts anew, one that is not and those that are alive do not.
    expect(counter.add(readings({ p19: 1, alive: 100 }), uids('alive', 'p19'))).toBe(100 + expected);
    expect(counter.add(readings({ p0: 1, alive: 100 }), uids('alive', 'p0'))).toBe(101 + expected);
  });

  it('keeps a part for a minute after its end, and its sum for ever', () => {
    let now = 0;
    const counter = createSumCounter(1024, () => now);
    counter.add(readings({ a: 10, b: 5 }), uids('a', 'b'));
    expect(counter.add(readings({}), uids('b'))).toBe(15);
    now = 59_000;
    // Alive again, as another replica knows it: its minute begins anew.
    expect(counter.add(readings({ a: 10 }), uids('a', 'b'))).toBe(15);
    expect(counter.add(readings({}), uids('b'))).toBe(15);
    now += 59_000;
    expect(counter.add(readings({ a: 10 }), uids('b'))).toBe(15);
    now += 1000;
    expect(counter.add(readings({}), uids('b'))).toBe(15);
    // Forgotten by now, so that it would count anew.
    expect(counter.add(readings({ a: 10 }), uids('a', 'b'))).toBe(25);
  });

  it('never falls, and is never more than all parts together', () => {
    const reading = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.nat(1_000_000));
    fc.assert(
      fc.property(fc.array(fc.tuple(reading, fc.subarray(['a', 'b', 'c']))), (steps) => {
        const counter = createSumCounter();
        const most = new Map<string, number>();
        let before = 0;
        for (const [now, alive] of steps) {
          for (const [part, value] of Object.entries(now)) most.set(part, Math.max(value, most.get(part) ?? 0));
          const sum = counter.add(readings(now), new Set(alive));
          expect(sum).toBeGreaterThanOrEqual(before);
          expect(sum).toBe([...most.values()].reduce((all, value) => all + value, 0));
          before = sum;
        }
      }),
    );
  });
});

describe('readings of worker pods', () => {
  const madeAt = Date.parse('2026-01-01T12:00:00Z');
  const pair = (name: string, workerUID: string): PodPair => ({
    namespace: 'shop',
    name,
    uid: `home-${name}`,
    workerName: `${name}-1`,
    workerUID,
    createdAt: madeAt,
    claims: new Map(),
  });

  it.each([
    ['before the pod was made: of an earlier one of that name', madeAt - 3000, false],
    ['in the second in which it was made', madeAt + 999, false],
    ['after it was made', madeAt + 1000, true],
    ['at a time that is not told', undefined, true],
  ])('taken %s', (_, at, counts) => {
    const taken = new Map([['shop/web', { value: 1000, ...(at !== undefined && { at }) }]]);
    const pairs = new Map([['web-1', pair('web', 'uid-2')]]);
    expect([...byWorkerPod(taken, pairs)]).toEqual(counts ? [['uid-2', 1000]] : []);
  });

  it('of pods without a pair are left out, and pods without a reading', () => {
    const taken = new Map([['shop/other', { value: 1 }]]);
    expect(byWorkerPod(taken, new Map([['web-1', pair('web', 'u')]])).size).toBe(0);
  });
});
