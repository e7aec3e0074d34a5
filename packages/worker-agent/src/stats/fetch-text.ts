/** One question to a kubelet, bounded in time and length at each step. */
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { messageOf } from '@kubeocean/shared/kube';

export interface FetchOptions {
  request: RequestOptions;
  /** Aborts when nobody waits for the answer any more. */
  abandoned: AbortSignal;
  /** Reads the body when it is its turn. */
  inTurn: <T>(read: () => Promise<T>) => Promise<T>;
}

/** No whole answer came in time. The message says what was waited for. */
export class TooSlow extends Error {}

/** A machine that is there answers at once; one that is not costs its callers no more than this. */
const CONNECT_MS = 3_000;
/** Until an answer begins, and again until it is over: a kubelet under load takes its time. */
const DEADLINE_MS = 10_000;
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * Scrapers wait no longer than a kubelet may take (10 s, as a rule), so that of one that is hung they are the first to have
 * enough: after so long without an answer that is its fault all the same.
 */
const LEFT_MS = 5_000;

/** @throws TooSlow, or Error when there is no connection, or the answer breaks off or is too long; the signal's reason. */
export async function fetchText(options: FetchOptions): Promise<{ code: number; text: string }> {
  const { abandoned } = options;
  const askedAt = performance.now();
  const response = await headersOf(options).catch((error: unknown) => {
    throw whyNot(error, abandoned, 'gave no answer', performance.now() - askedAt);
  });
  const headersMs = performance.now() - askedAt;
  // Its time in the line is not the kubelet's.
  let readMs = () => -headersMs;
  try {
    return await options.inTurn(() => {
      const startedAt = performance.now();
      readMs = () => performance.now() - startedAt;
      return read(response, abandoned);
    });
  } catch (error) {
    throw whyNot(error, abandoned, 'did not end its answer', headersMs + readMs());
  }
}

/** What to say of a failure: when those who asked have left, that is no fault of a kubelet that took no longer than so. */
function whyNot(error: unknown, abandoned: AbortSignal, what: string, tookMs: number): unknown {
  if (!abandoned.aborted) return error;
  if (tookMs < LEFT_MS) return abandoned.reason;
  return new TooSlow(`${what} within ${Math.floor(tookMs / 1000)} s`, { cause: error });
}

async function headersOf({ request: options, abandoned }: FetchOptions): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = httpsRequest({ ...options, signal: abandoned });
  const slow = (what: string, ms: number) => () => request.destroy(new TooSlow(`${what} within ${ms / 1000} s`));
  const answering = setTimeout(slow('gave no answer', DEADLINE_MS), DEADLINE_MS);
  let connecting: NodeJS.Timeout | undefined;
  request.on('socket', (socket) => {
    if (request.reusedSocket) return;
    connecting = setTimeout(slow('could not be connected to', CONNECT_MS), CONNECT_MS);
    socket.once('secureConnect', () => clearTimeout(connecting));
  });
  request.on('response', resolve).on('error', reject);
  // Of an upgrade that nobody asked for Node says no more than that.
  request.on('close', () => reject(new Error('it closed the connection without an answer')));
  request.end();
  try {
    return await promise;
  } finally {
    clearTimeout(answering);
    clearTimeout(connecting);
  }
}

async function read(response: IncomingMessage, abandoned: AbortSignal): Promise<{ code: number; text: string }> {
  abandoned.throwIfAborted();
  let slow = false;
  const timer = setTimeout(() => {
    slow = true;
    response.destroy();
  }, DEADLINE_MS);
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MAX_BYTES) throw new Error(`the answer is longer than ${MAX_BYTES / 1024 / 1024} MiB`);
      chunks.push(chunk);
    }
  } catch (error) {
    if (slow) throw new TooSlow(`did not end its answer within ${DEADLINE_MS / 1000} s`, { cause: error });
    throw error instanceof Error ? error : new Error(messageOf(error));
  } finally {
    clearTimeout(timer);
  }
  return { code: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') };
}
