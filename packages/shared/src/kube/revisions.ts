/** What the revisions of a server's state say: which is the older, and when only a new list helps. */
import { ApiError, isExpired, isTooLargeResourceVersion } from './errors.ts';

/** The server's state is older than what it told before, or another one: a restored backup. */
export class StateWentBack extends Error {
  constructor(plural: string) {
    super(
      `the server's ${plural} are not a continuation of what it told before (restored from a backup?): listing anew`,
    );
    this.name = 'StateWentBack';
  }
}

/** 400: the server cannot read our revision, which is no better than one it has forgotten. */
export function mustListAgain(error: unknown): boolean {
  return (
    isExpired(error) ||
    isTooLargeResourceVersion(error) ||
    error instanceof StateWentBack ||
    (error instanceof ApiError && error.code === 400)
  );
}

/**
 * Whether revision `a` comes before `b`. Revisions are whole numbers of growing size (KEP-5504); any that are not say
 * nothing.
 */
export function isOlder(a: string, b: string): boolean {
  if (!/^\d+$/.test(a) || !/^\d+$/.test(b)) return false;
  return BigInt(a) < BigInt(b);
}
