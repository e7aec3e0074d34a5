import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { covers } from './made.ts';

describe('covers', () => {
  it.each<[string, unknown, unknown, boolean]>([
    ['defaults of the server', { a: 1, b: 'default' }, { a: 1 }, true],
    ['defaults inside a list', { l: [{ a: 1, b: 2 }] }, { l: [{ a: 1 }] }, true],
    ['another value', { a: 1 }, { a: 2 }, false],
    ['a missing field', {}, { a: 1 }, false],
    ['a longer list', { l: [1, 2] }, { l: [1] }, false],
    ['a list that should be empty', { l: [1] }, { l: [] }, false],
    ['empty and absent', {}, { l: [], m: {}, t: '' }, true],
    ['false is not absent', {}, { f: false }, false],
  ])('%s', (_, current, desired, expected) => {
    expect(covers(current, desired)).toBe(expected);
  });

  it('holds for any object and itself, also when fields are added', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue(), (object, extra) => {
        expect(covers(object, object)).toBe(true);
        expect(covers({ ...object, 'added\u0000': extra }, object)).toBe(true);
      }),
    );
  });
});
