/** What goes wrong again and again: told to people from the second time on, since once is often nothing. */
import { ApiError, messageOf } from '@kubeocean/shared/kube';
import type { VolumeState } from './state.ts';

export interface Failing {
  /** When it failed first, as `elapsed` of the state tells it. */
  since: number;
  times: number;
}

/** Notes one more failure of a claim or volume; forgotten when `failing` loses its UID. */
export function failedAgain({ failing, elapsed }: VolumeState, uid: string): Failing {
  const known = failing.get(uid) ?? { since: elapsed(), times: 0 };
  const now = { ...known, times: known.times + 1 };
  failing.set(uid, now);
  return now;
}

/** The worker understood and said no. */
export function isRefusal(error: unknown): boolean {
  return error instanceof ApiError && [400, 403, 422].includes(error.code);
}

/** The worker has not got a claim that it was asked for. */
export class ClaimNotMade extends Error {
  /** It will say the same next time. */
  readonly refused: boolean;

  constructor(cause: unknown) {
    const refused = isRefusal(cause);
    super(`the worker cluster ${refused ? 'refused' : 'could not make'} the claim: ${messageOf(cause)}`, { cause });
    this.name = 'ClaimNotMade';
    this.refused = refused;
  }
}
