/**
 * Who bears a token, as an API server's reviews say: held for a while, and few asked for at once. Any pod may knock with made-up
 * tokens, as fast as it can; those that were somebody's before neither wait in one line with them nor make room for them.
 */
import { createHash } from 'node:crypto';
import { createCache } from './cache.ts';
import { createExpiringMap } from './expiring.ts';
import { createLimiter } from './limiter.ts';

export interface TokenReviewOptions {
  /** Milliseconds for which a bearer is held, and for which it is that a token is nobody's. */
  knownMs: number;
  unknownMs: number;
  /** Reviews at once, and such as wait: of tokens that were somebody's, and as many of others. */
  atOnce: number;
  waiting: number;
  /** Milliseconds, never going back. */
  clock?: () => number;
}

/**
 * Gives the bearer of a token; undefined when it is nobody's.
 * @param review asks the API server; null: nobody's
 * @throws Error as `review` does, or when too many wait
 */
export type TokenReviews<V> = (token: string, review: () => Promise<V | null>) => Promise<V | undefined>;

/** As long as most tokens live: who comes back after that is a stranger again. */
const FAMILIAR_MS = 3_600_000;
const BOUND = 4096;

export function createTokenReviews<V extends object | string>(options: TokenReviewOptions): TokenReviews<V> {
  const { knownMs, unknownMs, atOnce, waiting, clock } = options;
  const withClock = { bound: BOUND, ...(clock && { clock }) };
  const bearers = createExpiringMap<V>(withClock);
  const familiar = createExpiringMap<true>(withClock);
  const reviews = createCache<V | null>({ ...withClock, holdMs: (bearer) => (bearer === null ? unknownMs : 0) });
  const tooMany = () => new Error('too many at once, try again later');
  const lanes = { familiar: createLimiter(atOnce, waiting, tooMany), other: createLimiter(atOnce, waiting, tooMany) };

  return async (token, review) => {
    // The token itself is not kept, only what tells it from others.
    const key = createHash('sha256').update(token).digest('base64');
    const known = bearers.get(key);
    if (known !== undefined) return known;
    const lane = familiar.get(key) ? lanes.familiar : lanes.other;
    const bearer = await reviews.get(key, () => lane.run(review));
    if (bearer === null) return undefined;
    bearers.set(key, bearer, knownMs);
    familiar.set(key, true, FAMILIAR_MS);
    return bearer;
  };
}
