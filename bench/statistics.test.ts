import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { median, quantile, rotated, rounded, summarize } from './statistics.ts';

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
      fc.property(fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1 }), (values) => {
        const { p50, p90, p99, max } = summarize(values);
        for (const value of [p50, p90, p99, max]) expect(values).toContain(value);
        expect(p50 <= p90 && p90 <= p99 && p99 <= max).toBe(true);
      }),
    );
  });

  it.each([
    [[9, 1, 5], 5],
    [[4, 1, 3, 2], 2.5],
    [[7], 7],
  ])('the median of %j is %f', (values, expected) => expect(median(values)).toBe(expected));

  it.each([[[]], [[1, Number.NaN]], [[Number.POSITIVE_INFINITY]]])('refuses to sum up %j', (values) => {
    expect(() => summarize(values)).toThrow('cannot be summed up');
  });

  it.each([
    [0, ['direct', 'twin', 'through']],
    [1, ['twin', 'through', 'direct']],
    [2, ['through', 'direct', 'twin']],
    [3, ['direct', 'twin', 'through']],
  ])('after %i turns another is first', (turns, order) =>
    expect(rotated(['direct', 'twin', 'through'], turns)).toEqual(order),
  );
  it('rounds', () => expect(rounded(1.23456)).toBe(1.235));
});
