/** An agent's looks over its real stores. */
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { begin, policy, record } from './look-fixtures.ts';

const now = new Date('2026-11-20T12:00:00Z');
let server: TestServer;
const stop = new AbortController();
beforeAll(async () => void (server = await TestServer.start()));
afterAll(() => server.stop());
afterEach(() => {
  stop.abort();
  server.reset();
});

it('while nobody holds tenants to what is lent, a lease that was closed is not opened anew', async () => {
  const { looks } = await begin(server, stop.signal, {
    bindings: [['a', 'b'], []],
    policies: [policy('a', 1), policy('b', 2)],
    records: [record('north', 'a', 'Closed'), record('north', 'b')],
    guarded: false,
    readable: true,
  });
  const { allocation, recordWrites, guardWrites } = looks.look(now, 0);
  expect(allocation.open.map(({ name }) => name)).toEqual(['b.n']);
  expect(recordWrites.map(({ record: { spec } }) => spec.cluster)).toEqual(['b']);
  expect(JSON.stringify(guardWrites)).not.toContain('"a"');
  const a = allocation.policies.find((outcome) => outcome.policy.metadata.name === 'p-a');
  expect([a?.nodes, a?.closing.size]).toEqual([[], 0]);
});
