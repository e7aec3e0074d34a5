import { expect, test } from 'vitest';
import { HeldWaits } from './held-waits.ts';

test('each pod waits 1 s, doubling to 30 s, and begins anew once it was not held', () => {
  const held = new HeldWaits(() => 1);
  const waits = Array.from({ length: 7 }, () => held.held('a') / 1000);
  expect(waits).toEqual([1, 2, 4, 8, 16, 30, 30]);
  expect(held.held('b')).toBe(1000);
  held.passed('a', false);
  expect(held.held('a')).toBe(1000);
});

test('a quarter of the wait is by chance', () => {
  expect(new HeldWaits(() => 0).held('a')).toBe(750);
});

test('the first that is not held any more brings all others back, if writes are allowed', () => {
  const held = new HeldWaits();
  for (const key of ['a', 'b', 'c', 'd']) held.held(key);
  expect(held.passed('never held', true)).toEqual([]);
  expect(held.passed('a', false)).toEqual([]);
  expect(held.passed('b', true)).toEqual(['c', 'd']);
  expect(held.passed('c', true)).toEqual([]);
});

test('all are brought back, once, when something else tells that they may go on', () => {
  const held = new HeldWaits(() => 1);
  for (const key of ['a', 'b', 'a']) held.held(key);
  expect(held.wake()).toEqual(['a', 'b']);
  expect(held.wake()).toEqual([]);
  expect(held.held('a')).toBe(1000);
});
