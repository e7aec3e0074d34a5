/**
 * HTTPS to one API server: a keep-alive pool, a deadline on every call, and retries where the server or the verb says
 * that repeating is safe. Knows nothing of kinds; `client.ts` does.
 */
import type { ClientRequest, IncomingMessage } from 'node:http';
import { type Agent, request as httpsRequest } from 'node:https';
import type { TLSSocket } from 'node:tls';
import type { CredentialSource } from './credentials.ts';
import type { ClusterAccess } from './kubeconfig.ts';
import { type Connections, connectionsTo, isIdle, poolFor } from './connections.ts';
import { callBegan, callEnded } from './coalescing.ts';
import { notSent, parsed, readBody, refuseUpgrade, toApiError, toConnectionError, unwantedUpgrade } from './answer.ts';
import { Deadline } from './deadline.ts';
import { ApiError } from './errors.ts';
import { authorization, headersOf, queryText, type RequestOptions } from './request.ts';
import { retryDelayMs } from './retry.ts';
import { sleep } from './sleep.ts';

/** Told of every answer, for metrics. `code` is 0 when none came. */
export type RequestObserver = (call: { method: string; path: string; code: number; seconds: number }) => void;

export interface TransportOptions {
  userAgent?: string;
  observe?: RequestObserver;
  /** Connections kept for calls; streams and calls about Leases have their own. Default 64. */
  maxSockets?: number;
  /** Longest answer of a call, in bytes: what comes beyond it is not read. Default 256 MiB. */
  mostBytes?: number;
}

const MAX_ATTEMPTS = 5;

/** Connections and calls to one API server. */
export class Transport {
  private readonly source: CredentialSource;
  private readonly options: TransportOptions;
  private connections: Connections | undefined;
  /** A connection is being opened by `keepOneReady`. */
  private preparing = false;
  /** Sockets whose options are set. */
  private readonly tuned = new WeakSet<object>();

  constructor(source: CredentialSource, options: TransportOptions = {}) {
    this.source = source;
    this.options = options;
  }

  /** The server's URL as of now. */
  get server(): string {
    return this.source.current().server;
  }

  /**
   * What a caller needs to have a connection of its own (the proxier's splice). `agent` gives one that just became idle when
   * there is any, else a new one that resumes an earlier TLS session: a full handshake costs both sides milliseconds.
   * The caller takes the socket away from it (event `agentRemove`), and may see to it that the next one need not wait
   * (`keepOneReady`).
   */
  connection(): { url: URL; headers: Record<string, string>; agent: Agent } {
    const access = this.source.current();
    const { pool, streams } = this.connectionsFor(access);
    return {
      url: new URL(access.server),
      headers: authorization(access),
      // Never one that would have to be waited for.
      agent: isIdle(pool) ? pool : streams,
    };
  }

  /** The authority that the server's certificate is verified by, in PEM; undefined: the well-known ones. */
  get authority(): string | undefined {
    return this.source.current().ca;
  }

  /**
   * Opens a connection for the next call when none is idle. Nobody waits for it: what fails here is told to the call that
   * needs it.
   */
  async keepOneReady(): Promise<void> {
    if (this.preparing) return;
    this.preparing = true;
    try {
      if (isIdle(this.connectionsFor(this.source.current()).pool)) return;
      // Every API server answers this to everybody it knows, and it costs next to nothing.
      await this.call({ method: 'GET', path: '/version', retry: false, timeoutMs: 10_000 });
    } catch {
      // Said above.
    } finally {
      this.preparing = false;
    }
  }

  /**
   * Sends a request and reads the whole answer as JSON.
   * @throws ApiError for an answer of 300 and above, ConnectionError when none came in time or it is not JSON.
   */
  async call<T>(options: RequestOptions): Promise<T> {
    return parsed(await this.text(options), options.path, this.server);
  }

  /**
   * Sends a request and reads the whole answer as text.
   * @throws ApiError for an answer of 300 and above, ConnectionError when none came in time.
   */
  async text(options: RequestOptions): Promise<string> {
    const deadline = performance.now() + (options.timeoutMs ?? 30_000);
    return this.attempts(options, deadline, async (access, remainingMs) => {
      const ending = new Deadline(remainingMs, options.signal);
      callBegan();
      let text: string;
      let response: IncomingMessage;
      try {
        response = await this.send(access, options, ending);
        text = await readBody(response, access.server, ending, this.options.mostBytes);
      } finally {
        ending.over();
        callEnded();
      }
      const code = response.statusCode ?? 0;
      if (code >= 300) throw toApiError(code, text, response, options);
      return text;
    });
  }

