/** Container logs: streamed from the worker's API server to the client, at the client's pace. */
import type { ServerResponse } from 'node:http';
import { Transform } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { Pods, pathOf, type Transport } from '@kubeocean/shared/kube';
import { Refusal, workerRefusal } from '../errors.ts';
import type { SessionEnd } from './sessions.ts';

/** A container that writes nothing sends no headers either: whoever follows it waits as long as they like. */
const FOLLOW_HEADERS_MS = 2 ** 31 - 1;
const HEADERS_MS = 60_000;
/** Of a pod without a node (apiserver, StreamObject): that would look like a container which has written nothing. */
const NO_CONTENT = 204;

export interface LogCall {
  transport: Transport;
  namespace: string;
  /** Name in the worker, and the name the caller knows. */
  pod: string;
  homePod: string;
  query: Record<string, string>;
  /** Aborts when the client is gone or the session is to end. */
  signal: AbortSignal;
  /** Told of every chunk that passes. */
  onBytes?: () => void;
}

/**
 * Streams a log into the response. When the worker breaks off, so does the response: half a log must not look whole.
 * @throws Refusal before anything was sent.
 */
export async function streamLogs(call: LogCall, response: ServerResponse): Promise<SessionEnd> {
  const names = { worker: call.pod, home: call.homePod };
  const log = await call.transport
    .stream({
      method: 'GET',
      path: pathOf(Pods, call.namespace, call.pod, 'log'),
      query: call.query,
      headers: { accept: '*/*' },
      signal: call.signal,
      timeoutMs: call.query['follow'] === 'true' ? FOLLOW_HEADERS_MS : HEADERS_MS,
      // An API server says after half a minute that it cannot reach a kubelet: asked five times, it would be told by nobody.
      retry: 'unacted',
    })
    .catch((error: unknown) => {
      throw workerRefusal(error, names);
    });
  if (log.statusCode === NO_CONTENT) {
    log.resume();
    const waits = 'the worker cluster has not given the pod a node yet';
    throw new Refusal(
      400,
      `container "${call.query['container']}" in pod "${call.homePod}" is waiting to start: ${waits}`,
    );
  }
  let bytesDown = 0;
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      bytesDown += chunk.length;
      call.onBytes?.();
      next(null, chunk);
    },
  });
  response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' });
  response.flushHeaders();
  try {
    await pipeline(log, counted, response, { end: false, signal: call.signal });
    await written(response);
    await finished(response.end());
    return { bytesUp: 0, bytesDown, reason: 'log ended' };
  } catch {
    log.destroy();
    response.destroy();
    const reason = call.signal.aborted ? (call.signal.reason as Error).message : 'the connection broke off';
    return { bytesUp: 0, bytesDown, reason };
  }
}

/**
 * Resolves when all that was written is on its way, so that the end travels in a TLS record of its own. An API server that
 * gives a log to a WebSocket drops what it reads together with the end (apiserver, wsstream `messageCopy`: it looks at the
 * error before the bytes); Go reads record by record. A short log would come out empty, where a kubelet's, which ends a
 * moment after its last line, mostly does not.
 */
function written(response: ServerResponse): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  response.write('', () => resolve());
  response.once('close', resolve);
  if (response.destroyed) resolve();
  return promise;
}
