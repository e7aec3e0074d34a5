/** A pass over real stores and an API server on loopback. */
import { createLogger } from '@kubeocean/shared/daemon';
import type { EventRecorder } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { begin, policy, record, type World } from './look-fixtures.ts';
import { Passes } from './pass.ts';
import { Reclaimer } from './reclaim/executor.ts';

const now = new Date('2026-11-20T12:00:00Z');
let server: TestServer;
let stop = new AbortController();
beforeAll(async () => void (server = await TestServer.start()));
afterAll(() => server.stop());
afterEach(() => {
  stop.abort();
  stop = new AbortController();
  server.reset();
});

/** Passes over the world, which tell what they log and what they say to people. */
async function passing(world: World) {
  const { client, options, stores } = await begin(server, stop.signal, world);
  const logged: unknown[] = [];
  const told: string[] = [];
  const log = createLogger('test', 'silent');
  log.warn = (fields: object) => void logged.push(fields);
  const leadership = { signal: stop.signal, transitions: 0, leaseTime: () => new Date(0), isCurrent: () => true };
  const events: EventRecorder = {
    event: ({ kind, metadata }, type, reason, message) =>
      void told.push(`${kind} ${metadata.name}: ${type} ${reason} ${message}`),
    flush: () => Promise.resolve(),
  };
  const own = { client, events, log, now: () => now };
  const reclaimer = new Reclaimer({ ...own, leadership, observe: () => undefined });
  const unused = { onTold: () => undefined, wake: () => undefined };
  const passes = new Passes({ ...options, ...own, ...unused, stores, reclaimer });
  return { pass: () => passes.run(leadership, now), stop: () => reclaimer.stop(), logged, told };
}

it('what keeps a thousand writes from being made is not logged a thousand times at each look', async () => {
  const names = Array.from({ length: 50 }, (_, at) => `b${at}`);
  const policies = names.map((name) => policy(name, 1));
  const passes = await passing({ bindings: [['a'], []], policies, readable: true });
  const { answer } = server;
  server.answer = (request, response) => {
    if (request.method === 'GET') return answer(request, response);
    response.statusCode = 500;
    return response.end(JSON.stringify({ kind: 'Status', code: 500, message: 'a webhook does not answer' }));
  };
  // Statuses of 50 policies and the guards of two namespaces.
  expect((await passes.pass()).failures).toBe(52);
  expect([passes.logged.length, passes.logged.at(-1)]).toEqual([6, { more: 47 }]);
  await passes.stop();
});

it('the owner is told on the policy when its records cannot be written, once that lasts', async () => {
  const passes = await passing({
    bindings: [['a', 'b'], []],
    policies: [policy('a', 1), policy('b', 2)],
    records: [record('north', 'b')],
    readable: true,
  });
  const { answer } = server;
  server.answer = (request, response) => {
    if (request.method === 'GET') return answer(request, response);
    request.resume();
    response.statusCode = request.url?.includes('leasednodes') ? 422 : 200;
    return response.end(JSON.stringify({ kind: 'Status', code: 422, message: 'no such taint' }));
  };
  const refused = () => passes.told.filter((event) => event.includes('RecordRefused'));
  for (let passed = 0; passed < 3; passed++) await passes.pass();
  expect(refused()).toEqual([]);
  for (let passed = 0; passed < 3; passed++) await passes.pass();
  expect(refused().sort()).toEqual(
    ['a', 'b'].map(
      (name) =>
        `ResourceLeasingPolicy p-${name}: Warning RecordRefused the lease of node n waits: its LeasedNode cannot be written, which is tried again (no such taint)`,
    ),
  );
  await passes.stop();
});
