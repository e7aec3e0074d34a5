/**
 * HTTPS to one API server: a keep-alive pool, a deadline on every call, and retries where the server or the verb says
 * that repeating is safe. Knows nothing of kinds; `client.ts` does.
 */
import type { IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import type { ClusterAccess, CredentialSource } from './credentials.ts';
import { ApiError, ConnectionError, type Status } from './errors.ts';

export interface RequestOptions {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path below the server's URL, beginning with `/`. */
  path: string;
  query?: Record<string, string | number | boolean | undefined>;
  headers?: Record<string, string>;
  body?: string;
  /** Deadline of the whole call with its retries, in milliseconds. Default 30,000. A stream's deadline is until its headers. */
  timeoutMs?: number;
  signal?: AbortSignal;
  /** False: give the first answer back, whatever it is. Evictions need it: their 429 means "not now", not "slow down". */
  retry?: boolean;
}

/** Told of every answer, for metrics. `code` is 0 when none came. */
export type RequestObserver = (call: { method: string; path: string; code: number; seconds: number }) => void;

export interface TransportOptions {
  userAgent?: string;
  observe?: RequestObserver;
  /** Connections kept for calls; streams have their own. Default 64. */
  maxSockets?: number;
}

const MAX_ATTEMPTS = 5;

/** Connections and calls to one API server. */
export class Transport {
  private readonly source: CredentialSource;
  private readonly options: TransportOptions;
  private access: ClusterAccess | undefined;
  private pool: Agent | undefined;
  private streams: Agent | undefined;

  constructor(source: CredentialSource, options: TransportOptions = {}) {
    this.source = source;
    this.options = options;
  }

  /** The server's URL as of now. */
  get server(): string {
    return this.source.current().server;
  }

  /** What a caller needs to open a connection of its own (the proxier's splice). */
  connection(): { url: URL; agentOptions: ReturnType<typeof tlsOptions>; headers: Record<string, string> } {
    const access = this.source.current();
    return { url: new URL(access.server), agentOptions: tlsOptions(access), headers: authorization(access) };
  }

  /**
   * Sends a request and reads the whole answer as JSON (`undefined` for an empty body).
   * @throws ApiError for an answer of 400 and above, ConnectionError when none came in time.
   */
  async call<T>(options: RequestOptions): Promise<T> {
    const deadline = performance.now() + (options.timeoutMs ?? 30_000);
    return this.attempts(options, deadline, async (remainingMs) => {
      const signal = AbortSignal.any([
        AbortSignal.timeout(Math.ceil(remainingMs)),
        ...(options.signal ? [options.signal] : []),
      ]);
      const response = await this.send(options, false, signal);
      const text = await readBody(response, this.server);
      const code = response.statusCode ?? 0;
      if (code >= 400) throw toApiError(code, text, response, options);
      return (text === '' ? undefined : JSON.parse(text)) as T;
    });
  }

  /**
   * Sends a request and gives the answer's stream once its headers are in; the caller reads or destroys it.
   * @throws ApiError for an answer of 400 and above, ConnectionError when no headers came in time.
   */
  async stream(options: RequestOptions): Promise<IncomingMessage> {
    const deadline = performance.now() + (options.timeoutMs ?? 30_000);
    return this.attempts(options, deadline, async (remainingMs) => {
      const headersIn = new AbortController();
      const timer = setTimeout(() => headersIn.abort(new Error('no answer in time')), remainingMs);
      try {
        const signal = AbortSignal.any([headersIn.signal, ...(options.signal ? [options.signal] : [])]);
        const response = await this.send(options, true, signal);
        const code = response.statusCode ?? 0;
        if (code >= 400) throw toApiError(code, await readBody(response, this.server), response, options);
        return response;
      } finally {
        clearTimeout(timer);
      }
    });
  }

  /** Closes idle connections. Calls in flight end by their own signals. */
  close(): void {
    this.pool?.destroy();
    this.streams?.destroy();
  }

  private async attempts<T>(
    options: RequestOptions,
    deadline: number,
    once: (remainingMs: number) => Promise<T>,
  ): Promise<T> {
    let renewed = false;
    for (let attempt = 1; ; attempt++) {
      try {
        return await once(Math.max(1, deadline - performance.now()));
      } catch (error) {
        options.signal?.throwIfAborted();
        if (options.retry === false) throw error;
        if (error instanceof ApiError && error.code === 401 && !renewed) {
          // The token may have been replaced a moment ago; a second 401 is the truth.
          renewed = true;
          const before = this.source.current();
          if (this.source.refresh() !== before) continue;
        }
        const waitMs = attempt < MAX_ATTEMPTS ? retryDelayMs(error, options.method, attempt) : undefined;
        if (waitMs === undefined || performance.now() + waitMs > deadline) throw error;
        await sleep(waitMs, options.signal);
      }
    }
  }

  private send(options: RequestOptions, streaming: boolean, signal: AbortSignal): Promise<IncomingMessage> {
    const access = this.source.current();
    const url = new URL(access.server + options.path);
    for (const [name, value] of Object.entries(options.query ?? {})) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const headers: Record<string, string | number> = {
      accept: 'application/json',
      'user-agent': this.options.userAgent ?? 'kubeocean',
      ...authorization(access),
      ...options.headers,
    };
    if (options.body !== undefined) {
      headers['content-type'] ??= 'application/json';
      headers['content-length'] = Buffer.byteLength(options.body);
    }
    const started = performance.now();
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const observe = (code: number) =>
      this.options.observe?.({
        method: options.method,
        path: options.path,
        code,
        seconds: (performance.now() - started) / 1000,
      });
    const outgoing = httpsRequest(
      url,
      { method: options.method, headers, agent: this.agentFor(access, streaming), signal },
      (response) => {
        observe(response.statusCode ?? 0);
        resolve(response);
      },
    );
    outgoing.on('socket', (socket) => {
      socket.setNoDelay(true);
      socket.setKeepAlive(true, 15_000);
    });
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      observe(0);
      reject(toConnectionError(access.server, error, signal));
    });
    outgoing.end(options.body);
    return promise;
  }

  private agentFor(access: ClusterAccess, streaming: boolean): Agent {
    if (access !== this.access) {
      // Old connections end by themselves: idle ones now, busy ones after their call.
      this.close();
      this.access = access;
      const tls = tlsOptions(access);
      this.pool = new Agent({ ...tls, keepAlive: true, maxSockets: this.options.maxSockets ?? 64, scheduling: 'lifo' });
      this.streams = new Agent({ ...tls, keepAlive: false });
    }
    return (streaming ? this.streams : this.pool) as Agent;
  }
}

