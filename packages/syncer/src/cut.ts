import { printable } from '@kubeocean/shared/kube';

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

/**
 * The same of words for people, which the worker, its webhooks and kubelets write: nothing in them speaks to the reader's terminal.
 * Not of what containers leave behind, which is their users' own and may be read by programs.
 */
export function cutWords<T extends string | undefined>(text: T, length = MAX_MESSAGE): T | string {
  return text === undefined ? text : printable(cut(text, length));
}
