import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { numberOf, parseExactly, sumOf } from './exact.ts';

describe('JSON of a kubelet', () => {
  it.each([
    '{"inodesFree":18446744073709551615,"inodes":5}',
    '{"usageCoreNanoSeconds":9007199254740993}',
    '[9007199254740993,-9223372036854775808]',
    '{"a":{"b":[{"c":18446744073709551615}]},"d":"18446744073709551615","e":null}',
  ])('%s is written as it was read', (text) => expect(JSON.stringify(parseExactly(text))).toBe(text));

  it('any 64 bits survive, and whatever else there is', () => {
    const number = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n });
    fc.assert(
      fc.property(fc.array(number), fc.jsonValue({ noUnicodeString: false }), (numbers, other) => {
        const text = `{"numbers":[${numbers.join(',')}],"other":${JSON.stringify(other)}}`;
        const read = parseExactly(text) as { numbers: unknown[] };
        expect(JSON.stringify(read.numbers)).toBe(`[${numbers.join(',')}]`);
        expect(read.numbers.map(numberOf)).toEqual(numbers.map(Number));
      }),
    );
  });

  it('is refused when it is none', () => expect(() => parseExactly('{"a":12345678901234567')).toThrow(SyntaxError));

  it('counts numbers of either kind, and nothing else', () => {
    const values = parseExactly('[1,9007199254740993,"2",null,{}]') as unknown[];
    expect(values.map(numberOf)).toEqual([1, 9007199254740992, undefined, undefined, undefined]);
    expect(sumOf(values)).toBe(9007199254740992);
  });

  it('adds up to what 64 bits hold', () => {
    const sum = sumOf([2 ** 64, 2 ** 64]);
    expect(BigInt(JSON.stringify(sum))).toBeLessThan(2n ** 64n);
  });
});
