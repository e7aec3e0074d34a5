import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createWorkerClock } from './worker-clock.ts';

const MINUTE = 60_000;
const start = Date.parse('2026-11-21T12:00:00Z');

function time(ms: number): string {
  return new Date(ms).toISOString();
}

test('any difference of the clocks is found to half a minute, whatever the delays, and does not wander', () => {
  const skew = fc.integer({ min: -1440 * MINUTE, max: 1440 * MINUTE });
  const delays = fc.array(fc.integer({ min: 0, max: 9000 }), { minLength: 2, maxLength: 40 });
  fc.assert(
    fc.property(skew, delays, (ahead, list) => {
      const clock = createWorkerClock();
      const seen: (number | undefined)[] = [];
      for (const [beat, delay] of list.entries()) {
        const sentAt = start + beat * 10_000;
        clock.heard(time(sentAt + ahead), sentAt + delay);
        seen.push(clock.aheadMs);
      }
      expect(Math.abs((clock.aheadMs ?? Infinity) - ahead)).toBeLessThanOrEqual(40_000);
      expect(new Set(seen).size).toBeLessThanOrEqual(2);
    }),
  );
});

test('clocks that agree to half a minute count as equal', () => {
  const clock = createWorkerClock();
  clock.heard(time(start + 29_000), start);
  expect(clock.aheadMs).toBe(0);
});

test('a clock that is put right is believed within a minute', () => {
  const clock = createWorkerClock();
  for (let beat = 0; beat < 3; beat++) clock.heard(time(start + beat * 10_000 + 10 * MINUTE), start + beat * 10_000);
  expect(clock.aheadMs).toBe(10 * MINUTE);
  for (let beat = 3; beat < 9; beat++) clock.heard(time(start + beat * 10_000), start + beat * 10_000);
  expect(clock.aheadMs).toBe(0);
});

test('heartbeats that were missed and come all at once say nothing of the clock, however many', () => {
  const clock = createWorkerClock();
  for (let beat = 0; beat < 6; beat++) clock.heard(time(start + beat * 10_000), start + beat * 10_000);
  const back = start + 3 * MINUTE;
  for (let sentAt = start + MINUTE; sentAt <= back; sentAt += 10_000) {
    clock.heard(time(sentAt), back);
    expect(clock.aheadMs).toBe(0);
  }
});

test.each([undefined, 5, '', 'soon'])('%s is no time', (renewTime) => {
  const clock = createWorkerClock();
  clock.heard(renewTime, start);
  expect(clock.aheadMs).toBeUndefined();
});
