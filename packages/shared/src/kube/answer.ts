/** Answers of an API server, and their absence, as text or as the errors of `errors.ts`. */
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import type { Ending } from './deadline.ts';
import { ApiError, ConnectionError, isDenied, messageOf, NOT_SERVED, type Status } from './errors.ts';
import { isObject } from './patch.ts';

/** The error that an answer of 300 and above stands for, as API servers lead nobody elsewhere; `text` is its body. */
export function toApiError(
  code: number,
  text: string,
  response: IncomingMessage,
  request: { method: string; path: string },
): ApiError {
  let status: Status;
  try {
    const value: unknown = JSON.parse(text);
    status = isObject(value) ? value : { message: text.slice(0, 1024) };
  } catch {
    status = { message: text.slice(0, 1024) || `${request.method} ${request.path}: HTTP ${code}` };
  }
  // An API server's Status of an object has both.
  const isStatus = status.kind === 'Status' || status.reason === 'NotFound';
  if (code === 404 && !isStatus) status = { ...status, reason: NOT_SERVED };
  const retryAfter = Number(response.headers['retry-after']);
  if (Number.isFinite(retryAfter) && retryAfter > 0) {
    status = { ...status, details: { ...status.details, retryAfterSeconds: retryAfter } };
  }
  const { method, path } = request;
  if (isDenial(code, status)) return new ApiError(403, { ...status, reason: 'Forbidden' }, method, path);
  return new ApiError(code, status, method, path);
}

/** Codes by which an API server itself refuses what it understood: from a webhook they mean the same. */
const REFUSALS = [400, 403, 422];

/**
 * Whether a webhook or policy refuses what the server would have done, with a code that says something else of a server: that
 * the object is gone, another or there already, that the caller is unknown or too fast. Webhooks choose their codes freely,
 * often those of a failure they met themselves.
 */
function isDenial(code: number, { message }: Status): boolean {
  return code >= 400 && code < 500 && !REFUSALS.includes(code) && isDenied(message);
}

/** What Node says of a connection, in our words. An ended signal explains everything that broke under it. */
export function toConnectionError(server: string, error: NodeJS.ErrnoException, signal: Ending): ConnectionError {
  if (signal.aborted) {
    const timedOut = signal.reason instanceof Error && signal.reason.name !== 'AbortError';
    return new ConnectionError(
      server,
      timedOut ? 'ETIMEDOUT' : 'ABORTED',
      timedOut ? 'no answer in time' : 'call ended by us',
      {
        cause: error,
      },
    );
  }
  return new ConnectionError(server, error.code ?? 'EUNKNOWN', wordsOf(error), { cause: error });
}

/** Of a call that its caller, asked once more, did not want sent. */
export function notSent(): NodeJS.ErrnoException {
  return Object.assign(new Error('not sent: leadership is not held any more'), { code: 'NOT_SENT' });
}

/** Of a server with several addresses none of which answers, Node says nothing but what went wrong with each. */
function wordsOf(error: Error): string {
  const { errors = [] } = error as Partial<AggregateError>;
  return error.message || errors.map(messageOf).join('; ') || 'no reason given';
}

/**
 * For a request's event `upgrade`. No call of ours asks for another protocol, so who switches to one is no API server; without
 * a listener Node would end the request and report neither answer nor error.
 */
export function refuseUpgrade(this: ClientRequest, _: IncomingMessage, socket: Duplex): void {
  socket.destroy();
  this.emit('error', unwantedUpgrade());
}

/** What an answer 101 stands for. */
export function unwantedUpgrade(): Error {
  const message = 'HTTP 101: the server switches to another protocol, which nobody asked for';
  return Object.assign(new Error(message), { code: 'EPROTO' });
}

/** No page of a list is as long; a hostile server must not fill our memory. */
const MOST_BYTES = 256 * 1024 * 1024;

/**
 * The whole body as text. By events: iterating a stream costs more CPU than all the rest of a small answer.
 * @throws ConnectionError when it breaks off or is longer than 256 MiB.
 */
export function readBody(response: Readable, server: string, ending: Ending, mostBytes = MOST_BYTES): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const chunks: Buffer[] = [];
  let bytes = 0;
  let ended = false;
  function broke(cause: NodeJS.ErrnoException): void {
    if (ended) return;
    ended = true;
    if (ending.aborted) return reject(toConnectionError(server, cause, ending));
    reject(
      new ConnectionError(server, cause.code ?? 'ECONNRESET', `the answer broke off: ${cause.message}`, { cause }),
    );
  }
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= mostBytes) chunks.push(chunk);
    else response.destroy(Object.assign(new Error(`longer than ${mostBytes} bytes`), { code: 'TOO_LONG' }));
  });
  response.on('end', () => {
    ended = true;
    resolve((chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)).toString('utf8'));
  });
  response.on('error', broke);
  response.on('close', () => {
    if (!ended) broke(Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' }));
  });
  return promise;
}

/**
 * What an answer's body says.
 * @throws ConnectionError when it is not JSON, or nothing at all: that must not be taken for an object that is not there.
 */
export function parsed<T>(text: string, path: string, server: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // Something else than an API server, such as a proxy's sign-in page.
    throw new ConnectionError(server, 'NOT_JSON', `the answer to ${path} is not JSON`, { cause: error });
  }
  if (value === null) throw new ConnectionError(server, 'NOT_JSON', `the answer to ${path} is null`);
  return value as T;
}
