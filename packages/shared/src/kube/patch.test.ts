import fc from 'fast-check';
import { expect, test } from 'vitest';
import { deepEqual, mergePatch, replacePatch, withCondition, withoutFinalizer } from './patch.ts';
import type { Condition, Json } from './types.ts';

/** JSON merge patch as RFC 7386 section 2 writes it down. */
function apply(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Json = typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [field, value] of Object.entries(patch)) {
    if (value === null) delete result[field];
    else result[field] = apply(result[field], value);
  }
  return result;
}

const cases: { name: string; current: Json | undefined; desired: Json; patch: Json | undefined }[] = [
  { name: 'equal', current: { a: { b: [1] } }, desired: { a: { b: [1] } }, patch: undefined },
  { name: 'a field of somebody else', current: { a: 1, theirs: 2 }, desired: { a: 1 }, patch: undefined },
  { name: 'one leaf', current: { a: { b: 1, c: 2 } }, desired: { a: { b: 3, c: 2 } }, patch: { a: { b: 3 } } },
  { name: 'an array is replaced whole', current: { a: [1, 2] }, desired: { a: [1] }, patch: { a: [1] } },
  { name: 'undefined removes', current: { a: 1 }, desired: { a: undefined }, patch: { a: null } },
  { name: 'undefined where nothing is', current: {}, desired: { a: undefined }, patch: undefined },
  { name: 'null where null is', current: { a: null }, desired: { a: null }, patch: undefined },
  { name: 'nothing there yet', current: undefined, desired: { a: { b: 1 } }, patch: { a: { b: 1 } } },
  { name: 'another item of a list', current: { a: [1, 2] }, desired: { a: [1, 3] }, patch: { a: [1, 3] } },
  {
    name: 'an object takes the place of a list',
    current: { a: [1] },
    desired: { a: { 0: 1 } },
    patch: { a: { 0: 1 } },
  },
  { name: 'a list takes the place of an object', current: { a: { b: 1 } }, desired: { a: [1] }, patch: { a: [1] } },
  { name: 'an empty object where nothing is', current: {}, desired: { a: {} }, patch: { a: {} } },
  {
    name: 'an object takes the place of a text',
    current: { a: 'x' },
    desired: { a: { b: 1 } },
    patch: { a: { b: 1 } },
  },
];

test.each(cases)('merge patch: $name', ({ current, desired, patch }) => {
  expect(mergePatch(current, desired)).toEqual(patch);
});

test('a replace patch removes what is not desired', () => {
  expect(replacePatch({ a: '1', b: '2' }, { a: '1', c: '3' })).toEqual({ b: null, c: '3' });
  expect(replacePatch({ a: '1' }, { a: '1' })).toBeUndefined();
  expect(replacePatch(undefined, {})).toBeUndefined();
  // A label of a node may be named as what every object of JavaScript has.
  expect(replacePatch({ constructor: '1' }, {})).toEqual({ constructor: null });
});

// Kubernetes objects hold no null: a JSON merge patch could not set one.
const json = fc.letrec((tie) => ({
  leaf: fc.oneof(fc.integer(), fc.boolean(), fc.string({ maxLength: 3 })),
  list: fc.array(fc.oneof(tie('leaf'), tie('object')), { maxLength: 3 }),
  object: fc.dictionary(
    fc.constantFrom('a', 'b', 'c', 'constructor'),
    fc.oneof(tie('leaf'), tie('list'), tie('object')),
    {
      maxKeys: 4,
    },
  ),
})).object as fc.Arbitrary<Json>;

test('applying the merge patch gives the desired fields and leaves the others', () => {
  fc.assert(
    fc.property(json, json, (current, desired) => {
      const patch = mergePatch(current, desired);
      const result = patch ? (apply(current, patch) as Json) : current;
      expect(mergePatch(result, desired)).toBeUndefined();
      for (const [field, value] of Object.entries(current))
        if (!(field in desired)) expect(result[field]).toEqual(value);
    }),
  );
});

test('applying the replace patch gives exactly what is desired', () => {
  fc.assert(
    fc.property(json, json, (current, desired) => {
      const patch = replacePatch(current, desired);
      expect(patch ? apply(current, patch) : current).toEqual(desired);
    }),
  );
});

test('an object equals its copy and no patch comes of it', () => {
  fc.assert(
    fc.property(json, (object) => {
      const copy = structuredClone(object);
      expect(deepEqual(object, copy)).toBe(true);
      expect(mergePatch(object, copy)).toBeUndefined();
      expect(replacePatch(object, copy)).toBeUndefined();
    }),
  );
});

test('an absent field equals an undefined one', () => {
  expect(deepEqual({ a: undefined }, {})).toBe(true);
  expect(deepEqual({}, { a: undefined })).toBe(true);
  expect(deepEqual({}, { toString: 'x' })).toBe(false);
  expect(deepEqual({ toString: 'x' }, {})).toBe(false);
  expect(deepEqual({ a: null }, {})).toBe(false);
  expect(deepEqual([1], { 0: 1 })).toBe(false);
});

const now = new Date('2026-01-02T03:04:05.678Z');
const old: Condition = { type: 'Ready', status: 'True', reason: 'Ok', lastTransitionTime: '2020-01-01T00:00:00Z' };

test('a condition keeps its transition time until its status changes', () => {
  const conditions = [old];
  expect(withCondition(conditions, { type: 'Ready', status: 'True', reason: 'Ok' }, now)).toBe(conditions);
  expect(withCondition(conditions, { type: 'Ready', status: 'True', reason: 'Other' }, now)).toEqual([
    { ...old, reason: 'Other' },
  ]);
  expect(withCondition(conditions, { type: 'Ready', status: 'False', reason: 'Bad' }, now)).toEqual([
    { type: 'Ready', status: 'False', reason: 'Bad', lastTransitionTime: '2026-01-02T03:04:05Z' },
  ]);
  expect(withCondition(undefined, { type: 'Claimed', status: 'True' }, now)).toHaveLength(1);
  expect(withCondition(conditions, { type: 'Claimed', status: 'True' }, now).map(({ type }) => type)).toEqual([
    'Ready',
    'Claimed',
  ]);
  expect(conditions).toEqual([old]);
});

test('the patch that takes a finalizer off is for the object of that UID only', () => {
  expect(withoutFinalizer('u', 'f')).toEqual({ uid: 'u', '$deleteFromPrimitiveList/finalizers': ['f'] });
});
