import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { covers, isOwnedBy, ownersOf } from './made.ts';

describe('covers', () => {
  it.each<[string, unknown, unknown, boolean]>([
    ['defaults of the server', { a: 1, b: 'default' }, { a: 1 }, true],
    ['defaults inside a list', { l: [{ a: 1, b: 2 }] }, { l: [{ a: 1 }] }, true],
    ['another value', { a: 1 }, { a: 2 }, false],
    ['a missing field', {}, { a: 1 }, false],
    ['another item of a list', { l: [1, 2] }, { l: [1, 3] }, false],
    ['one of two fields', { a: 1, b: 1 }, { a: 1, b: 2 }, false],
    ['another kind of value', { a: 'x' }, { a: { b: 1 } }, false],
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

describe('isOwnedBy', () => {
  const owner = { apiVersion: 'v1', kind: 'ClusterBinding', name: 'a', uid: 'u', controller: true };
  const other = { ...owner, uid: 'other', controller: false };
  it.each([
    ['its controller', [owner], true],
    ['its controller beside another owner', [other, owner], true],
    ['an earlier binding of the name', [{ ...owner, uid: 'earlier' }], false],
    ['an owner that does not control it', [{ ...owner, controller: false }], false],
    ['nobody', undefined, false],
  ])('%s', (_, ownerReferences, expected) => {
    const metadata = { name: 'x', ...(ownerReferences && { ownerReferences }) };
    expect(isOwnedBy({ metadata }, 'u')).toBe(expected);
  });
});

it('an object that loses its owner, or changes hands, concerns the binding that had it, too', () => {
  const of = (...names: string[]) => ({
    metadata: {
      name: 'x',
      ownerReferences: names.map((name) => ({ apiVersion: 'v1', kind: 'ClusterBinding', name, uid: name })),
    },
  });
  const anothers = {
    metadata: { name: 'x', ownerReferences: [{ apiVersion: 'v1', kind: 'Other', name: 'o', uid: 'o' }] },
  };
  expect([...ownersOf(of('a'), { metadata: { name: 'x' } })]).toEqual(['a']);
  expect([...ownersOf(of('a'), of('a', 'b'))]).toEqual(['a', 'b']);
  expect([...ownersOf(undefined, anothers)]).toEqual([]);
});