  /**
   * Sends a request and gives the answer's stream once its headers are in; the caller reads or destroys it.
   * @throws ApiError for an answer of 300 and above, ConnectionError when no headers came in time.
   */
  async stream(options: RequestOptions): Promise<IncomingMessage> {
    const deadline = performance.now() + (options.timeoutMs ?? 30_000);
    return this.attempts(options, deadline, async (access, remainingMs) => {
      const headersIn = new AbortController();
      const timer = setTimeout(() => headersIn.abort(new Error('no answer in time')), remainingMs);
      try {
        const signal = AbortSignal.any([headersIn.signal, ...(options.signal ? [options.signal] : [])]);
        const response = await this.send(access, options, signal);
        const code = response.statusCode ?? 0;
        if (code < 300) return response;
        const text = await readBody(response, access.server, signal, this.options.mostBytes);
        throw toApiError(code, text, response, options);
      } finally {
        clearTimeout(timer);
      }
    });
  }

  /** Closes all connections; calls in flight fail. */
  close(): void {
    this.connections?.pool.destroy();
    this.connections?.leases.destroy();
    this.connections?.streams.destroy();
  }

  private async attempts<T>(
    options: RequestOptions,
    deadline: number,
    once: (access: ClusterAccess, remainingMs: number) => Promise<T>,
  ): Promise<T> {
    let renewed = false;
    for (let attempt = 1; ; attempt++) {
      const access = this.source.current();
      try {
        return await once(access, Math.max(1, deadline - performance.now()));
      } catch (error) {
        options.signal?.throwIfAborted();
        if (options.retry === false) throw error;
        if (error instanceof ApiError && error.code === 401 && !renewed) {
          // The token may have been replaced a moment ago; a second 401 is the truth.
          renewed = true;
          if (this.source.refresh() !== access) continue;
        }
        const method = options.retry === 'unacted' ? 'POST' : options.method;
        const waitMs = attempt < MAX_ATTEMPTS ? retryDelayMs(error, method, attempt) : undefined;
        if (waitMs === undefined || performance.now() + waitMs > deadline) throw error;
        await sleep(waitMs, options.signal);
      }
    }
  }

  /** @param ending an AbortSignal for a stream, which it ends at any time; a Deadline for a call */
  private send(
    access: ClusterAccess,
    options: RequestOptions,
    ending: AbortSignal | Deadline,
  ): Promise<IncomingMessage> {
    const { method, path, body } = options;
    const started = performance.now();
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    let observed = false;
    const observe = (code: number) => {
      // A stream that breaks after its headers was one call all the same.
      if (observed) return;
      observed = true;
      const seconds = (performance.now() - started) / 1000;
      this.options.observe?.({ method, path, code, seconds });
    };
    const failed = (error: NodeJS.ErrnoException) => {
      observe(0);
      reject(toConnectionError(access.server, error, ending));
    };
    const streaming = !(ending instanceof Deadline);
    let outgoing: ClientRequest;
    try {
      const connections = this.connectionsFor(access);
      const { streams, at } = connections;
      outgoing = httpsRequest({
        ...at,
        method,
        path: `${at.prefix}${path}${queryText(options.query)}`,
        headers: headersOf(access, options, this.options.userAgent ?? 'kubeocean'),
        agent: streaming || options.newConnection ? streams : poolFor(connections, path),
        ...(streaming && { signal: ending }),
      });
    } catch (error) {
      // Thrown at once: a certificate or key that OpenSSL cannot read, a header that cannot be sent.
      return Promise.reject(toConnectionError(access.server, error as NodeJS.ErrnoException, ending));
    }
    outgoing.on('response', (response) => {
      if (response.statusCode === 101) {
        response.destroy();
        return failed(unwantedUpgrade());
      }
      observe(response.statusCode ?? 0);
      resolve(response);
    });
    const sendNow = () => {
      if (outgoing.destroyed) return;
      if (options.maySend?.() === false) outgoing.destroy(notSent());
      else outgoing.end(body);
    };
    outgoing.on('socket', (socket) => {
      if (this.tuned.has(socket)) return sendNow();
      this.tuned.add(socket);
      socket.setNoDelay(true);
      socket.setKeepAlive(true, 15_000);
      // What is written before the handshake is over waits in the socket, where nobody asks any more.
      if ((socket as TLSSocket).authorized) sendNow();
      else socket.once('secureConnect', sendNow);
    });
    outgoing.on('upgrade', refuseUpgrade);
    outgoing.on('error', failed);
    outgoing.on('close', () => {
      if (!observed) failed(Object.assign(new Error('closed without an answer'), { code: 'ECONNRESET' }));
    });
    if (!streaming) ending.follow(outgoing, failed);
    return promise;
  }

  /** The same ones until the access's certificate, authority or server changes. */
  private connectionsFor(access: ClusterAccess): Connections {
    if (this.connections?.access !== access) {
      this.connections = connectionsTo(access, this.connections, this.options.maxSockets ?? 64);
    }
    return this.connections;
  }
}
