/** An agent's looks over its real stores, where the API server refuses to show one tenant's namespace. */
import { createLogger } from '@kubeocean/shared/daemon';
import { ApiError, ConnectionError, KubeClient } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { begin, pod, policy, record, type World } from './look-fixtures.ts';
import { LostTenants } from './lost-tenants.ts';

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

/** The same when the agent has gone on without the tenant. */
async function frozen(given: World) {
  const world = await begin(server, stop.signal, given);
  world.state.clock = 31_000;
  await vi.waitFor(() => expect(world.stores.isFrozen('south')).toBe(true), 8000);
  await world.stores.synced;
  // Strays are waited for half a minute.
  world.looks.look(now, 0);
  const look = world.looks.look(now, 40_000);
  const told = look.policyWrites.map(({ policy: { metadata }, status }) => {
    const leased = status.conditions?.find(({ type }) => type === 'Leased');
    return `${metadata.name} ${leased?.status} ${leased?.reason} ${status.nodes}`;
  });
  const cpu = look.allocation.open.map(
    ({ namespace, name, status }) => `${namespace}/${name} ${status.allocatable?.['cpu']}`,
  );
  const namespaces = [
    ...look.recordWrites.map(({ record: each }) => ('metadata' in each ? each.metadata.namespace : each.namespace)),
    ...look.guardWrites.map(({ guard }) => guard.metadata.namespace),
    ...[...look.steps.values()].map((step) => step.namespace),
  ];
  return { ...world, told, cpu, touched: [...new Set(namespaces)] };
}

describe('a tenant whose namespace is there but may not be read', () => {
  it('is waited for while that is new, and is left out after half a minute, so that the others go on', async () => {
    const { stores, state, isSynced } = await begin(server, stop.signal, { bindings: [['a'], ['b']], policies: [] });
    expect([isSynced(), stores.isFrozen('south')]).toEqual([false, false]);
    expect(stores.missing()).not.toEqual([]);
    state.clock = 31_000;
    await vi.waitFor(() => expect(stores.missing()).toEqual([]), 8000);
    await stores.synced;
    expect([stores.isFrozen('south'), stores.isGone('south'), stores.isFrozen('north')]).toEqual([true, false, false]);
    state.refused = false;
    await vi.waitFor(() => expect(stores.isFrozen('south')).toBe(false), 20_000);
  }, 30_000);

  it('or whose lists fail in another way that lasts, is left out too, and its policy says how', async () => {
    const { stores, looks, state } = await begin(server, stop.signal, {
      bindings: [['a'], ['b']],
      policies: [policy('b', 1), policy('a', 2)],
      refusal: 400,
    });
    state.clock = 31_000;
    await vi.waitFor(() => expect(stores.isFrozen('south')).toBe(true), 20_000);
    await stores.synced;
    const { policyWrites } = looks.look(now, 0);
    const [b, a] = policyWrites.map(({ status }) => status.conditions?.find(({ type }) => type === 'Leased'));
    expect(b).toMatchObject({ reason: 'TenantNotReadable', message: expect.stringContaining('by the agent (no): ') });
    expect(a?.reason).toBe('NodesLent');
  }, 30_000);

  it('is left out though the first page of a list always comes, but not for a server that does not answer', async () => {
    server.answer = (_, response) => response.end(JSON.stringify({ metadata: { name: 'south' } }));
    let clock = 0;
    const client = new KubeClient(server.transport());
    const log = createLogger('test', 'silent');
    const lost = new LostTenants({ client, log, onChange: () => undefined, clock: () => clock });
    const unreadable = new ApiError(500, { message: 'the object cannot be read' }, 'GET', '/x');
    const silent = new ConnectionError('https://x', 'ECONNREFUSED', 'refused');
    const stores = new Map(['south', 'north'].map((name) => [name, lost.follow(name, new Promise(() => undefined))]));
    for (; clock <= 40_000; clock += 10_000) {
      for (const [name, store] of stores) {
        lost.answered(name, store);
        lost.failed(name, store, name === 'north' && clock % 20_000 > 0 ? silent : unreadable);
      }
    }
    await vi.waitFor(() => expect(lost.isFrozen('south')).toBe(true), 5000);
    expect(lost.whyFrozen('south')).toBe('the object cannot be read');
    expect(lost.isFrozen('north')).toBe(false);
  });

  it('keeps its share, which is lent to nobody else, and nothing is written or deleted there', async () => {
    const labels = { 'kubeocean.io/cluster-binding': 'b' };
    const { metadata, ...rest } = pod('over', 'south', '1', labels);
    const over = {
      ...rest,
      metadata: { ...metadata, finalizers: ['kubeocean.io/home-sync'] },
      status: { phase: 'Failed' },
    };
    const { cpu, told, touched } = await frozen({
      bindings: [['a'], ['b']],
      policies: [policy('b', 1, '5'), policy('a', 2)],
      pods: [pod('lent', 'south', '1', labels), pod('odd', 'south', '1', {}), over],
    });
    // 8, less 1 of the pod without a binding, less the 5 that may be lent there.
    expect(cpu).toEqual(['north/a.n 2']);
    expect(touched).toEqual(['north']);
    expect(told).toEqual(['p-b Unknown TenantNotReadable 0', 'p-a True NodesLent 1']);
  }, 20_000);

  it('has more counted for it where its pods hold more', async () => {
    const labels = { 'kubeocean.io/cluster-binding': 'b' };
    const { cpu } = await frozen({
      bindings: [['a'], ['b']],
      policies: [policy('b', 1, '5'), policy('a', 2)],
      pods: [pod('lent', 'south', '7', labels)],
    });
    expect(cpu).toEqual(['north/a.n 1']);
  }, 20_000);

  it('is not inherited from: a name that could be its is lent to no other tenant anew', async () => {
    const { cpu, told } = await frozen({ bindings: [['a'], ['*']], policies: [policy('a', 2)] });
    expect(cpu).toEqual([]);
    expect(told).toEqual(['p-a Unknown TenantNotReadable 0']);
  }, 20_000);

  it('takes nothing from a tenant that is known to be served', async () => {
    const { cpu } = await frozen({
      bindings: [['a'], ['*']],
      policies: [policy('a', 2)],
      records: [record('north', 'a')],
    });
    expect(cpu).toEqual(['north/a.n 8']);
  }, 20_000);
});

