/** Errors of talking to an API server: what it answered ({@link ApiError}) or that it did not ({@link ConnectionError}). */

import { isObject } from './patch.ts';

/** metav1.Status as the server sends it with an error. */
export interface Status {
  kind?: string;
  status?: string;
  code?: number;
  reason?: string;
  message?: string;
  details?: {
    name?: string;
    kind?: string;
    retryAfterSeconds?: number;
    causes?: { reason?: string; message?: string; field?: string }[];
  };
}

/** Characters of a server's words that are kept: they go into logs, for each of thousands of pods, and a worker may say anything. */
const LONGEST_MESSAGE = 64 * 1024;

/** The API server answered with an error. `message` is the server's own text, as far as that is one for people. */
export class ApiError extends Error {
  readonly code: number;
  readonly reason: string;
  readonly status: Status;
  readonly method: string;
  readonly path: string;

  constructor(code: number, status: Status, method: string, path: string) {
    // Whatever another cluster has put there.
    const said: unknown = status.message;
    super(typeof said === 'string' ? said.slice(0, LONGEST_MESSAGE) : `${method} ${path}: HTTP ${code}`);
    this.name = 'ApiError';
    this.code = code;
    this.reason = status.reason ?? '';
    this.status = status;
    this.method = method;
    this.path = path;
  }
}

/** No answer came: refused, reset, timed out, or the server's certificate is not trusted. */
export class ConnectionError extends Error {
  /** Node's error code, such as `ECONNREFUSED`, `ETIMEDOUT`, `SELF_SIGNED_CERT_IN_CHAIN`. */
  readonly code: string;
  readonly server: string;

  constructor(server: string, code: string, message: string, options?: ErrorOptions) {
    super(`${server}: ${message}`, options);
    this.name = 'ConnectionError';
    this.code = code;
    this.server = server;
  }
}

/** Codes by which Node says that the server's certificate is not to be trusted. */
const CERTIFICATE_CODES = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_SIGNATURE_FAILURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

export function isCertificateError(error: unknown): boolean {
  return error instanceof ConnectionError && CERTIFICATE_CODES.has(error.code);
}

function hasCode(error: unknown, code: number, reason?: string): boolean {
  return error instanceof ApiError && error.code === code && (reason === undefined || error.reason === reason);
}

/** Whatever another cluster has put there: who asks about an error must not stumble over it. */
function causesOf({ status }: ApiError): NonNullable<NonNullable<Status['details']>['causes']> {
  const causes: unknown = status.details?.causes;
  return Array.isArray(causes) ? causes.filter(isObject) : [];
}

/** Whether our account has no right to that. */
export function isForbidden(error: unknown): boolean {
  return hasCode(error, 403);
}

/** The server says that there is no such object. */
export function isNotFound(error: unknown): boolean {
  return hasCode(error, 404) && !isNotServed(error);
}

/** `reason` of a 404 that comes without an API server's Status. */
export const NOT_SERVED = 'NotServed';

/** Either there is no such object, or no such kind of object: for whoever asks for what may not be installed. */
export function is404(error: unknown): boolean {
  return hasCode(error, 404);
}

/**
 * A 404 that says nothing of an object: the server does not serve the path, as it has no such kind or subresource, or what
 * answers is no API server but something before it.
 */
export function isNotServed(error: unknown): boolean {
  return hasCode(error, 404, NOT_SERVED);
}

/**
 * Another writer was faster, or a precondition (UID, resourceVersion) no longer holds. Mostly that is a 409; a patch that
 * carries the UID of a namesake is answered 422, "metadata.uid: field is immutable".
 */
export function isConflict(error: unknown): boolean {
  if (hasCode(error, 409, 'Conflict')) return true;
  return (
    error instanceof ApiError && error.code === 422 && causesOf(error).some((cause) => cause.field === 'metadata.uid')
  );
}

export function isAlreadyExists(error: unknown): boolean {
  return hasCode(error, 409, 'AlreadyExists');
}

/** The resourceVersion asked for is no longer kept: list again. */
export function isExpired(error: unknown): boolean {
  return hasCode(error, 410);
}

/**
 * The resourceVersion asked for is from the server's future: it was restored from a backup, or a stale replica
 * answered (apiserver's `ResourceVersionTooLarge` cause on a Timeout status).
 */
export function isTooLargeResourceVersion(error: unknown): boolean {
  return (
    error instanceof ApiError &&
    error.reason === 'Timeout' &&
    causesOf(error).some((cause) => cause.reason === 'ResourceVersionTooLarge')
  );
}

/** How an API server begins what a webhook or policy says (apiserver's ToStatusErr, and its validating policies' dispatcher). */
const DENIED = /^admission webhook "[^"]*" denied the request|: ValidatingAdmissionPolicy '[^']*' .*denied request: /;

/** Whether a webhook or policy refused the request, with whatever code, so that nothing was stored. */
export function isDenied(message: unknown): boolean {
  // What comes before its words is names; whoever administers a worker writes messages of any length.
  return typeof message === 'string' && DENIED.test(message.slice(0, 1024));
}

/**
 * Whether a write may be done all the same: no answer came, or one that says nothing of it. That is 502 to 504, of a server that
 * was too slow or of what stands before it, and 500 without a reason, of an etcd that did not answer (apiserver's ErrorToAPIStatus).
 * A webhook that cannot be called comes as InternalError; one that refuses by a code of its own need not give a reason either.
 */
export function mayBeDone(error: unknown): boolean {
  if (!(error instanceof ApiError)) return error instanceof ConnectionError;
  if (isDenied(error.message)) return false;
  return error.code > 500 || (error.code === 500 && error.reason === '');
}

/** Whether the same request may be answered otherwise in a moment. Else the server has taken it in and does not want it. */
export function mayPass(error: unknown): boolean {
  return !(error instanceof ApiError) || error.code === 429 || error.code >= 500;
}

/** Text for a log line or a condition, of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What a read finds, or undefined when there is no such object. @throws everything else that the call throws */
export async function unlessMissing<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
