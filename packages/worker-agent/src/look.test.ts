/** An agent's looks over its real stores. */
import type { LeasedNode } from '@kubeocean/shared/api';
import type { KubeObject, Store } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { begin, pod, policy, record, type World } from './look-fixtures.ts';

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

it('while nobody holds tenants to what is lent, a lease that was closed is not opened anew, and its pods go', async () => {
  const closed = record('north', 'a', 'Closed');
  Object.assign(closed['status'] as object, { reclaimStage: 'Evicting', reclaimAt: '2026-11-20T11:59:00Z' });
  const { looks } = await begin(server, stop.signal, {
    bindings: [['a', 'b'], []],
    policies: [policy('a', 1), policy('b', 2)],
    records: [closed, record('north', 'b')],
    pods: [pod('left', 'north', '1', { 'kubeocean.io/cluster-binding': 'a' })],
    guarded: false,
    readable: true,
  });
  const { allocation, recordWrites, guardWrites, steps } = looks.look(now, 0);
  expect(allocation.open.map(({ name }) => name)).toEqual(['b.n']);
  expect(steps.get('left')?.kind).toBe('evict');
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

it('what pods may hold is not more while their claim is gone: one that is taken away again and again frees nobody', async () => {
  const label = { 'kubeocean.io/cluster-binding': 'a' };
  const { looks, stores } = await begin(server, stop.signal, {
    bindings: [['a'], []],
    policies: [policy('a', 1)],
    records: [record('north', 'a')],
    pods: [pod('first', 'north', '5', label), pod('second', 'north', '5', label)],
    readable: true,
  });
  const claims = stores.claims[0] as Store<KubeObject>;
  claims.remove('north/kubeocean-claim.a');
  const at = (seconds: number) => looks.look(new Date(now.getTime() + seconds * 1000), seconds * 1000);
  const { allocation, recordWrites, guardWrites } = at(0);
  expect(allocation.closed[0]?.status).toMatchObject({ phase: 'Closing', reason: 'Released', ceiling: { cpu: '8' } });
  expect(recordWrites.map(({ kind }) => kind)).toEqual(['status']);
  // Nothing new comes meanwhile.
  expect(JSON.stringify(guardWrites)).not.toContain('"a"');
  expect([...at(2).steps.values()].map(({ kind, name }) => [kind, name])).toEqual([['exceed', 'second']]);
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

it('an agent that has just begun keeps a closed record of days ago: its computing cluster may have been away', async () => {
  const closed = record('north', 'a', 'Closed');
  Object.assign(closed['status'] as object, { reason: 'PolicyGone', closedAt: '2026-11-17T12:00:00Z' });
  const { looks, stores } = await begin(server, stop.signal, {
    bindings: [['a'], []],
    policies: [],
    records: [closed],
    readable: true,
  });
  const claims = stores.claims[0] as Store<KubeObject>;
  const [claim] = claims.values();
  const removed = (seconds: number) => {
    const { recordWrites } = looks.look(new Date(now.getTime() + seconds * 1000), seconds * 1000);
    return recordWrites.some(({ kind }) => kind === 'remove');
  };
  for (let seconds = 0; seconds <= 600; seconds += 10) {
    expect(removed(seconds)).toBe(false);
    claims.set({ ...(claim as KubeObject), spec: { renewTime: `${seconds}` } });
  }
  expect(removed(610)).toBe(true);
});

it('a pod that nobody follows and that does not end is looked at again when it should have, whatever else happens', async () => {
  const ending = pod('a', 'north', '1', { 'kubeocean.io/cluster-binding': 'gone' });
  Object.assign(ending.metadata, {
    finalizers: ['kubeocean.io/home-sync'],
    deletionTimestamp: '2026-11-20T12:00:30Z',
    deletionGracePeriodSeconds: 30,
  });
  const { looks } = await begin(server, stop.signal, {
    bindings: [[], []],
    policies: [],
    pods: [ending],
    readable: true,
  });
  const at = (seconds: number) => looks.look(new Date(now.getTime() + seconds * 1000), seconds * 1000);
  at(0);
  // What has no place in the namespace is looked at for half a minute.
  const { nextChange, steps } = at(31);
  expect(steps.get('a')?.kind).not.toBe('unfollow');
  expect(nextChange?.toISOString()).toBe('2026-11-20T12:01:30.000Z');
  expect(at(90).nextChange?.toISOString()).toBe('2026-11-20T12:02:10.000Z');
  // Its claim is waited for as long.
  expect(at(129).steps.get('a')?.kind).not.toBe('unfollow');
  expect(at(130).steps.get('a')?.kind).toBe('unfollow');
});

it('what was written is not written again; a look is due when a claim falls silent and when notice is given', async () => {
  const { spec, ...rest } = policy('a', 1);
  const day = { ...rest, spec: { ...(spec as object), timeWindows: [{ start: '08:00', end: '17:59' }] } };
  const world: World = { bindings: [['a'], []], policies: [day], readable: true };
  const { looks, stores } = await begin(server, stop.signal, world);
  const set = (list: readonly unknown[], object: unknown) => (list[0] as Store<KubeObject>).set(object as KubeObject);
  const first = looks.look(now, 0);
  expect(first.nextChange?.toISOString()).toBe('2026-11-20T12:00:40.000Z');
  for (const { guard } of first.guardWrites) set(stores.guards, guard);
  for (const { namespace, name, labels, spec: of, status } of first.allocation.open) {
    set(stores.records, { metadata: { namespace, name, labels, uid: name }, spec: of, status });
  }
  for (const { policy: of, status } of first.policyWrites) set([stores.policies], { ...of, status });
  expect([first.recordWrites.length, first.guardWrites.length, first.policyWrites.length]).toEqual([1, 2, 1]);
  const { recordWrites, guardWrites, policyWrites, steps } = looks.look(now, 0);
  expect({ recordWrites, guardWrites, policyWrites, steps: steps.size }).toEqual({
    recordWrites: [],
    guardWrites: [],
    policyWrites: [],
    steps: 0,
  });
  const later = new Date(now.getTime() + 41_000);
  expect(looks.renewed(later, 39_000)).toBe(false);
  expect(looks.look(later, 41_000).nextChange?.toISOString()).toBe('2026-11-20T17:55:00.000Z');
  // Only what ends a silence asks for a look.
  expect(looks.renewed(later, 42_000)).toBe(false);
  const [claim] = stores.claims[0]?.values() ?? [];
  set(stores.claims, { ...claim, spec: { renewTime: '2026-11-20T12:00:42.000000Z' } });
  expect(looks.renewed(later, 42_000)).toBe(true);
});

it('the last valid spec that an earlier leader wrote applies while the policy is not valid', async () => {
  const { spec, ...rest } = policy('a', 1);
  const broken = { ...rest, spec: { ...(spec as object), timeZone: 'Mars/Olympus' } };
  const status = { lastValidSpec: policy('a', 1, '3')['spec'] };
  const world: World = { bindings: [['a'], []], policies: [{ ...broken, status }], readable: true };
  const { looks } = await begin(server, stop.signal, world);
  const { open, policies } = looks.look(now, 0).allocation;
  expect(open.map(({ name, status: { allocatable } }) => [name, allocatable?.['cpu']])).toEqual([['a.n', '3']]);
  expect(policies[0]?.problem).toMatch(/Mars/);
});

it('where time changes nothing no look is due', async () => {
  const { looks } = await begin(server, stop.signal, {
    bindings: [[], []],
    policies: [policy('a', 1)],
    readable: true,
  });
  expect(looks.look(now, 0).nextChange).toBeUndefined();
});
