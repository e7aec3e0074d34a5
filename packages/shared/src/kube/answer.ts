/** Answers of an API server, and their absence, as text or as the errors of `errors.ts`. */
import type { IncomingMessage } from 'node:http';
import { ApiError, ConnectionError, type Status } from './errors.ts';
import { isObject } from './patch.ts';

/** The error that an answer of 400 and above stands for; `text` is its body. */
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
  const retryAfter = Number(response.headers['retry-after']);
  if (Number.isFinite(retryAfter) && retryAfter > 0) {
    status = { ...status, details: { ...status.details, retryAfterSeconds: retryAfter } };
  }
  return new ApiError(code, status, request.method, request.path);
}

/** What Node says of a connection, in our words. An ended signal explains everything that broke under it. */
export function toConnectionError(server: string, error: NodeJS.ErrnoException, signal: AbortSignal): ConnectionError {
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
  return new ConnectionError(server, error.code ?? 'EUNKNOWN', error.message, { cause: error });
}

/** No page of a list is as long; a hostile server must not fill our memory. */
const MOST_BYTES = 256 * 1024 * 1024;

/** The whole body as text. @throws ConnectionError when it breaks off or is longer than 256 MiB. */
export async function readBody(
  response: AsyncIterable<Buffer>,
  server: string,
  signal: AbortSignal,
  mostBytes = MOST_BYTES,
): Promise<string> {
  try {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of response) {
      bytes += chunk.length;
      if (bytes > mostBytes) throw Object.assign(new Error(`longer than ${mostBytes} bytes`), { code: 'TOO_LONG' });
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  } catch (error) {
    const cause = error as NodeJS.ErrnoException;
    if (signal.aborted) throw toConnectionError(server, cause, signal);
    throw new ConnectionError(server, cause.code ?? 'ECONNRESET', `the answer broke off: ${cause.message}`, { cause });
  }
}
