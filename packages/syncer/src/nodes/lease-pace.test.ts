import { expect, test } from 'vitest';
import { createLeasePace, type LeasePace } from './lease-pace.ts';

const EVERY_MS = 10_000;

/** Renews so many, each taking so long, turn after turn. Gives how late the last one began in each turn, and the limits. */
function turns(pace: LeasePace, vnodes: number, callMs: number, count: number, from = 0): [number, number][] {
  const seen: [number, number][] = [];
  for (let turn = from; turn < from + count; turn++) {
    const due = turn * EVERY_MS;
    const ends: number[] = [];
    let late = 0;
    let now = due;
    for (let n = 0; n < vnodes; n++) {
      while (ends.filter((end) => end > now).length >= pace.limit) now = Math.min(...ends.filter((end) => end > now));
      pace.begins(due, now);
      ends.push(now + callMs);
      late = now - due;
    }
    seen.push([late, pace.limit]);
  }
  return seen;
}

test('in ordinary times eight are renewed at once, however many vnodes there are', () => {
  expect(turns(createLeasePace(EVERY_MS), 1000, 10, 3).map(([, limit]) => limit)).toEqual([8, 8, 8]);
});

test('a thousand vnodes and half a second for each: no Lease lapses', () => {
  // Alone among eight the last one would begin after a minute; a Lease lasts for 40 s.
  const seen = turns(createLeasePace(EVERY_MS), 1000, 500, 3);
  for (const [late, limit] of seen) {
    expect(late).toBeLessThan(25_000);
    expect(limit).toBe(36);
  }
});

test('with connections enough, soon all are in time', () => {
  const seen = turns(createLeasePace(EVERY_MS, 64), 1000, 500, 3);
  expect(seen[0]?.[0]).toBeLessThan(20_000);
  expect(seen.at(-1)?.[0]).toBeLessThan(EVERY_MS);
  expect(seen.map(([, limit]) => limit)).toEqual([64, 64, 64]);
});

test('never more at once than leaves a connection for the Lease by which the syncer leads', () => {
  const seen = turns(createLeasePace(EVERY_MS), 500, 5000, 2);
  expect(seen.at(-1)?.[1]).toBe(36);
});

test('when the API server is quick again, eight are enough again', () => {
  const pace = createLeasePace(EVERY_MS, 64);
  turns(pace, 1000, 500, 2);
  expect(turns(pace, 1000, 10, 5, 10).map(([, limit]) => limit)).toEqual([64, 32, 16, 8, 8]);
});
