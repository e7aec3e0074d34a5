import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addQuantities,
  compareQuantities,
  floorQuantity,
  formatForPeople,
  formatQuantity,
  parseQuantity,
  QuantityError,
  subtractQuantities,
} from './quantity.ts';

describe('quantity', () => {
  // What k8s.io/apimachinery v0.34.4 printed for the same texts (where it echoes the text itself: the canonical form).
  it.each([
    ['0', '0'],
    ['1', '1'],
    ['-1', '-1'],
    ['+3', '3'],
    ['1.5', '1500m'],
    ['1500m', '1500m'],
    ['0.1', '100m'],
    ['0.1m', '100u'],
    ['1n', '1n'],
    ['0.5n', '1n'],
    ['100000n', '100u'],
    ['1000000n', '1m'],
    ['1000u', '1m'],
    ['1k', '1k'],
    ['1000', '1k'],
    ['1000k', '1M'],
    ['1.5Gi', '1536Mi'],
    ['27Gi', '27Gi'],
    ['32881900Ki', '32881900Ki'],
    ['1024', '1024'],
    ['1024Ki', '1Mi'],
    ['1Ei', '1Ei'],
    ['8Ei', '9223372036854775807'],
    ['16Ei', '9223372036854775807'],
    ['0.5Ki', '512'],
    ['0.0001Ki', '102400u'],
    ['1.1Ki', '1126400m'],
    ['-1Ki', '-1Ki'],
    ['-2048', '-2048'],
    ['12e6', '12e6'],
    ['1e3', '1e3'],
    ['1E3', '1e3'],
    ['1e-3', '1e-3'],
    ['100e-9', '100e-9'],
    ['1e20', '100e18'],
    ['1e-10', '1e-9'],
    ['12E', '12E'],
    ['1.5e1', '15'],
    ['010', '10'],
    ['000', '0'],
    ['0.0', '0'],
    ['-0', '0'],
    ['1.', '1'],
    ['.5', '500m'],
    ['1234567890', '1234567890'],
    ['0.001k', '1'],
    ['-1500m', '-1500m'],
    ['123456789n', '123456789n'],
    ['0.1Gi', '107374182400m'],
    ['129e6', '129e6'],
    ['1e+21', '1e21'],
    [4, '4'],
    [0.5, '500m'],
  ])('%s is written %s', (text, canonical) => {
    expect(formatQuantity(parseQuantity(text))).toBe(canonical);
  });

  it.each(['1m1', 'abc', '', 'Ki', '1K', '1ki', ' 1', '1 ', '--1', '1e', '1.2.3', '1Kii', '-', '.', NaN])(
    '%s is refused',
    (text) => {
      expect(() => parseQuantity(text)).toThrow(QuantityError);
    },
  );

  // API servers take them (and schedulers read them as 0): who reads a pod with one must not stumble over it.
  it.each([
    ['1e66', 10n ** 73n],
    ['1e999999999', 10n ** 73n],
    ['-1e999999999', -(10n ** 73n)],
    ['0e999999999', 0n],
    [`1${'0'.repeat(100)}`, 10n ** 73n],
    [`1${'0'.repeat(70)}E`, 10n ** 73n],
    ['1e64', 10n ** 73n],
    ['1e63', 10n ** 72n],
    ['0.001e66', 10n ** 72n],
    ['1e-999999999', 1n],
  ])('%s, beyond what any cluster holds, ends at 10^64', (text, nanos) => {
    expect(parseQuantity(text).nanos).toBe(nanos);
    expect(parseQuantity(formatQuantity(parseQuantity(text))).nanos).toBe(nanos);
  });

  const suffix = fc.constantFrom('', 'n', 'u', 'm', 'k', 'M', 'G', 'T', 'P', 'Ki', 'Mi', 'Gi', 'Ti', 'e3', 'e-3');
  const quantity = fc
    .tuple(fc.integer({ min: -1_000_000, max: 1_000_000 }), fc.integer({ min: 0, max: 999 }), suffix)
    .map(([whole, fraction, unit]) => parseQuantity(`${whole}.${String(fraction).padStart(3, '0')}${unit}`));

  it('survives being written and read, and is written the same again', () => {
    fc.assert(
      fc.property(quantity, (value) => {
        const text = formatQuantity(value);
        const again = parseQuantity(text);
        expect(compareQuantities(again, value)).toBe(0);
        expect(formatQuantity(again)).toBe(text);
      }),
    );
  });

  it('adds, subtracts and compares as numbers do', () => {
    fc.assert(
      fc.property(quantity, quantity, (a, b) => {
        expect(subtractQuantities(addQuantities(a, b), b).nanos).toBe(a.nanos);
        expect(Math.sign(compareQuantities(a, b))).toBe(Math.sign(Number(subtractQuantities(a, b).nanos)));
      }),
    );
  });

  it('is floored to a multiple of the step, less than a step below', () => {
    const positive = quantity.filter(({ nanos }) => nanos >= 0n);
    fc.assert(
      fc.property(positive, fc.constantFrom(1n, 1_000_000n, 1_000_000_000n), (value, step) => {
        const { nanos } = floorQuantity(value, step);
        expect(nanos % step).toBe(0n);
        expect(value.nanos - nanos).toBeGreaterThanOrEqual(0n);
        expect(value.nanos - nanos).toBeLessThan(step);
      }),
    );
  });

  it.each([
    ['24393604Ki', '23821Mi'],
    ['30923764531', '30923764531'],
    ['32Gi', '32Gi'],
    ['1023Mi', '1023Mi'],
    ['512Ki', '512Ki'],
    ['7900m', '7900m'],
    ['0', '0'],
  ])('%s is %s for people', (text, words) => expect(formatForPeople(parseQuantity(text))).toBe(words));
});
