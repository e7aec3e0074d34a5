/**
 * JSON whose whole numbers stay as they were written. Go writes and reads 64 bits (a volume without inodes may say
 * 18446744073709551615); read as a number of JavaScript and written again, that is more than fits, and whoever reads the
 * answer gives up on all of it.
 */

/** Of ECMAScript 2026; in Node since 21. https://github.com/tc39/proposal-json-parse-with-source */
interface JsonWithSource {
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown;
  rawJSON(text: string): object;
  isRawJSON(value: unknown): value is { rawJSON: string };
}

const json = JSON as unknown as JsonWithSource;

/** Somewhere there is a whole number that may be beyond 2^53. To look at each value is several times as slow as to read. */
const LONG_NUMBER = /[-:[,\s]\d{16}/;
const WHOLE = /^-?\d+$/;

/** As `JSON.parse`, but numbers that would not survive come as objects that `JSON.stringify` writes as they were. */
export function parseExactly(text: string): unknown {
  if (!LONG_NUMBER.test(text)) return JSON.parse(text);
  return json.parse(text, (_, value, { source = '' }) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && WHOLE.test(source) ? json.rawJSON(source) : value,
  );
}

/** The number that a value of {@link parseExactly} stands for, as near as JavaScript has it; undefined when it is none. */
export function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  return json.isRawJSON(value) ? Number(value.rawJSON) : undefined;
}

/** The highest number that is written as no more than 64 bits hold. */
const MOST = 2 ** 64 - 2048;

/** The sum of whole numbers, as something that a reader with 64 bits can read. */
export function sumOf(values: Iterable<unknown>): number {
  let sum = 0;
  for (const value of values) sum += numberOf(value) ?? 0;
  return Math.min(sum, MOST);
}
