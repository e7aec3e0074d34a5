import { expect, test } from 'vitest';
import { cut, cutWords } from './cut.ts';

test.each([
  ['a text that fits', 'seven…7', 'seven…7'],
  ['a longer one', 'eight888', 'eigh...'],
  ['one whose last character would be halved', 'abc😀efgh', 'abc...'],
  ['one whose last character is whole', 'ab😀efgh', 'ab😀...'],
])('%s', (_, text, expected) => {
  expect(cut(text, 7)).toBe(expected);
});

test('no text at all stays none', () => {
  expect(cut(undefined)).toBeUndefined();
});

test('words for people speak to no terminal', () => {
  expect(cutWords('red \u009b31m\n')).toBe('red  31m\n');
  expect(cutWords(`\u001b${'x'.repeat(9)}`, 7)).toBe(' xxx...');
  expect(cutWords(undefined)).toBeUndefined();
});
