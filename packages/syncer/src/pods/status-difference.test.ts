import type { Condition } from '@kubeocean/shared/kube';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { statusDifference, withoutNulls } from './status-difference.ts';

/** Fields without a value at any depth; items of arrays stay. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const said = Object.entries(value).filter(([, inner]) => inner !== null && inner !== undefined);
  return Object.fromEntries(said.map(([field, inner]) => [field, plain(inner)]));
}

const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, undefined, 0, '', 'a', true),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('value'), { noNullPrototype: true }),
  ),
}));

test('fields that say nothing are left out, at any depth, and what was given is not changed', () => {
  fc.assert(
    fc.property(value, (given) => {
      const before = structuredClone(given);
      expect(withoutNulls(given)).toStrictEqual(plain(given));
      expect(given).toStrictEqual(before);
    }),
  );
});

test('what has none is given back itself', () => {
  const status = { phase: 'Running', conditions: [{ type: 'Ready', reason: '' }], podIPs: [] };
  expect(withoutNulls(status)).toBe(status);
});

const refused: Condition = { type: 'kubeocean.io/Refused', status: 'True' };
const notRun: Condition = { type: 'kubeocean.io/NotRun', status: 'True' };
const ready: Condition = { type: 'Ready', status: 'True' };

test.each([
  ['a worker pod that has said nothing yet', { conditions: [refused, notRun, ready] }, [refused, notRun]],
  ['neither', { conditions: [ready] }, undefined],
])('what said why there is no worker pod goes as soon as there is one: %s', (_, current, gone) => {
  const conditions = gone?.map(({ type }) => ({ type, $patch: 'delete' }));
  expect(statusDifference(current, {})).toEqual(conditions && { conditions });
});

test.each([
  ['shown', { podIP: '10.0.0.1', podIPs: [{ ip: '10.0.0.1' }] }, { podIP: null, podIPs: null }],
  ['not shown', {}, undefined],
])('addresses that home must not show are taken back: %s', (_, current, difference) => {
  expect(statusDifference(current, {}, ['podIP', 'podIPs'])).toEqual(difference);
});
