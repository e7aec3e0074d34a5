import { expect, test } from 'vitest';
import { applyText, jsonText } from './json-text.ts';

test.each([
  ['{"spec":{"terminationGracePeriodSeconds":9223372036854775807,"a":[9223372036854775807,30]}}'],
  ['{"tolerationSeconds":-9223372036854775808}'],
  ['{"data":{"__proto__":"{\\"n\\":9223372036854776000}"},"n":9223372036854775807}'],
  ['{"n":9007199254740991,"f":0.1,"none":null}'],
])('what an API server says is written as it was read: %s', (text) => {
  expect(jsonText(JSON.parse(text))).toBe(text);
});

test('what no double is comes out as its neighbour, within 64 bits', () => {
  for (const most of [2n ** 63n - 1n, 2n ** 63n - 600n, 2n ** 62n + 1n, 2n ** 53n + 1n]) {
    const [, said = ''] = /:(-?\d+)\}/.exec(jsonText(JSON.parse(`{"n":${most}}`))) ?? [];
    expect(BigInt.asIntN(64, BigInt(said))).toBe(BigInt(said));
  }
});

test.each([
  ['a\u007fb\u0085\u009f\ufffe\uffff\ufeff', String.raw`"a\u007fb${'\u0085'}\u009f\ufffe\uffff${'\ufeff'}"`],
  ['cut \ud83d', '"cut \ufffd"'],
  ['\\ud83d \\\ud83d 😀', String.raw`"\\ud83d \\${'\ufffd'} 😀"`],
  ['\u0000\u001b[0m\n', String.raw`"\u0000\u001b[0m\n"`],
])('what is read as YAML has nothing that YAML has not: %j', (text, written) => {
  expect(applyText(text)).toBe(written);
  expect(JSON.parse(applyText(text))).toBe(text.toWellFormed());
});
