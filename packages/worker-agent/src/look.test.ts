/** An agent's looks over its real stores. */
import type { LeasedNode } from '@kubeocean/shared/api';
import type { Store } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { begin, policy, record } from './look-fixtures.ts';

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

it('a policy that is deleted and made again while its notice runs does not put off the end of it', async () => {
  const announced = '2026-11-20T12:20:00Z';
  const closing = record('north', 'a', 'Closing');
  Object.assign(closing['status'] as object, { reason: 'WindowClosed', reclaimAt: announced });
  const { spec, ...rest } = policy('a', 1);
  const timeWindows = [{ start: '18:00', end: '08:00' }];
  const night = {
    ...rest,
    spec: { ...(spec as object), timeWindows, forceReclaim: true, gracefulReclaimPeriodSeconds: 1800 },
  };
  const { looks, stores } = await begin(server, stop.signal, {
    bindings: [['a'], []],
    policies: [night],
    records: [closing],
    readable: true,
  });
  const policies = stores.policies as unknown as Store<typeof night>;
  const records = stores.records[0] as Store<LeasedNode>;
  policies.remove('p-a');
  const [gone] = looks.look(now, 0).allocation.closed;
  expect(gone?.status).toMatchObject({ reason: 'PolicyGone', reclaimAt: '2026-11-20T12:00:10Z' });
  // It comes back before the watch tells of our own write, and after.
  policies.set(night);
  looks.look(now, 1000);
  records.set({ ...(closing as LeasedNode), ...(gone && { status: gone.status }) });
  const { open } = looks.look(now, 2000).allocation;
  expect(open.map(({ status }) => [status.reason, status.reclaimAt])).toEqual([['WindowClosed', announced]]);
});

it('a last valid spec that somebody made by hand in a status stops nothing', async () => {
  const { spec, ...rest } = policy('b', 2);
  const broken = { ...rest, spec: { ...(spec as object), timeZone: 'Mars/Olympus' } };
  const status = { lastValidSpec: { cluster: 'b', resourceLimits: {} } };
  const { looks } = await begin(server, stop.signal, {
    bindings: [['a', 'b'], []],
    policies: [policy('a', 1), { ...broken, status }],
    records: [record('north', 'b')],
    readable: true,
  });
  const { allocation, policyWrites } = looks.look(now, 0);
  expect(allocation.open.map(({ name }) => name)).toEqual(['a.n', 'b.n']);
  expect(policyWrites.map((write) => write.status.phase)).toEqual(['Active', 'Failed']);
});
