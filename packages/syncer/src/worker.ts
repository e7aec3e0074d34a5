/** The worker cluster seen from here: whether anybody answers, and what people are told. */
import { Annotation } from '@kubeocean/shared/api';
import { ApiError, isForbidden, isCertificateError, is404, KubeconfigError, messageOf } from '@kubeocean/shared/kube';

export interface Reachability {
  /** A watch told of something. That may go on for hours with a credential that no call is answered with any more. */
  contact(atMs: number): void;
  /** A call of ours was answered as it should. */
  accepted(atMs: number): void;
  /** A request failed; the last error is what people are told. */
  failed(error: unknown): void;
  /** Undefined until the worker has answered once or has been silent long enough. */
  unreachable(atMs: number): boolean | undefined;
  readonly error: unknown;
  /** Seconds of silence after which the worker is unreachable. */
  readonly silenceSeconds: number;
}

/**
 * @param startedAtMs on the same monotonic clock as the other times.
 * @param silenceMs silence of the worker after which its vnodes take no more pods, in milliseconds
 */
export function createReachability(startedAtMs: number, silenceMs = 30_000): Reachability {
  let last: number | undefined;
  let error: unknown;
  let rejected = false;
  return {
    contact(atMs) {
      if (!rejected) last = atMs;
    },
    accepted(atMs) {
      rejected = false;
      last = atMs;
    },
    failed(cause) {
      error = cause;
      if (cause instanceof ApiError && cause.code === 401) rejected = true;
    },
    unreachable(atMs) {
      const silentMs = atMs - (last ?? startedAtMs);
      if (silentMs > silenceMs) return true;
      return last === undefined ? undefined : false;
    },
    get error() {
      return error;
    },
    silenceSeconds: silenceMs / 1000,
  };
}

/** One word for the condition, from what went wrong. */
export function failureReason(error: unknown): string {
  if (error instanceof KubeconfigError) return 'KubeconfigInvalid';
  if (isCertificateError(error)) return 'CertificateNotTrusted';
  if (error instanceof ApiError && error.code === 401) return 'Unauthorized';
  if (isForbidden(error)) return 'Forbidden';
  if (is404(error)) return 'NotFound';
  return 'Unreachable';
}

/**
 * What a person should know of a worker that does not answer.
 * @param evicts the binding lets home evict meanwhile
 */
export function unreachableMessage(error: unknown, silenceSeconds: number, evicts: boolean): string {
  const leases = evicts
    ? `Their Leases lapse, and this cluster evicts as the pods' tolerations say (annotation ${Annotation.unreachable}: evict)`
    : 'This cluster evicts none meanwhile: the Leases of the vnodes are renewed all the same';
  return `${whatIsWrong(error, silenceSeconds)}. Pods that run there go on; vnodes take no new ones. ${leases}`;
}

/** What is wrong, and what to do about it where that is known. */
function whatIsWrong(error: unknown, silenceSeconds: number): string {
  const silent = `the worker cluster has not answered for ${silenceSeconds} s`;
  if (error === undefined) return `${silent}: no answer`;
  const renew =
    'make a new kubeconfig there (scripts/kubeconfig.sh) and put it into the Secret that spec.secretRef names; it is taken up by itself';
  if (error instanceof ApiError && error.code === 401) {
    return `the worker cluster has refused the credential of the kubeconfig for ${silenceSeconds} s (${messageOf(error)}): it has expired or was revoked. If that does not end, ${renew}`;
  }
  const advice = isCertificateError(error) ? `. If its CA is another one by now, ${renew}` : '';
  return `${silent}: ${messageOf(error)}${advice}`;
}
