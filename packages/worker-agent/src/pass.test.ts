/** A pass over real stores and an API server on loopback. */
import { createLogger } from '@kubeocean/shared/daemon';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { begin, policy } from './look-fixtures.ts';
import { Passes } from './pass.ts';
import { Reclaimer } from './reclaim/executor.ts';

const now = new Date('2026-11-20T12:00:00Z');
let server: TestServer;
const stop = new AbortController();
beforeAll(async () => void (server = await TestServer.start()));
afterAll(() => server.stop());
afterEach(() => {
  stop.abort();
  server.reset();
});

it('what keeps a thousand writes from being made is not logged a thousand times at each look', async () => {
  const names = Array.from({ length: 50 }, (_, at) => `b${at}`);
  const { client, options, stores } = await begin(server, stop.signal, {
    bindings: [['a'], []],
    policies: names.map((name) => policy(name, 1)),
    readable: true,
  });
  const { answer } = server;
  server.answer = (request, response) => {
    if (request.method === 'GET') return answer(request, response);
    response.statusCode = 500;
    return response.end(JSON.stringify({ kind: 'Status', code: 500, message: 'a webhook does not answer' }));
  };
  const logged: unknown[] = [];
  const log = createLogger('test', 'silent');
  log.warn = (fields: object) => void logged.push(fields);
  const leadership = { signal: stop.signal, transitions: 0, isCurrent: () => true };
  const events = { event: () => undefined, flush: () => Promise.resolve() };
  const own = { client, events, log, now: () => now };
  const reclaimer = new Reclaimer({ ...own, leadership, observe: () => undefined });
  const unused = { onTold: () => undefined, wake: () => undefined };
  const passes = new Passes({ ...options, ...own, ...unused, stores, reclaimer });
  // Statuses of 50 policies and the guards of two namespaces.
  expect((await passes.run(leadership, now)).failures).toBe(52);
  expect([logged.length, logged.at(-1)]).toEqual([6, { more: 47 }]);
  await reclaimer.stop();
});
