/** The server over real TLS on loopback, with tenants that ask for much and read nothing. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { AgentTokenHeader } from '@kubeocean/shared/api';
import { createLogger, Registry } from '@kubeocean/shared/daemon';
import { afterEach, expect, it, vi } from 'vitest';
import type { DeliveryLimits } from './delivery.ts';
import { StatsRefusal } from './refusal.ts';
import { serveStats } from './server.ts';

const MIB = 1024 * 1024;
const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A server whose tenants are named by their token, and whose nodes answer with so many lines about a pod of theirs. */
async function serve(limits: DeliveryLimits, megabytes: number, scraped = () => Promise.resolve()) {
  const stop = new AbortController();
  const port = await freePort();
  const registry = new Registry();
  const abandoned: string[] = [];
  const running = serveStats({
    address: `127.0.0.1:${port}`,
    callerOf: async (token) => {
      if (!token) throw new StatsRefusal(401, 'no token');
      return { namespace: token, serviceAccount: 's', bindings: ['*'] };
    },
    lentNode: (_, name) => ({ metadata: { name, uid: name } }),
    scrape: async ({ metadata: { name } }, _, signal) => {
      signal?.addEventListener('abort', () => abandoned.push(name), { once: true });
      await scraped();
      const line = (tenant: string) => `m{namespace="${tenant}",pod="p",node="${name}",x="${'x'.repeat(1000)}"} 1\n`;
      return ['greedy', 'modest'].map((tenant) => line(tenant).repeat(megabytes * 1000)).join('');
    },
    log: createLogger('test', 'silent'),
    registry,
    now: () => new Date(),
    signal: stop.signal,
    limits,
  });
  stops.push(() => stop.abort());
  await vi.waitFor(() => reached(port), { timeout: 5000, interval: 5 });
  return { port, registry, running, stop, abandoned };
}

async function reached(port: number): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  socket.destroy();
}

interface Asked {
  socket: TLSSocket;
  /** Resolves with the code as soon as the answer begins; 0 when it was cut off before. */
  code: Promise<number>;
  /** Reads on, and resolves with the number of bytes in the end. */
  rest: () => Promise<number>;
}

/** Asks without reading on. */
function ask(port: number, tenant: string, node: string): Asked {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
    socket.write(
      `GET /v1/nodes/${node}/metrics/cadvisor HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${AgentTokenHeader}: ${tenant}\r\n\r\n`,
    );
  });
  stops.push(() => socket.destroy());
  socket.on('error', () => undefined);
  let bytes = 0;
  const code = Promise.withResolvers<number>();
  const closed = Promise.withResolvers<void>();
  socket.on('data', (chunk: Buffer) => {
    if (bytes === 0) {
      code.resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(chunk.toString('latin1'))?.[1]));
      socket.pause();
    }
    bytes += chunk.length;
  });
  socket.on('close', () => {
    code.resolve(0);
    closed.resolve();
  });
  const rest = async () => {
    socket.resume();
    await closed.promise;
    return bytes;
  };
  return { socket, code: code.promise, rest };
}

it('of a tenant that asks and does not read so many are open at once, and the next is told to come again', async () => {
  const { port } = await serve({ perTenant: 3, bytes: 1000 * MIB, deadlineMs: 60_000 }, 2);
  const open = ['a', 'b', 'c'].map((node) => ask(port, 'greedy', node));
  expect(await Promise.all(open.map(({ code }) => code))).toEqual([200, 200, 200]);
  const refused = ask(port, 'greedy', 'd');
  let text = '';
  refused.socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  expect(await refused.code).toBe(429);
  expect(text).toMatch(/\r\nretry-after: 1\r\n/i);
  const other = ask(port, 'modest', 'd');
  expect(await other.code).toBe(200);
  expect(await other.rest()).toBeGreaterThan(2_000_000);
  open[0]?.socket.destroy();
  await vi.waitFor(async () => expect(await ask(port, 'greedy', 'd').code).toBe(200), { timeout: 5000, interval: 20 });
});

it('requests that come through one connection before the first is answered count as well', async () => {
  const scraped = Promise.withResolvers<void>();
  const { port, registry } = await serve(
    { perTenant: 3, bytes: 1000 * MIB, deadlineMs: 60_000 },
    1,
    () => scraped.promise,
  );
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
  stops.push(() => socket.destroy());
  const one = `GET /v1/nodes/a/metrics/cadvisor HTTP/1.1\r\nhost: x\r\n${AgentTokenHeader}: greedy\r\n\r\n`;
  socket.write(one.repeat(10));
  const refused = () => registry.metrics().then((text) => /code="429"} (\d+)/.exec(text)?.[1]);
  await vi.waitFor(async () => expect(await refused()).toBe('7'), { timeout: 5000, interval: 5 });
  socket.destroy();
  scraped.resolve();
  await vi.waitFor(async () => expect(await ask(port, 'greedy', 'a').code).toBe(200), { timeout: 5000, interval: 20 });
});

it('when all hold too much, the oldest of whoever holds most is cut off, and nobody else', async () => {
  const { port } = await serve({ perTenant: 64, bytes: 13 * MIB, deadlineMs: 60_000 }, 3);
  const first = ask(port, 'modest', 'm');
  expect(await first.code).toBe(200);
  const greedy = ['a', 'b', 'c'].map((node) => ask(port, 'greedy', node));
  await Promise.all(greedy.map(({ code }) => code));
  const second = ask(port, 'modest', 'n');
  expect(await second.code).toBe(200);
  expect(await first.rest()).toBeGreaterThan(3_000_000);
  expect(await second.rest()).toBeGreaterThan(3_000_000);
  const read = await Promise.all(greedy.map(({ rest }) => rest()));
  expect(read.some((bytes) => bytes < 3_000_000)).toBe(true);
  expect(read.some((bytes) => bytes > 3_000_000)).toBe(true);
});

it('whoever takes too long to read is cut off, and its place is free again', async () => {
  const { port } = await serve({ perTenant: 1, bytes: 1000 * MIB, deadlineMs: 200 }, 10);
  const slow = ask(port, 'greedy', 'a');
  expect(await slow.code).toBe(200);
  await vi.waitFor(async () => expect(await ask(port, 'greedy', 'b').code).toBe(200), { timeout: 5000, interval: 20 });
  expect(await slow.rest()).toBeLessThan(10_000_000);
});

it('what nobody waits for any more is abandoned', async () => {
  const never = Promise.withResolvers<void>();
  const { port, abandoned } = await serve(
    { perTenant: 3, bytes: 1000 * MIB, deadlineMs: 60_000 },
    1,
    () => never.promise,
  );
  const asked = ask(port, 'greedy', 'a');
  await once(asked.socket, 'secureConnect');
  const both = ask(port, 'greedy', 'b');
  await once(both.socket, 'secureConnect');
  asked.socket.destroy();
  both.socket.destroy();
  await vi.waitFor(() => expect(abandoned.toSorted()).toEqual(['a', 'b']), { timeout: 5000, interval: 5 });
});

it('a text that many read counts once, and no more when they have read it', async () => {
  const { port } = await serve({ perTenant: 10, bytes: 4 * MIB, deadlineMs: 60_000 }, 3);
  for (const node of ['a', 'b']) {
    const readers = Array.from({ length: 5 }, () => ask(port, 'modest', node));
    expect(await Promise.all(readers.map(({ code }) => code))).toEqual([200, 200, 200, 200, 200]);
    for (const bytes of await Promise.all(readers.map(({ rest }) => rest()))) expect(bytes).toBeGreaterThan(3_000_000);
  }
});
