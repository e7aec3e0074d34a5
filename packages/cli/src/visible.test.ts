import { expect, test } from 'vitest';
import { explanationText } from './explain/text.ts';
import { Failure } from './failure.ts';
import { oneLine, visible } from './visible.ts';

const ESC = String.fromCharCode(0x1b);
const CSI = String.fromCharCode(0x9b);
const BIDI = String.fromCharCode(0x202e);

test.each([
  [`${ESC}]0;owned${String.fromCharCode(7)}`, String.raw`\u001b]0;owned\u0007`],
  [`${CSI}2J`, String.raw`\u009b2J`],
  [`a${String.fromCharCode(0x7f)}\rb\tc`, String.raw`a\u007f\u000db\u0009c`],
  [`${BIDI}drawkcab${String.fromCharCode(0x2066)}`, String.raw`\u202edrawkcab\u2066`],
  ['two\nlines', 'two\nlines'],
  ['Grüße, 世界 🙂', 'Grüße, 世界 🙂'],
])('%j is shown', (text, shown) => expect(visible(text)).toBe(shown));

test('text that is JSON means the same afterwards', () => {
  const value = { a: `${CSI}${BIDI}${ESC}` };
  const text = visible(JSON.stringify(value));
  expect(text).toBe(String.raw`{"a":"\u009b\u202e\u001b"}`);
  expect(JSON.parse(text)).toEqual(value);
});

test('what was read makes no lines of its own', () => {
  expect(oneLine('a\nWhat cannot be known:')).toBe(String.raw`a\nWhat cannot be known:`);
  const answer = {
    kind: 'pod',
    name: 'p',
    summary: 's\nx',
    now: ['n\ny'],
    why: [],
    next: [],
    events: [],
    unknown: [],
  } as const;
  const lists = { now: [...answer.now], why: [], next: [], events: [], unknown: [] };
  expect(explanationText({ ...answer, ...lists })).toBe('s\\nx\n\nNow:\n  n\\ny\n');
  expect(new Failure(['a\nb', 'c']).message).toBe('a\\nb\nc');
});
