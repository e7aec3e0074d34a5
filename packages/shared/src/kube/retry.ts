/** Which failed requests may be sent again, and when. */
import { ApiError, ConnectionError } from './errors.ts';

/**
 * How long to wait before the same request may be sent again, in milliseconds; undefined when it must not be.
 * 429 is safe for every verb: the API server refuses before it acts (API priority and fairness). After 5xx or a lost
 * connection only a GET is repeated here: whether a write took effect is for its controller to find out.
 */
export function retryDelayMs(
  error: unknown,
  method: string,
  attempt: number,
  random = Math.random,
): number | undefined {
  const backOff = Math.min(100 * 2 ** (attempt - 1), 5_000) * (0.75 + random() / 2);
  if (error instanceof ApiError) {
    const retryAfter = error.status.details?.retryAfterSeconds;
    if (error.code === 429) return retryAfter ? retryAfter * 1000 : Math.max(backOff, 1000);
    if (method === 'GET' && error.code >= 500 && !isTimeoutAboutRevision(error)) {
      return retryAfter ? retryAfter * 1000 : backOff;
    }
    return undefined;
  }
  // A certificate that is not trusted will not be trusted a moment later either.
  if (error instanceof ConnectionError && method === 'GET' && /^E[A-Z]+$/.test(error.code)) return backOff;
  return undefined;
}

function isTimeoutAboutRevision(error: ApiError): boolean {
  return error.code === 504 && error.reason === 'Timeout';
}
