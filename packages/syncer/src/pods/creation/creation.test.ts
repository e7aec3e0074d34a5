/** From a home pod that was never run to its worker pod, against a server of the tests' own. */
import type { ClusterBinding, LeasedNode } from '@kubeocean/shared/api';
import { Secrets, Store } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createWorker, whyNotRun } from './creation.ts';
import { homePath, homePod, workerPath, workerPod, World } from '../ending/ending-fixtures.ts';
import { FACTS } from '../samples.ts';
import type { PodState } from '../state.ts';
import { createRefusals } from './refusals.ts';
import type { PodStatus } from '../types.ts';

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
});
afterAll(() => server.stop());

const daemon = [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'd', uid: 'd', controller: true }];

const notRunCases: [string, object, object, object, string | undefined][] = [
  ['its namespace is not selected any more', {}, { namespaceSelector: { matchLabels: { team: 'a' } } }, {}, undefined],
  ['it is a DaemonSet’s, which the binding does not run', { ownerReferences: daemon }, {}, {}, 'True'],
  [
    'it is a DaemonSet’s, and its vnode goes',
    { ownerReferences: daemon },
    { runningDaemonsetByDefault: true },
    { deletionTimestamp: '2026-01-02T03:00:00Z' },
    'True',
  ],
];
test.each(notRunCases)('a pod that was let in and is not to be run any more takes no room: %s', async (...given) => {
  const [, metadata, spec, binding, ready] = given;
  const world = new World(server);
  const home = homePod({ phase: 'Pending' }, metadata);
  world.objects.set(homePath, home);
  world.objects.set('/api/v1/namespaces/shop', { metadata: { name: 'shop', labels: {} } });
  const state = world.stateOf();
  const changed: string[] = [];
  state.admitted = new Set([home.metadata.uid ?? '']);
  state.room.changed = (key) => void changed.push(key);
  state.context.binding = () =>
    ({ metadata: { name: 'example-cluster', ...binding }, spec }) as unknown as ClusterBinding;
  Object.assign(state.context.stores, { records: new Store({ vnode: () => [] }), vnodes: new Store() });
  await createWorker(
    state,
    home,
    createRefusals(() => []),
  );
  expect(world.told).toEqual(['Warning NotRun']);
  // Its DaemonSet would wait for it with the update of all others.
  const shown = world.patches.get(`${homePath}/status`)?.['status'] as PodStatus | undefined;
  expect(shown?.conditions?.find(({ type }) => type === 'Ready')?.status).toBe(ready);
  expect([state.admitted.size, changed]).toEqual([0, ['shop/web-5d9c7b-abcde']]);
});

test('pods of one namespace that come together ask once whether it is selected', async () => {
  const world = new World(server);
  world.objects.set('/api/v1/namespaces/shop', { metadata: { name: 'shop', labels: { team: 'b' } } });
  const state = world.stateOf();
  state.context.binding = () =>
    ({
      metadata: { name: 'example-cluster' },
      spec: { namespaceSelector: { matchLabels: { team: 'a' } } },
    }) as unknown as ClusterBinding;
  const pods = ['a', 'b', 'c'].map((name) => homePod({ phase: 'Pending' }, { name }));
  const reasons = await Promise.all(pods.map((pod) => whyNotRun(state, pod)));
  expect(reasons.map((reason) => reason?.reason)).toEqual(pods.map(() => 'NamespaceNotSelected'));
  expect(world.calls).toEqual(['GET /api/v1/namespaces/shop']);
});

/** A pod whose vnode has room, and that lacks nothing but what `prepare` brings. */
function mayBegin(world: World, prepare: () => Promise<[]>): PodState {
  const record = {
    metadata: { name: 'node1' },
    spec: { nodeName: 'node1' },
    status: { phase: 'Active', allocatable: { pods: '10' } },
  } as unknown as LeasedNode;
  const state = world.stateOf();
  state.context.binding = () => ({ metadata: { name: 'example-cluster' }, spec: {} }) as unknown as ClusterBinding;
  const homePods = new Store();
  homePods.set(homePod({ phase: 'Pending' }));
  Object.assign(state.context.stores, { homePods, records: { byIndex: () => [record] }, vnodes: new Store() });
  return Object.assign(state, {
    admitted: new Set(),
    kept: new Map(),
    room: { changed: () => undefined, used: () => new Map() },
    volumes: { resolve: () => Promise.resolve({ claims: new Map(), missing: [] }) },
    services: () => [],
    carriedPrefixes: () => [],
    network: () => Promise.resolve({ apiServer: FACTS.apiServer, dns: FACTS.dns }),
    phases: { reached: () => undefined },
    dependents: { prepare, tokens: { willAsk: () => true } },
  });
}

/** Both clusters as `world` has them, but whatever is to be made exists already. */
function refuseCreates(kind: string): void {
  const { answer } = server;
  const status = { kind: 'Status', code: 409, reason: 'AlreadyExists', message: `${kind} already exists` };
  server.answer = (request, response) => {
    if (request.method !== 'POST') return answer(request, response);
    response.writeHead(409, { 'content-type': 'application/json' });
    response.end(JSON.stringify(status));
  };
}

test('a worker pod that exists already is taken, and looked at again at once', async () => {
  const world = new World(server);
  const home = homePod({ phase: 'Pending' });
  world.objects = new Map([
    [homePath, home],
    [workerPath, workerPod()],
  ]);
  refuseCreates('pods');
  const state = mayBegin(world, () => Promise.resolve([]));
  const refusals = createRefusals(() => []);
  expect(await createWorker(state, home, refusals)).toEqual({ againInMs: 0 });
  expect(state.created.size).toBe(1);
});

test('a copy that exists already is waited for, ever longer, and the pod says so', async () => {
  const world = new World(server);
  const home = homePod({ phase: 'Pending' });
  world.objects.set(homePath, home);
  refuseCreates('secrets');
  const { mountNamespace } = FACTS;
  const prepare = (): Promise<[]> => state.context.worker.create(Secrets, copy).then(() => []);
  const copy = { metadata: { namespace: mountNamespace, name: 's' } };
  const state = mayBegin(world, prepare);
  let now = 0;
  const refusals = createRefusals(
    () => [],
    () => now,
  );
  for (const pauseMs of [100, 200]) {
    await expect(createWorker(state, home, refusals)).rejects.toThrow('secrets already exists');
    expect(await createWorker(state, home, refusals)).toEqual({ againInMs: pauseMs });
    now += pauseMs;
  }
  expect(JSON.stringify(world.patches.get(`${homePath}/status`))).toContain(
    'the worker cluster refused what the pod needs: secrets already exists',
  );
});
