/** Which failed requests may be sent again, and when. */
import { ApiError, ConnectionError } from './errors.ts';

/**
 * Longest that a server may make a call wait: whoever names more (a load balancer's page of maintenance says an hour) gives an
 * error. Calls have a deadline as a rule, but who follows a log waits as long as it likes, and is to be told.
 */
const MOST_RETRY_AFTER_SECONDS = 30;

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
    if (retryAfter !== undefined && retryAfter > MOST_RETRY_AFTER_SECONDS) return undefined;
    if (error.code === 429) return retryAfter ? retryAfter * 1000 : Math.max(backOff, 1000);
    if (method === 'GET' && error.code >= 500 && !isTimeoutAboutRevision(error)) {
      return retryAfter ? retryAfter * 1000 : backOff;
    }
    return undefined;
  }
  // A certificate that is not trusted will not be trusted a moment later either; a name server may answer again (EAI_AGAIN).
  if (error instanceof ConnectionError && method === 'GET' && /^(E[A-Z]+|EAI_AGAIN)$/.test(error.code)) return backOff;
  return undefined;
}

function isTimeoutAboutRevision(error: ApiError): boolean {
  return error.code === 504 && error.reason === 'Timeout';
}
