import fc from 'fast-check';
import { expect, test } from 'vitest';
import { untilNextTurn } from './leases.ts';

test.each([
  [0, 10_000],
  [1, 9_999],
  [9_999.5, 0.5],
  [10_000, 10_000],
  [12_500, 7_500],
])('after %d ms of this process the next turn is in %d ms', (now, left) => {
  expect(untilNextTurn(now)).toBe(left);
});

test('whatever was renewed within one turn is renewed at the same moment next', () => {
  const within = fc.double({ min: 0, max: 9_999, noNaN: true });
  fc.assert(
    fc.property(fc.nat(1_000_000), within, within, (turn, one, other) => {
      const next = [one, other].map((ms) => turn * 10_000 + ms + untilNextTurn(turn * 10_000 + ms));
      expect(next[0]).toBeCloseTo((turn + 1) * 10_000, 3);
      expect(next[1]).toBeCloseTo((turn + 1) * 10_000, 3);
    }),
  );
});
