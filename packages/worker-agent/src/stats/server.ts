/**
 * The agent's HTTPS server of metrics, reached through the API server's service proxy. Every replica serves. Each tenant
 * gets the metrics of its own pods, on nodes that are lent to it, and of nothing else.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { AgentTokenHeader, ChartName } from '@kubeocean/shared/api';
import { Counter, createCache, type Logger, type Registry } from '@kubeocean/shared/daemon';
import { messageOf, sleep } from '@kubeocean/shared/kube';
import type { WorkerNode } from '@kubeocean/shared/lease';
import { STATS_PATHS, type StatsPath } from '@kubeocean/shared/stats';
import { newKeyPair, privateKeyPem, selfSignedCertificate } from '@kubeocean/shared/tls';
import type { CallerCheck } from './callers.ts';
import { createDelivery, type DeliveryLimits, type Place } from './delivery.ts';
import type { Scrape } from './kubelets.ts';
import { narrow } from './narrow.ts';
import { StatsRefusal } from './refusal.ts';
import { createTellRefusal } from './refusals-told.ts';

export interface StatsServerOptions {
  /** `host:port`, the host may be empty. */
  address: string;
  callerOf: CallerCheck;
  /** The node, when it is lent to that mount namespace. */
  lentNode: (namespace: string, node: string) => WorkerNode | undefined;
  scrape: Scrape;
  log: Logger;
  registry: Registry;
  now: () => Date;
  signal: AbortSignal;
  /** Default: those of `delivery.ts`. */
  limits?: DeliveryLimits;
  /** Milliseconds between two tries to listen. Default 5,000. */
  retryMs?: number;
}

/** What is known so far of whoever asks. */
interface Origin {
  namespace?: string;
}

const ROUTE = new RegExp(`^/v1/nodes/([^/?]+)/(${STATS_PATHS.join('|')})$`);
const CERTIFICATE_MS = 10 * 365 * 86_400_000;
const RETRY_MS = 5_000;
/** Together with what is held of kubelets, figures are five seconds old at most. */
const HOLD_MS = 2_500;
const HELD = { answers: 64, bytes: 32 * 1024 * 1024 };

/** The node and the kind of metrics that a path asks for. */
export function parseStatsPath(url: string): { node: string; path: StatsPath } | undefined {
  const [, raw = '', path] = ROUTE.exec(url) ?? [];
  try {
    return path === undefined ? undefined : { node: decodeURIComponent(raw), path: path as StatsPath };
  } catch {
    return undefined;
  }
}

/**
 * Serves until the signal aborts. An address that cannot be listened on is told and tried again: leases do not depend on
 * metrics.
 */
export async function serveStats(options: StatsServerOptions): Promise<void> {
  const { log, signal } = options;
  const requests = new Counter({
    name: 'kubeocean_agent_stats_requests_total',
    help: 'Requests for metrics of lent nodes by kind and answer',
    labelNames: ['path', 'code'],
    registers: [options.registry],
  });

  const answers = createCache<Buffer>({
    holdMs: () => HOLD_MS,
    bound: HELD.answers,
    weight: { most: HELD.bytes, of: (body) => body.length },
  });
  const delivery = createDelivery(options.limits);
  const tellRefusal = createTellRefusal(log);

  async function answer(request: IncomingMessage, response: ServerResponse, from: Origin): Promise<void> {
    const { namespace } = await options.callerOf(request.headers[AgentTokenHeader.toLowerCase()]?.toString());
    from.namespace = namespace;
    const place = delivery.admit(namespace, request.socket, response);
    // Gone while it was found out who asks: nothing will say so any more.
    if (request.socket.destroyed) return delivery.closed(request.socket);
    await answerTenant(request, namespace, place);
  }

  async function answerTenant(request: IncomingMessage, namespace: string, place: Place): Promise<void> {
    const asked = parseStatsPath(request.url ?? '');
    if (!asked) throw new StatsRefusal(404, 'not found');
    if (request.method !== 'GET') throw new StatsRefusal(405, 'only GET is served');
    const { path } = asked;
    const node = options.lentNode(namespace, asked.node);
    if (!node) throw new StatsRefusal(403, `node "${asked.node}" is not lent to namespace ${namespace}`);
    // The same process enforces leases: whoever asks over and over must not keep it busy reading the same text.
    const body = await answers.get(
      `${namespace} ${asked.node} ${path}`,
      async (abandoned) => Buffer.from(narrow(path, await options.scrape(node, path, abandoned), namespace)),
      place.gone,
    );
    requests.inc({ path, code: 200 });
    place.send(path === 'stats/summary' ? 'application/json' : 'text/plain; version=0.0.4; charset=utf-8', body);
  }

  function handle(request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    response.on('error', () => undefined);
    const from: Origin = {};
    answer(request, response, from).catch((error: unknown) => {
      // Nothing was refused to somebody who left.
      if (request.socket.destroyed && !(error instanceof StatsRefusal)) return;
      const refusal = error instanceof StatsRefusal ? error : new StatsRefusal(502, messageOf(error));
      const { code, message } = refusal;
      requests.inc({ path: parseStatsPath(request.url ?? '')?.path ?? 'other', code });
      tellRefusal(refusal, request.url, from.namespace);
      if (response.destroyed) return;
      response
        .writeHead(code, {
          'content-type': 'text/plain; charset=utf-8',
          'x-content-type-options': 'nosniff',
          ...(code === 429 && { 'retry-after': '1' }),
        })
        .end(`${message}\n`);
    });
  }

  const key = newKeyPair();
  const now = options.now().getTime();
  // The API server's service proxy verifies nobody's certificate; the token that comes with a request is for us alone.
  const cert = selfSignedCertificate(
    { commonName: ChartName.agent, organizations: [], ips: [], dnsNames: [ChartName.agent] },
    key,
    new Date(now - 300_000),
    new Date(now + CERTIFICATE_MS),
  );
  const server = createServer(
    {
      cert,
      key: privateKeyPem(key),
      minVersion: 'TLSv1.2',
      handshakeTimeout: 10_000,
      headersTimeout: 10_000,
      requestTimeout: 10_000,
      keepAliveTimeout: 120_000,
    },
    handle,
  );
  server.maxConnections = 512;
  server.setTimeout(150_000);
  server.on('tlsClientError', () => undefined);
  server.on('secureConnection', (socket) => socket.once('close', () => delivery.closed(socket)));
  const { host, port } = split(options.address);
  while (!signal.aborted) {
    const told = () => log.info({ address: server.address() }, 'serving metrics');
    const error = await listen(server, { port, ...(host && { host }) }, told, signal);
    if (!error) break;
    log.error({ address: options.address, error: error.message }, 'cannot listen for requests for metrics');
    await sleep(options.retryMs ?? RETRY_MS, signal).catch(() => undefined);
  }
  server.close();
  server.closeAllConnections();
}

/** Listens until the signal aborts. @returns why that is not possible, or not any more; nothing stays on server and signal. */
function listen(
  server: Server,
  at: { port: number; host?: string },
  onListening: () => void,
  signal: AbortSignal,
): Promise<Error | undefined> {
  const { promise, resolve } = Promise.withResolvers<Error | undefined>();
  const stop = () => resolve(undefined);
  server.once('error', resolve).once('listening', onListening);
  signal.addEventListener('abort', stop, { once: true });
  if (server.listening) server.close();
  server.listen(at);
  return promise.finally(() => {
    server.off('error', resolve).off('listening', onListening);
    signal.removeEventListener('abort', stop);
  });
}

function split(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replaceAll(/[[\]]/g, ''), port: Number(address.slice(colon + 1)) };
}
