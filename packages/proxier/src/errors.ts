/** What is answered instead of what was asked for. The texts are what people read behind `kubectl logs` and `kubectl exec`. */
import { ApiError, ConnectionError, KubeconfigError, messageOf } from '@kubeocean/shared/kube';
import { QueryError } from './kubelet/routes.ts';

/** As kubelets put it. */
export const METHOD_NOT_ALLOWED = '405: Method Not Allowed';

/** Longest text that is answered and logged: what another cluster says may be of any length. */
const MOST_TEXT = 64 * 1024;

export class Refusal extends Error {
  readonly code: number;

  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message.slice(0, MOST_TEXT), options);
    this.name = 'Refusal';
    this.code = code;
  }
}

/** Any error as an answer. What a person cannot act on keeps its message, too: nothing fails without words. */
export function toRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof QueryError) return new Refusal(error.code, error.message);
  return new Refusal(500, `the proxier failed: ${messageOf(error)}`, { cause: error });
}

/**
 * An error of the worker cluster as an answer. Its words are passed on under the name the caller knows the pod by. A
 * worker that refuses *us* is no refusal of the caller: that is 502, not 401 or 403.
 */
export function workerRefusal(error: unknown, names: { worker: string; home: string }): Refusal {
  if (error instanceof ApiError) {
    const text = error.message.replaceAll(names.worker, names.home);
    if (error.code === 401 || error.code === 403) {
      return new Refusal(502, `the worker cluster refuses Kubeocean's own credential: ${text}`, { cause: error });
    }
    return new Refusal(error.code < 400 ? 502 : error.code, text, { cause: error });
  }
  if (error instanceof ConnectionError) {
    return new Refusal(503, `the worker cluster does not answer (${error.code}): try again later`, { cause: error });
  }
  if (error instanceof KubeconfigError) {
    const text = `the worker cluster cannot be asked, as its kubeconfig cannot be used: ${error.message}`;
    return new Refusal(503, text, { cause: error });
  }
  return toRefusal(error);
}
