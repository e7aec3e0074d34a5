/** The servers of `/healthz`, `/readyz` and `/metrics`, alike in every process. */
import { createServer, type Server } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';

/** A reason why the process is not ready, or undefined when that part is. */
export type ReadyCheck = () => string | undefined;

export interface HealthOptions {
  healthAddress: string;
  metricsAddress: string;
  registry: Registry;
  /** By name; all must be content for `/readyz` to answer 200. */
  ready: Record<string, ReadyCheck>;
}

export interface HealthServers {
  healthPort: number;
  metricsPort: number;
  close(): Promise<void>;
}

/** An event loop that stood still this long in the last check is a dead process: the kubelet may restart it. */
const STALL_MS = 20_000;

/** @throws Error naming the address when it cannot be listened on. */
export async function startHealthServers(options: HealthOptions): Promise<HealthServers> {
  const delay = monitorEventLoopDelay({ resolution: 1000 });
  delay.enable();
  const health = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    if (path === '/healthz' || path === '/livez') {
      const stalled = delay.max / 1e6 > STALL_MS;
      delay.reset();
      response.writeHead(stalled ? 500 : 200).end(stalled ? 'the event loop stood still\n' : 'ok\n');
    } else if (path === '/readyz') {
      const reasons = Object.entries(options.ready).flatMap(([name, check]) => {
        const reason = check();
        return reason === undefined ? [] : [`${name}: ${reason}`];
      });
      response.writeHead(reasons.length > 0 ? 503 : 200).end(reasons.length > 0 ? `${reasons.join('\n')}\n` : 'ok\n');
    } else response.writeHead(404).end('not found: ask /healthz or /readyz\n');
  });
  const metrics = createServer((request, response) => {
    if (request.url?.split('?')[0] !== '/metrics') {
      response.writeHead(404).end('not found: ask /metrics\n');
      return;
    }
    options.registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': options.registry.contentType }).end(text),
      (error: unknown) => response.writeHead(500).end(`${String(error)}\n`),
    );
  });
  const healthPort = await listen(health, options.healthAddress);
  const metricsPort = await listen(metrics, options.metricsAddress);
  return {
    healthPort,
    metricsPort,
    async close() {
      delay.disable();
      await Promise.all([health, metrics].map((server) => closeServer(server)));
    },
  };
}

function listen(server: Server, address: string): Promise<number> {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.once('error', (error) => reject(new Error(`cannot listen on ${address}: ${error.message}`, { cause: error })));
  server.listen(Number(address.slice(colon + 1)), host || undefined, () =>
    resolve((server.address() as AddressInfo).port),
  );
  return promise;
}

function closeServer(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeAllConnections();
  return promise;
}
