/** The worker cluster seen from here: whether anybody answers, and what people are told. */
import { Annotation, Seconds } from '@kubeocean/shared/api';
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
  const cause = error === undefined ? 'no answer' : messageOf(error);
  const leases = evicts
    ? `Their Leases lapse, and this cluster evicts as the pods' tolerations say (annotation ${Annotation.unreachable}: evict)`
    : `Lease renewals go on every ${Seconds.renewEvery} s`;
  return `the worker cluster has not answered for ${silenceSeconds} s: ${cause}. Pods that run there go on; vnodes take no new ones. ${leases}`;
}