function tlsOptions(access: ClusterAccess) {
  return {
    minVersion: 'TLSv1.2' as const,
    ALPNProtocols: ['http/1.1'],
    ...(access.ca && { ca: access.ca }),
    ...(access.cert && access.key && { cert: access.cert, key: access.key }),
    ...(access.tlsServerName && { servername: access.tlsServerName }),
  };
}

function authorization(access: ClusterAccess): Record<string, string> {
  return access.token ? { authorization: `Bearer ${access.token}` } : {};
}

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
    if (error.code === 429) return retryAfter ? retryAfter * 1000 : Math.max(backOff, 1000);
    if (method === 'GET' && error.code >= 500 && !isTimeoutAboutRevision(error)) {
      return retryAfter ? retryAfter * 1000 : backOff;
    }
    return undefined;
  }
  // A certificate that is not trusted will not be trusted a moment later either.
  if (error instanceof ConnectionError && method === 'GET' && /^E[A-Z]+$/.test(error.code)) return backOff;
  return undefined;
}

function isTimeoutAboutRevision(error: ApiError): boolean {
  return error.code === 504 && error.reason === 'Timeout';
}

function toApiError(code: number, text: string, response: IncomingMessage, options: RequestOptions): ApiError {
  let status: Status = {};
  try {
    status = JSON.parse(text) as Status;
  } catch {
    status = { message: text.slice(0, 1024) || `${options.method} ${options.path}: HTTP ${code}` };
  }
  const retryAfter = Number(response.headers['retry-after']);
  if (Number.isFinite(retryAfter) && retryAfter > 0) {
    status = { ...status, details: { ...status.details, retryAfterSeconds: retryAfter } };
  }
  return new ApiError(code, status, options.method, options.path);
}

function toConnectionError(server: string, error: NodeJS.ErrnoException, signal: AbortSignal): ConnectionError {
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

async function readBody(response: IncomingMessage, server: string): Promise<string> {
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString('utf8');
  } catch (error) {
    const cause = error as NodeJS.ErrnoException;
    throw new ConnectionError(server, cause.code ?? 'ECONNRESET', `the answer broke off: ${cause.message}`, { cause });
  }
}

/** Resolves after `ms` milliseconds; rejects at once when the signal aborts. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  if (signal?.aborted) {
    reject(signal.reason as Error);
    return promise;
  }
  const timer = setTimeout(done, ms);
  function done(): void {
    signal?.removeEventListener('abort', stop);
    resolve();
  }
  function stop(): void {
    clearTimeout(timer);
    reject(signal?.reason as Error);
  }
  signal?.addEventListener('abort', stop, { once: true });
  return promise;
}
