/** Reading the values of flags: each gives what it is, or the sentence that says what it should be. */

/** A command line that was refused; the message says why and what would be right. */
export class UsageError extends Error {
  override name = 'UsageError';
}

export function wholeNumber(flag: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text)) throw new UsageError(`--${flag} wants a whole number, not "${text}"`);
  if (value < least || value > most) throw new UsageError(`--${flag} must be from ${least} to ${most}, not ${text}`);
  return value;
}

export function listOf(flag: string, text: string): string[] {
  const items = text.split(',').map((item) => item.trim());
  if (items.includes('')) throw new UsageError(`--${flag} is a list parted by commas; "${text}" has an empty place`);
  const twice = items.find((item, at) => items.indexOf(item) !== at);
  if (twice !== undefined) throw new UsageError(`--${flag} names ${twice} twice`);
  return items;
}

export function numbers(flag: string, text: string, least: number, most: number): number[] {
  return listOf(flag, text).map((item) => wholeNumber(flag, item, least, most));
}

export function choices<T extends string>(flag: string, text: string, known: readonly T[]): T[] {
  return listOf(flag, text).map((item) => {
    if (!(known as readonly string[]).includes(item)) {
      throw new UsageError(`--${flag} takes ${known.join(', ')}, not "${item}"`);
    }
    return item as T;
  });
}

export function pair(flag: string, text: string, separator: string): [string, string] {
  const parts = text.split(separator);
  if (parts.length !== 2 || parts.some((part) => !/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(part))) {
    throw new UsageError(`--${flag} wants two names parted by "${separator}", not "${text}"`);
  }
  return parts as [string, string];
}

/** A name as labels and namespaces have it (RFC 1123), of at most so many characters. */
export function labelName(flag: string, text: string, most: number): string {
  if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(text) || text.length > most) {
    throw new UsageError(`--${flag} wants a name of at most ${most} small letters, digits and "-", not "${text}"`);
  }
  return text;
}

/** A label selector; an empty one would be all pods. */
export function selector(flag: string, text: string): string {
  if (text.trim() === '') throw new UsageError(`--${flag} wants a label selector; an empty one would select every pod`);
  return text.trim();
}
