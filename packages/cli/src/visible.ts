/**
 * What clusters and files say, made harmless for a terminal. Names, messages and annotations may be written by anybody: raw,
 * an escape sequence in one of them would move the cursor, rename the window or write the clipboard of whoever asks.
 */

/**
 * C0 without the line feed, DEL, C1, line and paragraph separators, and what turns the direction of writing. By numbers: in the
 * text of a program they could not be seen.
 */
const RANGES: readonly (readonly [number, number])[] = [
  [0x00, 0x09],
  [0x0b, 0x1f],
  [0x7f, 0x9f],
  [0x2028, 0x202e],
  [0x2066, 0x2069],
];
const ranges = RANGES.map(([from, to]) => `${escaped(from)}-${escaped(to)}`).join('');
const HIDDEN = new RegExp(`[${ranges}]`, 'g');

/**
 * Each such character as `\u001b`; line feeds stay. The form is that of JSON, so that text which is JSON still is, and means
 * the same.
 */
export function visible(text: string): string {
  return text.replace(HIDDEN, (character) => escaped(character.charCodeAt(0)));
}

/** The same of a text that is to be one line, whatever it says: line feeds are shown as `\n`. */
export function oneLine(text: string): string {
  return visible(text).replaceAll('\n', '\\n');
}

function escaped(code: number): string {
  return `\\u${code.toString(16).padStart(4, '0')}`;
}