describe('a tenant whose namespace may not be read any more, while the agent runs', () => {
  const given: World = {
    bindings: [['a'], ['b']],
    policies: [policy('b', 1, '5'), policy('a', 2)],
    records: [record('north', 'a'), record('south', 'b')],
    pods: [pod('odd', 'south', '1', {})],
    readable: true,
  };

  /** What a look would touch, and what the policy of the tenant says. */
  function looked({ looks }: Awaited<ReturnType<typeof begin>>, monotonic = 0) {
    const { allocation, recordWrites, guardWrites, steps, policyWrites } = looks.look(now, monotonic);
    const conditions = policyWrites.find(({ policy: { metadata } }) => metadata.name === 'p-b')?.status.conditions;
    return {
      namespaces: new Set([
        ...recordWrites.map(({ record: each }) => ('metadata' in each ? each.metadata.namespace : each.namespace)),
        ...guardWrites.map(({ guard }) => guard.metadata.namespace),
        ...[...steps.values()].map(({ namespace }) => namespace),
      ]),
      leased: conditions?.find(({ type }) => type === 'Leased')?.reason,
      cpu: allocation.open.map(({ name, status }) => `${name} ${status.allocatable?.['cpu']}`),
    };
  }

  it('is left out after half a minute, keeps its share, and goes on when the right is back', async () => {
    const world = await begin(server, stop.signal, given);
    await world.stores.synced;
    const before = looked(world);
    expect(before.namespaces).toEqual(new Set(['north', 'south']));
    expect(before.cpu).toEqual(['b.n 5', 'a.n 2']);

    world.refuse();
    await vi.waitFor(() => expect(world.asked.refused).toBeGreaterThan(3), 10_000);
    expect(world.stores.isFrozen('south')).toBe(false);
    world.state.clock = 31_000;
    await vi.waitFor(() => expect(world.stores.isFrozen('south')).toBe(true), 10_000);
    expect(looked(world)).toEqual({ namespaces: new Set(['north']), leased: 'TenantNotReadable', cpu: ['a.n 2'] });

    world.state.refused = false;
    await vi.waitFor(() => expect(world.stores.isFrozen('south')).toBe(false), 20_000);
    // Its computing cluster was not silent, as far as anybody can say; that of the other was.
    const { policies } = world.looks.look(now, 100_000).allocation;
    const silent = policies.filter(({ claim }) => claim.remark?.includes('is not renewed since'));
    expect(silent.map(({ policy: { metadata } }) => metadata.name)).toEqual(['p-a']);
    expect(looked(world, 100_000)).toEqual(before);
  }, 45_000);

  it('is no tenant when its namespace is gone, whatever was known of it', async () => {
    const world = await begin(server, stop.signal, given);
    await world.stores.synced;
    world.state.namespace = 404;
    world.refuse();
    await vi.waitFor(() => expect(world.stores.isGone('south')).toBe(true), 10_000);
    // The pod is as any other of the cluster.
    expect(looked(world)).toEqual({ namespaces: new Set(['north']), leased: 'NotClaimed', cpu: ['a.n 7'] });
    expect(world.looks.look(now, 0).allocation.closed).toEqual([]);
  }, 20_000);
});

describe('a tenant whose namespace was deleted', () => {
  it('is no tenant, at once; made again without rights for us, it is frozen, at once too', async () => {
    const { stores, state } = await begin(server, stop.signal, {
      bindings: [['a'], ['b']],
      policies: [],
      namespace: 404,
    });
    await stores.synced;
    expect([stores.isGone('south'), stores.isFrozen('south')]).toEqual([true, false]);
    state.namespace = 200;
    await vi.waitFor(() => expect(stores.isFrozen('south')).toBe(true), 8000);
    expect(stores.isGone('south')).toBe(false);
  }, 20_000);
});
