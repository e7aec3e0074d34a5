/**
 * What others say, made harmless for whoever reads it in a terminal. A worker cluster, its webhooks and its programs may say
 * anything, and it ends up in events, conditions and logs of the computing cluster. kubectl shows ESC and the carriage return as
 * text, and nothing else (cli-runtime, terminalEscaper): the single-character forms of the same sequences (C1, U+009B for
 * `ESC [`) pass, and who prints one field by jsonpath gets all of them.
 */

/** C0 without tab and line feed, DEL and C1, line and paragraph separators, and what turns the direction of writing. */
// oxlint-disable-next-line no-control-regex
const SPEAKS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;
/** Of these, what `JSON.stringify` leaves as it is. */
const LEFT_BY_JSON = /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;

/** A blank for each such character. */
export function printable(text: string): string {
  return text.replace(SPEAKS, ' ');
}

/** A line of JSON in which each such character is escaped, so that it says the same. */
export function printableJson(line: string): string {
  return line.replace(LEFT_BY_JSON, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
