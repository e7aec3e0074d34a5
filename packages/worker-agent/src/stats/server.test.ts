/** The server over real TLS on loopback: what it writes into the log, and that it listens in the end. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { createLogger, Registry } from '@kubeocean/shared/daemon';
import { afterEach, expect, it, vi } from 'vitest';
import { StatsRefusal } from './refusal.ts';
import { createTellRefusal } from './refusals-told.ts';
import { serveStats } from './server.ts';

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

interface Line {
  msg: string;
  [fact: string]: unknown;
}

/** A real logger whose lines are kept. */
function keepLines() {
  const lines: Line[] = [];
  const log = createLogger('test', 'info', { write: (line) => void lines.push(JSON.parse(line) as Line) });
  return { log, lines };
}

function serve(port: number, log = keepLines()) {
  const stop = new AbortController();
  const registry = new Registry();
  const running = serveStats({
    address: `127.0.0.1:${port}`,
    callerOf: () => Promise.reject(new StatsRefusal(401, 'no token')),
    lentNode: () => undefined,
    scrape: () => Promise.resolve(''),
    log: log.log,
    registry,
    now: () => new Date(),
    signal: stop.signal,
    retryMs: 1,
  });
  stops.push(() => stop.abort());
  return { ...log, registry, running, stop };
}

const agent = new Agent({ keepAlive: true, maxSockets: 4, rejectUnauthorized: false });

function ask(port: number): Promise<number | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
  const asking = request(
    { host: '127.0.0.1', port, agent, path: '/v1/nodes/n/metrics/resource' },
    (response: IncomingMessage) => {
      response.resume().on('end', () => resolve(response.statusCode));
    },
  );
  asking.on('error', reject).end();
  return promise;
}

it('a port in use is taken once it is free; it is told once, and nothing stays behind of the tries', async () => {
  const blocker = createServer().listen(0, '127.0.0.1');
  await once(blocker, 'listening');
  const { port } = blocker.address() as AddressInfo;
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on('warning', onWarning);
  stops.push(() => process.off('warning', onWarning));
  const { lines } = serve(port);
  const told = (msg: string) => lines.filter((line) => line.msg === msg).length;
  await vi.waitFor(() => expect(told('cannot listen for requests for metrics')).toBeGreaterThan(15), { timeout: 5000 });
  blocker.close();
  await vi.waitFor(() => expect(ask(port)).resolves.toBe(401), { timeout: 5000 });
  expect(told('serving metrics')).toBe(1);
  expect(warnings).toEqual([]);
});

it('whoever knocks without a token, however often, writes a line from time to time; all are counted', async () => {
  const free = createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const { port } = free.address() as AddressInfo;
  free.close();
  await once(free, 'close');
  const { lines, registry } = serve(port);
  await vi.waitFor(() => ask(port), { timeout: 5000 });
  for (let at = 0; at < 50; at++) expect(await ask(port)).toBe(401);
  const text = await registry.metrics();
  expect(text).toMatch(/kubeocean_agent_stats_requests_total\{path="metrics\/resource",code="401"\} 51/);
  expect(lines.filter(({ msg }) => msg === 'metrics refused').length).toBeLessThanOrEqual(2);
});

it('refusals of one sort are told every ten seconds with how many were not', () => {
  const { log, lines } = keepLines();
  let now = 0;
  const tell = createTellRefusal(log, () => now);
  const knock = (code: number, from?: string) => tell(new StatsRefusal(code, 'why'), '/x', from);
  knock(401);
  for (let at = 0; at < 1000; at++) knock(401);
  knock(403);
  knock(502, 'tenant');
  now = 10_000;
  knock(401);
  expect(lines.map(({ code, untold, from }) => [code, untold, from])).toEqual([
    [401, undefined, undefined],
    [403, undefined, undefined],
    [502, undefined, 'tenant'],
    [401, 1000, undefined],
  ]);
});
