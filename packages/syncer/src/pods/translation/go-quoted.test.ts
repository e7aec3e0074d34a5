import { expect, test } from 'vitest';
import { goQuoted } from './go-quoted.ts';

// What strconv.Quote gives (Go 1.26).
test.each([
  ['plain', '"plain"'],
  ['a "b" \\ c', String.raw`"a \"b\" \\ c"`],
  ['\u0007\b\f\n\r\t\v\u0000\u001b\u007f', String.raw`"\a\b\f\n\r\t\v\x00\x1b\x7f"`],
  ['a\u00a0b\u00ad\u0085\u200b\ufeff\u2028', String.raw`"a\u00a0b\u00ad\u0085\u200b\ufeff\u2028"`],
  ['é 漢 e\u0301 ☎\ufe0f', '"é 漢 e\u0301 ☎\ufe0f"'],
  ['👩\u200d💻', '"👩\\u200d💻"'],
  ['\u{e0001} \ue000', String.raw`"\U000e0001 \ue000"`],
])('%j', (text, quoted) => {
  expect(goQuoted(text)).toBe(quoted);
});
