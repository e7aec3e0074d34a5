/** Kubelets over real TLS on loopback: sound ones, and ones that take a connection and say nothing. */
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer, type Server } from 'node:net';
import type { WorkerNode } from '@kubeocean/shared/lease';
import { newKeyPair, privateKeyPem, selfSignedCertificate } from '@kubeocean/shared/tls';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { createScraper } from './kubelets.ts';

const key = newKeyPair();
const subject = { commonName: 'kubelet', organizations: [], ips: ['127.0.0.1'], dnsNames: [] };
const day = 86_400_000;
const cert = selfSignedCertificate(subject, key, new Date(Date.now() - day), new Date(Date.now() + day));

let apiServer: TestServer;
beforeAll(async () => {
  apiServer = await TestServer.start();
});
afterAll(() => apiServer.stop());

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
  apiServer.reset();
});

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function kubelet(answer: RequestListener): Promise<number> {
  const server = createTlsServer({ cert, key: privateKeyPem(key) }, answer);
  stops.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return listening(server);
}

/** Takes connections and never says a word. */
async function silent(): Promise<{ port: number; connections: () => number }> {
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.on('error', () => undefined);
    stops.push(() => socket.destroy());
  });
  stops.push(() => server.close());
  return { port: await listening(server), connections: () => connections };
}

function node(name: string, port: number): WorkerNode {
  return {
    metadata: { name, uid: `uid-${name}` },
    status: {
      addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
      daemonEndpoints: { kubeletEndpoint: { Port: port } },
    },
  };
}

function scraper() {
  const token = { get: () => Promise.resolve('t'), forget: () => undefined };
  return createScraper({ client: { transport: apiServer.transport() }, token, insecure: true });
}

it('a node that says nothing is given up after three seconds, and left alone for a while after that', async () => {
  const { port, connections } = await silent();
  const scrape = scraper();
  const began = performance.now();
  await expect(scrape(node('a', port), 'metrics/resource')).rejects.toMatchObject({
    code: 504,
    message: 'the kubelet of node a could not be connected to within 3 s',
  });
  expect(performance.now() - began).toBeLessThan(6000);
  const again = performance.now();
  await expect(scrape(node('a', port), 'metrics/cadvisor')).rejects.toMatchObject({ code: 504 });
  expect(performance.now() - again).toBeLessThan(1000);
  expect(connections()).toBe(1);
});

it('a node that answers by an upgrade that nobody asked for is told at once, and takes no place for ever', async () => {
  const port = await kubelet((_, response) => response.writeHead(101, { connection: 'Upgrade', upgrade: 'x' }).end());
  await expect(scraper()(node('a', port), 'metrics/resource')).rejects.toMatchObject({
    code: 502,
    message: 'the kubelet of node a cannot be asked: it closed the connection without an answer',
  });
});

it('one node is asked at most two things at once', async () => {
  const answers: (() => void)[] = [];
  const port = await kubelet((_, response) => answers.push(() => response.end('m 1\n')));
  const scrape = scraper();
  const all = (['metrics/resource', 'metrics/cadvisor', 'stats/summary'] as const).map((path) =>
    scrape(node('a', port), path),
  );
  await vi.waitFor(() => expect(answers.length).toBe(2), { timeout: 5000, interval: 5 });
  // Another node answers meanwhile, so that the third question of this one would have come by now.
  const other = await kubelet((_, response) => response.end('m 2\n'));
  expect(await scrape(node('b', other), 'metrics/resource')).toBe('m 2\n');
  expect(answers.length).toBe(2);
  answers.shift()?.();
  await vi.waitFor(() => expect(answers.length).toBe(2), { timeout: 5000, interval: 5 });
  for (const answer of answers) answer();
  expect(await Promise.all(all)).toEqual(['m 1\n', 'm 1\n', 'm 1\n']);
});

