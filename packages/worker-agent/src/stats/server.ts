/**
 * The agent's HTTPS server of metrics, reached through the API server's service proxy. Every replica serves. Each tenant
 * gets the metrics of its own pods, on nodes that are lent to it, and of nothing else.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { AgentTokenHeader, ChartName } from '@kubeocean/shared/api';
import { Counter, createCache, type Logger, type Registry } from '@kubeocean/shared/daemon';
import { messageOf, sleep, untilAborted } from '@kubeocean/shared/kube';
import type { WorkerNode } from '@kubeocean/shared/lease';
import { STATS_PATHS, type StatsPath } from '@kubeocean/shared/stats';
import { newKeyPair, privateKeyPem, selfSignedCertificate } from '@kubeocean/shared/tls';
import type { CallerCheck } from './callers.ts';
import type { Scrape } from './kubelets.ts';
import { narrow } from './narrow.ts';
import { StatsRefusal } from './refusal.ts';

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
}

const ROUTE = new RegExp(`^/v1/nodes/([^/?]+)/(${STATS_PATHS.join('|')})$`);
const CERTIFICATE_MS = 10 * 365 * 86_400_000;
const RETRY_MS = 5_000;
/** Together with what is held of kubelets, figures are five seconds old at most. */
const HOLD_MS = 2_500;
const HELD = 32;

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

  const answers = createCache<string>({ holdMs: () => HOLD_MS, bound: HELD });

  async function answer(request: IncomingMessage): Promise<string> {
    const tenant = await options.callerOf(request.headers[AgentTokenHeader.toLowerCase()]?.toString());
    const asked = parseStatsPath(request.url ?? '');
    if (!asked) throw new StatsRefusal(404, 'not found');
    if (request.method !== 'GET') throw new StatsRefusal(405, 'only GET is served');
    const node = options.lentNode(tenant.namespace, asked.node);
    if (!node) throw new StatsRefusal(403, `node "${asked.node}" is not lent to namespace ${tenant.namespace}`);
    // The same process enforces leases: whoever asks over and over must not keep it busy reading the same text.
    return answers.get(`${tenant.namespace} ${asked.node} ${asked.path}`, async () =>
      narrow(asked.path, await options.scrape(node, asked.path), tenant.namespace),
    );
  }

  function handle(request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    response.on('error', () => undefined);
    const path = parseStatsPath(request.url ?? '')?.path;
    answer(request).then(
      (text) => {
        requests.inc({ path, code: 200 });
        const type = path === 'stats/summary' ? 'application/json' : 'text/plain; version=0.0.4; charset=utf-8';
        response.writeHead(200, { 'content-type': type }).end(text);
      },
      (error: unknown) => {
        const code = error instanceof StatsRefusal ? error.code : 502;
        requests.inc({ path: path ?? 'other', code });
        log.warn({ code, path: request.url?.slice(0, 200), why: messageOf(error) }, 'metrics refused');
        if (response.destroyed) return;
        response
          .writeHead(code, { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' })
          .end(`${messageOf(error)}\n`);
      },
    );
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
  // An answer that nobody reads is not kept for ever.
  server.setTimeout(150_000);
  server.on('tlsClientError', () => undefined);
  const { host, port } = split(options.address);
  while (!signal.aborted) {
    const failure = Promise.withResolvers<Error>();
    server.once('error', failure.resolve);
    server.listen({ port, ...(host && { host }) }, () => log.info({ address: server.address() }, 'serving metrics'));
    const error = await Promise.race([failure.promise, untilAborted(signal)]);
    server.removeListener('error', failure.resolve);
    if (!error) break;
    log.error({ address: options.address, error: error.message }, 'cannot listen for requests for metrics');
    await sleep(RETRY_MS, signal).catch(() => undefined);
  }
  server.close();
  server.closeAllConnections();
}

function split(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replaceAll(/[[\]]/g, ''), port: Number(address.slice(colon + 1)) };
}
