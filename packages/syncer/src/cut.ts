/** Longest text taken over from the worker, in characters. A termination message is at most this (kubelet). */
const MAX_MESSAGE = 4096;

/**
 * At most `length` characters. Half a character is left out: an API server would keep another in its place, and the text would
 * seem to be changed ever after.
 */
export function cut<T extends string | undefined>(text: T, length = MAX_MESSAGE): T | string {
  if (text === undefined || text.length <= length) return text;
  return `${text.slice(0, length - 3).replace(/[\uD800-\uDBFF]$/, '')}...`;
}
