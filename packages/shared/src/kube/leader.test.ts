/** Renewals that meet dead connections; election between several is tested on a real API server, e2e/kube-leader.test.ts. */
import { randomUUID } from 'node:crypto';
import { getEventListeners } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { queryObjects } from 'node:v8';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { TestServer } from '../testing/api-server.ts';
import { KubeClient } from './client.ts';
import { type Lease, microTime, runAsLeader } from './leader.ts';
import { Leases } from './resources.ts';

let server: TestServer;

beforeAll(async () => {
  server = await TestServer.start();
});
afterEach(() => server.reset());
afterAll(() => server.stop());

/** A server with one Lease. A PUT for which `isLost` holds gets no answer; a POST is answered so much after it was taken. */
function serveLease(isLost: (request: IncomingMessage) => boolean, lateMs = 0): { renewals: () => number } {
  let lease: Lease | undefined;
  let revision = 1;
  let renewals = 0;
  const watchers: ServerResponse[] = [];
  function store(next: Lease): Lease {
    lease = { ...next, metadata: { ...next.metadata, uid: 'u', resourceVersion: `${++revision}` } };
    for (const watcher of watchers) watcher.write(`${JSON.stringify({ type: 'MODIFIED', object: lease })}\n`);
    return lease;
  }
  server.answer = (request, response) => {
    const watching = request.url?.includes('watch=true');
    if (request.method === 'GET' && watching) {
      watchers.push(response);
      response.flushHeaders();
      return;
    }
    if (request.method === 'GET') {
      const items = lease ? [lease] : [];
      response.end(JSON.stringify({ metadata: { resourceVersion: `${revision}` }, items }));
      return;
    }
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      if (request.method === 'PUT' && isLost(request)) return;
      if (request.method === 'PUT') renewals++;
      const sent = JSON.parse(body) as Lease;
      const answer = JSON.stringify(store({ ...lease, ...sent, spec: { ...lease?.spec, ...sent.spec } }));
      setTimeout(() => response.end(answer), request.method === 'POST' ? lateMs : 0);
    });
  };
  return { renewals: () => renewals };
}

test('a renewal without an answer is tried again by a new connection while there is time', {
  timeout: 30_000,
}, async () => {
  // All connections that are open at the first renewal are dead from then on, as after a load balancer that went.
  const seen = new Set<Socket>();
  let gone = false;
  const { renewals } = serveLease(({ socket }) => {
    gone = true;
    return seen.has(socket);
  });
  const serve = server.answer;
  server.answer = (request, response) => {
    if (!gone) seen.add(request.socket);
    serve(request, response);
  };
  const client = new KubeClient(server.transport());
  await Promise.all([1, 2, 3, 4].map(() => client.list(Leases, { namespace: 'ns' })));
  const stop = new AbortController();
  const errors: unknown[] = [];
  const times = { leaseDurationSeconds: 6, renewDeadlineSeconds: 4, renewSeconds: 0.5, retrySeconds: 0.5 };
  const onError = (error: unknown): void => void errors.push(error);
  const election = { namespace: 'ns', name: randomUUID(), identity: 'a', onError, ...times };
  await runAsLeader(client, election, stop.signal, async (leadership) => {
    await vi.waitFor(() => expect(renewals()).toBeGreaterThan(0), { timeout: 10_000 });
    expect(leadership.isCurrent()).toBe(true);
    stop.abort();
  });
  expect(seen.size).toBeGreaterThan(3);
  expect(errors[0]).toMatchObject({ code: 'ETIMEDOUT' });
});

test('the time for which a Lease was taken is counted from before the call that took it', async () => {
  let takenAt = 0;
  serveLease(() => true, 1500);
  const serve = server.answer;
  server.answer = (request, response) => {
    if (request.method === 'POST') takenAt = performance.now();
    serve(request, response);
  };
  const stop = new AbortController();
  const election = { namespace: 'ns', name: randomUUID(), identity: 'a', renewDeadlineSeconds: 2, renewSeconds: 60 };
  await runAsLeader(new KubeClient(server.transport()), election, stop.signal, async (leadership) => {
    await vi.waitFor(() => expect(leadership.isCurrent()).toBe(false), { timeout: 10_000, interval: 10 });
    expect(performance.now() - takenAt).toBeLessThan(3000);
    stop.abort();
  });
});