it('what nobody waits for any more is dropped, and is no fault of the node', async () => {
  let closed = 0;
  const asked: string[] = [];
  const port = await kubelet((request, response) => {
    asked.push(request.url ?? '');
    if (asked.length > 1) response.end('m 1\n');
    else response.on('close', () => closed++);
  });
  const scrape = scraper();
  const gone = new AbortController();
  const lost = scrape(node('a', port), 'metrics/resource', gone.signal);
  lost.catch(() => undefined);
  await vi.waitFor(() => expect(asked.length).toBe(1), { timeout: 5000, interval: 5 });
  gone.abort(new Error('gone'));
  await expect(lost).rejects.toThrow('gone');
  await vi.waitFor(() => expect(closed).toBe(1), { timeout: 5000, interval: 5 });
  expect(await scrape(node('a', port), 'metrics/resource')).toBe('m 1\n');
});

it('a node that takes the question and says nothing is left alone, although its callers leave before its time is over', async () => {
  let [asked, closed] = [0, 0];
  const port = await kubelet((_, response) => {
    asked++;
    response.on('close', () => closed++);
  });
  vi.useFakeTimers({ toFake: ['performance'] });
  stops.push(() => vi.useRealTimers());
  const scrape = scraper();
  const gone = new AbortController();
  const lost = scrape(node('a', port), 'metrics/resource', gone.signal);
  lost.catch(() => undefined);
  await vi.waitFor(() => expect(asked).toBe(1), { timeout: 5000, interval: 5 });
  vi.advanceTimersByTime(9_900);
  gone.abort(new Error('gone'));
  await expect(lost).rejects.toThrow('gone');
  await vi.waitFor(() => expect(closed).toBe(1), { timeout: 5000, interval: 5 });
  await expect(scrape(node('a', port), 'metrics/cadvisor')).rejects.toMatchObject({
    code: 504,
    message: 'the kubelet of node a gave no answer within 9 s',
  });
  expect(asked).toBe(1);
});

it.each([
  [
    'long after, is left alone',
    9_900,
    { code: 504, message: 'the kubelet of node a did not end its answer within 9 s' },
  ],
  ['a moment after, is asked again', 100, undefined],
])('a node that stops in the middle of its answer, and whose callers leave %s', async (_, leftAfterMs, refused) => {
  let [asked, closed, isRead] = [0, 0, false];
  const port = await kubelet((_, response) => {
    response.on('close', () => closed++);
    // More than the sockets hold, so that it is on its way only once it is read.
    if (asked++ === 0) response.write(Buffer.alloc(14 * 1024 * 1024, '\n'), () => (isRead = true));
    else response.end('m 1\n');
  });
  vi.useFakeTimers({ toFake: ['performance'] });
  stops.push(() => vi.useRealTimers());
  const scrape = scraper();
  const gone = new AbortController();
  const lost = scrape(node('a', port), 'metrics/resource', gone.signal);
  lost.catch(() => undefined);
  await vi.waitFor(() => expect(isRead).toBe(true), { timeout: 20_000, interval: 5 });
  vi.advanceTimersByTime(leftAfterMs);
  gone.abort(new Error('gone'));
  await expect(lost).rejects.toThrow('gone');
  await vi.waitFor(() => expect(closed).toBe(1), { timeout: 20_000, interval: 5 });
  const again = scrape(node('a', port), 'metrics/cadvisor');
  if (refused) await expect(again).rejects.toMatchObject(refused);
  else expect(await again).toBe('m 1\n');
  expect(asked).toBe(refused ? 1 : 2);
});

it('a node that answers again is as good as any', async () => {
  const free = createServer();
  const port = await listening(free);
  free.close();
  await once(free, 'close');
  vi.useFakeTimers({ toFake: ['performance'] });
  stops.push(() => vi.useRealTimers());
  const scrape = scraper();
  await expect(scrape(node('a', port), 'metrics/resource')).rejects.toMatchObject({ code: 502 });
  const server = createTlsServer({ cert, key: privateKeyPem(key) }, (_, response) => response.end('m 1\n'));
  stops.push(() => server.close());
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  vi.advanceTimersByTime(9_999);
  await expect(scrape(node('a', port), 'metrics/resource')).rejects.toMatchObject({ code: 502 });
  vi.advanceTimersByTime(1);
  expect(await scrape(node('a', port), 'metrics/resource')).toBe('m 1\n');
  expect(await scrape(node('a', port), 'metrics/cadvisor')).toBe('m 1\n');
  server.closeAllConnections();
});
