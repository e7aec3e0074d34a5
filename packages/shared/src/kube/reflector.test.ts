import { expect, test } from 'vitest';
import { backOffMs, isOlder } from './reflector.ts';

test('waits from 0.8 s doubling to 30 s, half of it by chance', () => {
  expect([1, 2, 3, 6, 7, 50].map((failures) => backOffMs(failures, () => 1))).toEqual([
    800, 1600, 3200, 25_600, 30_000, 30_000,
  ]);
  expect(backOffMs(1, () => 0)).toBe(400);
});

test.each([
  ['9', '10', true],
  ['10', '9', false],
  ['10', '10', false],
  ['99999999999999999998', '99999999999999999999', true],
  ['', '5', false],
  ['abc', '5', false],
])('revision %s comes before %s: %s', (a, b, older) => {
  expect(isOlder(a, b)).toBe(older);
});
