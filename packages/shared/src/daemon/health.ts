/** The servers of `/startz`, `/healthz`, `/readyz` and `/metrics`, alike in every process. */
import { createServer, type Server } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import { createMetricsText } from './metrics-text.ts';

/** A reason why the process is not ready, or undefined when that part is. */
export type ReadyCheck = () => string | undefined;

export interface HealthOptions {
  healthAddress: string;
  metricsAddress: string;
  registry: Registry;
  /** By name; all must be content for `/readyz` to answer 200. */
  ready: Record<string, ReadyCheck>;
  /** Milliseconds after which a process counts as started that was never ready. Default 30,000. */
  startingMs?: number;
}

export interface HealthServers {
  healthPort: number;
  metricsPort: number;
  close(): Promise<void>;
}

/** An event loop that stood still this long in the last check is a dead process: the kubelet may restart it. */
const STALL_MS = 20_000;

/** Any pod of the cluster may connect: one that says nothing is not kept. */
const IMPATIENT = { headersTimeout: 5000, requestTimeout: 5000 };
/** Scrapers are few. Kubelets are not bounded: whoever took all places would have the process ended. */
const MOST_SCRAPERS = 64;

/**
 * `/startz` says that a process has started once it has been ready, or after so long: what is not ready then waits for
 * something, such as a worker that does not answer, and an end would not help. Until it has started a kubelet asks every
 * second, so that it is ready soon, and seldom after that: each question costs a process at rest a millisecond.
 */
const STARTING_MS = 30_000;

/** @throws Error naming the address when it cannot be listened on. */
export async function startHealthServers(options: HealthOptions): Promise<HealthServers> {
  const delay = monitorEventLoopDelay({ resolution: 1000 });
  delay.enable();
  const beganAt = performance.now();
  let started = false;
  const notReady = (): string[] =>
    Object.entries(options.ready).flatMap(([name, check]) => {
      const reason = check();
      return reason === undefined ? [] : [`${name}: ${reason}`];
    });
  const health = createServer(IMPATIENT, (request, response) => {
    const say = (code: number, lines: string[]) => response.writeHead(code).end(`${lines.join('\n')}\n`);
    const path = request.url?.split('?')[0] ?? '';
    switch (path) {
      case '/healthz':
      case '/livez': {
        const stalled = delay.max / 1e6 > STALL_MS;
        delay.reset();
        return stalled ? say(500, ['the event loop stood still']) : say(200, ['ok']);
      }
      case '/startz': {
        const reasons = started ? [] : notReady();
        started ||= reasons.length === 0 || performance.now() - beganAt > (options.startingMs ?? STARTING_MS);
        return started ? say(200, ['ok']) : say(503, reasons);
      }
      case '/readyz': {
        const reasons = notReady();
        return reasons.length > 0 ? say(503, reasons) : say(200, ['ok']);
      }
      default:
        return say(404, ['not found: ask /startz, /healthz or /readyz']);
    }
  });
  const metricsText = createMetricsText(options.registry);
  const metrics = createServer(IMPATIENT, (request, response) => {
    if (request.url?.split('?')[0] !== '/metrics') {
      response.writeHead(404).end('not found: ask /metrics\n');
      return;
    }
    metricsText().then(
      (text) => response.writeHead(200, { 'content-type': options.registry.contentType }).end(text),
      (error: unknown) => response.writeHead(500).end(`${String(error)}\n`),
    );
  });
  metrics.maxConnections = MOST_SCRAPERS;
  const metricsPort = await listen(metrics, options.metricsAddress);
  // Last, as the caller has yet to say what it waits for: until then it would count as ready, and as started for good.
  const healthPort = await listen(health, options.healthAddress);
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
