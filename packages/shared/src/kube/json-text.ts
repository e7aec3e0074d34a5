/**
 * Objects as text, for a server whose whole numbers have 64 bits. `JSON.parse` makes 2^63 of the largest of them, which users
 * write for "for ever" (`terminationGracePeriodSeconds: 9223372036854775807`), and that again is more than Go reads: the
 * object would be refused. Nearer to zero a number may come out as its neighbour, which means the same.
 */

const BEYOND = 2 ** 63;
/** As `JSON.stringify` writes it. */
const BEYOND_TEXT = '9223372036854776000';
/** The numbers that were meant. */
const MOST = '9223372036854775807';
const LEAST = '-9223372036854775808';

/** Of ECMAScript 2026; in Node since 21. https://github.com/tc39/proposal-json-parse-with-source */
const json = JSON as unknown as { rawJSON(text: string): object };

/** As `JSON.stringify`, but of numbers that no 64 bits hold the nearest that they do. */
export function jsonText(value: unknown): string {
  const text = JSON.stringify(value);
  // A text of somebody's may have it, too.
  if (!text.includes(BEYOND_TEXT)) return text;
  return JSON.stringify(value, (_, inner: unknown) => {
    if (inner === BEYOND) return json.rawJSON(MOST);
    return inner === -BEYOND ? json.rawJSON(LEAST) : inner;
  });
}

/** Of what JSON leaves as it is, characters that no YAML text may hold (go.yaml.in/yaml, yaml_reader). */
// oxlint-disable-next-line no-control-regex
const NOT_IN_YAML = /[\u007f-\u0084\u0086-\u009f\ufffe\uffff]/g;
/** A backslash with what it makes special: half a character stands so alone, whole ones have no escapes. */
const ESCAPED = /\\(ud[89a-f][0-9a-f]{2}|.)/g;

/**
 * {@link jsonText} for a server that reads it as YAML, as API servers do with server-side apply: there, half a character or a
 * control character in a message would have the whole refused. Half of one becomes what is made of it elsewhere.
 */
export function applyText(value: unknown): string {
  const text = jsonText(value).replace(NOT_IN_YAML, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  if (!text.includes('\\ud')) return text;
  return text.replace(ESCAPED, (escape, what: string) => (what.length > 1 ? '\ufffd' : escape));
}