test('a leader whose machine slept makes no write before it has renewed its Lease: others may have led meanwhile', {
  timeout: 60_000,
}, async () => {
  const { renewals } = serveLease(() => false);
  const serve = server.answer;
  let mayRenew = false;
  server.answer = (request, response) => {
    if (request.method === 'PUT' && !mayRenew) response.writeHead(503).end('{}');
    else serve(request, response);
  };
  const stop = new AbortController();
  const times = { leaseDurationSeconds: 90, renewDeadlineSeconds: 60, renewSeconds: 0.2, retrySeconds: 0.2 };
  const election = { namespace: 'ns', name: randomUUID(), identity: 'a', ...times };
  const clock = vi.spyOn(Date, 'now');
  try {
    await runAsLeader(new KubeClient(server.transport()), election, stop.signal, async (leadership) => {
      expect(leadership.isCurrent()).toBe(true);
      // The monotonic clock stands still in sleep, the time of day does not.
      const wokenAt = Date.now() + 600_000;
      clock.mockReturnValue(wokenAt);
      expect(leadership.isCurrent()).toBe(false);
      mayRenew = true;
      await vi.waitFor(() => expect(leadership.isCurrent()).toBe(true), { timeout: 30_000 });
      expect(renewals()).toBeGreaterThan(0);
      // A clock that is set back says nothing of how long ago that was.
      clock.mockReturnValue(wokenAt - 7_200_000);
      expect(leadership.isCurrent()).toBe(true);
      stop.abort();
    });
  } finally {
    clock.mockRestore();
  }
});

test('a leader goes on from the times of the one before, whose clock was ahead, and leaves them to the next', {
  timeout: 30_000,
}, async () => {
  serveLease(() => false);
  const written: Lease[] = [];
  const client = new KubeClient(server.transport());
  const hour = 3_600_000;
  const election = { namespace: 'ns', name: randomUUID(), renewSeconds: 0.2 };
  const before = new Date(Date.now() + hour);
  const spec = { holderIdentity: '', renewTime: microTime(before) };
  await client.create<Lease>(Leases, { metadata: { namespace: 'ns', name: election.name }, spec });
  const serve = server.answer;
  server.answer = (request, response) => {
    if (request.method !== 'GET') {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => written.push(JSON.parse(body) as Lease));
    }
    serve(request, response);
  };
  const stop = new AbortController();
  let given = before;
  await runAsLeader(client, { ...election, identity: 'b' }, stop.signal, async (leadership) => {
    await vi.waitFor(() => expect(written.length).toBeGreaterThan(2), { timeout: 10_000 });
    given = leadership.leaseTime();
    stop.abort();
  });
  const times = [before.toISOString(), ...written.map((lease) => lease.spec?.renewTime ?? '')];
  expect(times).toEqual([...new Set(times)].toSorted());
  expect(written.at(-1)?.spec?.holderIdentity).toBe('');
  expect(Date.parse(times.at(-1) ?? '')).toBeGreaterThan(given.getTime());
  expect(given.getTime()).toBeGreaterThan(before.getTime());
});

test('a candidate that has seen the Lease renewed again and again keeps nothing of that', {
  timeout: 30_000,
}, async () => {
  serveLease(() => false);
  const client = new KubeClient(server.transport());
  const election = { namespace: 'ns', name: randomUUID(), identity: 'b' };
  const metadata = { namespace: 'ns', name: election.name };
  const spec = { holderIdentity: 'a', leaseDurationSeconds: 600, renewTime: microTime(new Date()) };
  const other = await client.create<Lease>(Leases, { metadata, spec });
  const streams = vi.spyOn(client.transport, 'stream');
  const stop = new AbortController();
  let left: number | undefined;
  const waiting = runAsLeader(client, election, stop.signal, async () => {
    left = getEventListeners(stop.signal, 'abort').length;
    stop.abort();
  });
  await vi.waitFor(() => expect(streams).toHaveBeenCalledOnce(), { timeout: 10_000 });
  await streams.mock.results[0]?.value;
  for (let seen = 0; seen < 20; seen++) await client.replace<Lease>(Leases, other);
  await client.replace<Lease>(Leases, { ...other, spec: { ...spec, holderIdentity: '' } });
  await waiting;
  expect(left).toBe(0);
});

test('nor does one that may not take the Lease, however long it tries', { timeout: 30_000 }, async () => {
  serveLease(() => false);
  const serve = server.answer;
  server.answer = (request, response) => {
    if (request.method === 'POST') response.writeHead(403).end('{}');
    else serve(request, response);
  };
  let tries = 0;
  const onError = (): void => void tries++;
  const election = { namespace: 'ns', name: randomUUID(), identity: 'b', retrySeconds: 0.001, onError };
  const stop = new AbortController();
  const waiting = runAsLeader(new KubeClient(server.transport()), election, stop.signal, () => Promise.resolve());
  try {
    await vi.waitFor(() => expect(tries).toBeGreaterThan(50), { timeout: 10_000 });
    const before = queryObjects(Promise, { format: 'count' });
    await vi.waitFor(() => expect(tries).toBeGreaterThan(350), { timeout: 15_000 });
    expect(queryObjects(Promise, { format: 'count' }) - before).toBeLessThan(150);
  } finally {
    stop.abort();
    await waiting;
  }
});
