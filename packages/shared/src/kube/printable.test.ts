import { expect, test } from 'vitest';
import { printable, printableJson } from './printable.ts';

test.each([
  ['what sets a colour', 'red \u001b[31m', 'red  [31m'],
  ['the same in one character', 'red \u009b31m', 'red  31m'],
  ['a title of the window', 'a\u001b]0;x\u0007b', 'a ]0;x b'],
  ['what hides what came before', 'kubectl delete\rkubectl get', 'kubectl delete kubectl get'],
  ['letters that run the other way', 'a\u202eb\u2066c', 'a b c'],
  ['tab and line feed, which stay', 'a\tb\nc', 'a\tb\nc'],
  ['letters of any language, which stay', 'später 节点 🚀', 'später 节点 🚀'],
])('%s', (_, text, said) => {
  expect(printable(text)).toBe(said);
});

test('a line of JSON says the same, and nothing to a terminal', () => {
  const said = { message: 'red \u009b31m \u202e \u001b[0m später 🚀\n' };
  const line = printableJson(JSON.stringify(said));
  expect(JSON.parse(line)).toEqual(said);
  expect(line).toBe(String.raw`{"message":"red \u009b31m \u202e \u001b[0m später 🚀\n"}`);
});
