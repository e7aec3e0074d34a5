import { expect, test } from 'vitest';
import { matchesLabels } from './label-selector.ts';

test.each([
  ['In', ['a'], true],
  ['In', ['b'], false],
  ['NotIn', ['b'], true],
  ['NotIn', ['a'], false],
  ['Exists', [], true],
  ['DoesNotExist', [], false],
] as const)('%s %o', (operator, values, expected) => {
  const selector = { matchExpressions: [{ key: 'team', operator, values: [...values] }] };
  expect(matchesLabels(selector, { team: 'a' })).toBe(expected);
});

test.each([
  ['In', ['a'], false],
  ['NotIn', ['a'], true],
  ['Exists', [], false],
  ['DoesNotExist', [], true],
] as const)('%s %o of a label that is not there', (operator, values, expected) => {
  const selector = { matchExpressions: [{ key: 'team', operator, values: [...values] }] };
  expect(matchesLabels(selector, { other: 'a' })).toBe(expected);
});

test('a label called like a property of every object is not there', () => {
  expect(matchesLabels({ matchExpressions: [{ key: 'constructor', operator: 'Exists' }] }, {})).toBe(false);
});
