import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { median, quantile, rounded, summarize } from './statistics.ts';

describe('quantiles', () => {
  it.each([
    [[1, 2, 3, 4], 0.5, 2],
    [[1, 2, 3, 4], 0.99, 4],
    [[1], 0.5, 1],
    [[1, 2], 0, 1],
  ])('of %j at %f is %f', (values, q, expected) => expect(quantile(values, q)).toBe(expected));

  it('of nothing is no number', () => expect(quantile([], 0.5)).toBeNaN());

  it('are values of the sample, in order', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ noNaN: true }), { minLength: 1 }), (values) => {
        const { p50, p90, p99, max } = summarize(values);
        for (const value of [p50, p90, p99, max]) expect(values).toContain(value);
        expect(p50 <= p90 && p90 <= p99 && p99 <= max).toBe(true);
      }),
    );
  });

  it('the median does not depend on the order', () => expect(median([9, 1, 5])).toBe(5));
  it('rounds', () => expect(rounded(1.23456)).toBe(1.235));
});
