/** Which pods that were never run are made, which fail, and which are left as they are, against a server of the tests' own. */
import { Annotation, type ClusterBinding, type LeasedNode, migratedWorkerName } from '@kubeocean/shared/api';
import { ApiError, Store } from '@kubeocean/shared/kube';
import { parseResources, type Resources } from '@kubeocean/shared/lease';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createWorker } from './creation.ts';
import { homePath, homePod, workerPath, workerPod, World } from '../ending/ending-fixtures.ts';
import { WritesHeld } from '../../gate.ts';
import { createRefusals } from './refusals.ts';
import { FACTS } from '../samples.ts';
import type { PodState } from '../state.ts';
import { THEN } from '../status/to-home-fixtures.ts';
import type { Pod } from '../types.ts';

let server: TestServer;
let world: World;
let state: PodState;
let record: LeasedNode;
/** What others take of the vnode, each time it is asked about; the last one stays. */
let taken: Resources[];
let willAsk: boolean;
/** What the pod needs and is not there. */
let missing: { message: string; absent: boolean }[];

const POST = `POST ${workerPath.slice(0, workerPath.lastIndexOf('/'))}`;
const NOTHING = parseResources({});
const ALL = parseResources({ pods: '10' });
const waiting = (metadata: object = {}) => homePod({ phase: 'Pending' }, metadata);

beforeAll(async () => {
  server = await TestServer.start();
});
beforeEach(() => {
  world = new World(server);
  const { answer } = server;
  server.answer = (request, response) => {
    if (request.method !== 'POST') return answer(request, response);
    world.calls.push(`POST ${request.url?.split('?')[0]}`);
    const known = world.objects.get(workerPath);
    const status = { kind: 'Status', code: 409, reason: 'AlreadyExists', message: 'pods already exists' };
    response.writeHead(known ? 409 : 201, { 'content-type': 'application/json' });
    response.end(JSON.stringify(known ? status : workerPod()));
  };
  record = {
    metadata: { name: 'node1' },
    spec: { nodeName: 'node1' },
    status: { phase: 'Active', allocatable: { pods: '10' } },
  } as unknown as LeasedNode;
  [taken, willAsk, missing] = [[NOTHING], true, []];
  state = world.stateOf();
  state.context.binding = () => ({ metadata: { name: 'example-cluster' }, spec: {} }) as unknown as ClusterBinding;
  Object.assign(state.context.stores, { records: { byIndex: () => [record] }, vnodes: new Store() });
  Object.assign(state, {
    admitted: new Set(),
    kept: new Map(),
    room: { changed: () => undefined, used: () => (taken.length > 1 ? taken.shift() : taken[0]) },
    volumes: { resolve: () => Promise.resolve({ claims: new Map(), missing: [] }) },
    services: () => [],
    carriedPrefixes: () => [],
    network: () => Promise.resolve({ apiServer: FACTS.apiServer, dns: FACTS.dns }),
    networkPolicies: { made: () => undefined },
    phases: { reached: () => undefined },
    dependents: { prepare: () => Promise.resolve(missing), tokens: { willAsk: () => willAsk } },
  });
});
afterEach(() => server.reset());
afterAll(() => server.stop());

/** Does something else as well whenever a method is called. */
function wrap<T extends object>(object: T, method: keyof T, also: () => void): void {
  const before = object[method] as (...given: unknown[]) => unknown;
  Object.assign(object, { [method]: (...given: unknown[]) => (also(), before(...given)) });
}

const create = (stored = waiting()) => {
  homePods().set(stored);
  return createWorker(
    state,
    stored,
    createRefusals(() => []),
  );
};
const homePods = () => state.context.stores.homePods as Store<Pod>;
const failed = () => world.patches.get(`${homePath}/status`)?.['status'];

describe('a pod that may run', () => {
  test('is made, counts from then on, and is known although the watch has not told of it', async () => {
    expect(await create()).toBeUndefined();
    expect(world.calls).toEqual([POST]);
    expect([...state.admitted]).toEqual([homePod().metadata.uid]);
    expect([...state.created.values()].map(({ pod }) => pod.metadata.uid)).toEqual(['worker-uid']);
    expect(world.told).toEqual([]);
  });

  test.each<[string, () => void]>([
    ['was let in before', () => state.admitted.add(homePod().metadata.uid ?? '')],
    ['needs no token', () => (willAsk = false)],
  ])('is looked up at home first when it %s', async (_, setup) => {
    setup();
    world.objects.set(homePath, waiting());
    await create();
    expect(world.calls).toEqual([`GET ${homePath}`, POST]);
  });

  test.each<[string, Pod | undefined]>([
    ['is gone', undefined],
    ['is another', waiting({ uid: 'another' })],
    ['is being deleted', waiting({ deletionTimestamp: THEN })],
    ['has ended', homePod({ phase: 'Failed' })],
    ['was shown to run', homePod()],
  ])('is left as it is when at home it %s by now', async (_, now) => {
    willAsk = false;
    if (now) world.objects.set(homePath, now);
    for (const phase of ['Active', 'Closed'] as const) {
      record.status = { ...record.status, phase };
      expect(await create()).toBeUndefined();
    }
    state.context.binding = () =>
      ({ metadata: { name: 'example-cluster', deletionTimestamp: THEN }, spec: {} }) as unknown as ClusterBinding;
    expect(await create()).toBeUndefined();
    expect([world.writes(), world.told]).toEqual([[], []]);
  });

  test.each<[string, () => void]>([
    ['no lease is known', () => Object.assign(state.context.stores, { records: { byIndex: () => [] } })],
    ['its lease says nothing yet', () => delete record.status],
  ])('waits while %s, and nobody is asked', async (_, setup) => {
    setup();
    expect(await create()).toBeUndefined();
    expect(world.calls).toEqual([]);
  });

  test('is not asked about either while writes to the worker are held', async () => {
    willAsk = false;
    state.context.mayWriteWorker = () => false;
    await expect(create()).rejects.toThrow(WritesHeld);
    expect(world.calls).toEqual([]);
  });

  test.each<[string, (lose: () => void) => void, string[]]>([
    ['its volumes were looked up', (lose) => wrap(state.volumes, 'resolve', lose), []],
    ['its copies were made', (lose) => wrap(state.dependents, 'prepare', lose), ['prepare']],
  ])('is not made by a syncer that may write no more once %s', async (_, setup, prepared) => {
    const done: string[] = [];
    wrap(state.dependents, 'prepare', () => done.push('prepare'));
    setup(() => void (state.context.mayWriteWorker = () => false));
    await expect(create()).rejects.toThrow(WritesHeld);
    expect([world.writes(), done]).toEqual([[], prepared]);
  });

  test.each<[string, () => void]>([
    ['is deleted', () => homePods().set(waiting({ deletionTimestamp: THEN }))],
    ['is gone', () => homePods().remove('shop/web-5d9c7b-abcde')],
    ['is another', () => homePods().set(waiting({ uid: 'another' }))],
    ['has ended', () => homePods().set(homePod({ phase: 'Failed' }))],
  ])('is not made when home’s watch tells meanwhile that it %s', async (_, happens) => {
    const done: string[] = [];
    wrap(state.dependents, 'prepare', () => done.push('prepare'));
    wrap(state.dependents, 'prepare', happens);
    expect(await create()).toBeUndefined();
    state.admitted.clear();
    // While its volumes were looked up: then it gets no copies either, which nobody would need.
    wrap(state.volumes, 'resolve', happens);
    expect(await create()).toBeUndefined();
    expect([done, world.writes(), world.told]).toEqual([['prepare'], [], []]);
  });

  test('waits for what must not be brought, and says so; what does not exist yet is waited for there', async () => {
    missing = [{ message: 'the Secret s never leaves', absent: false }];
    expect(await create()).toEqual({ againInMs: expect.any(Number) as number });
    expect(world.writes()).toEqual([`PATCH ${homePath}/status`]);
    expect(world.told).toEqual(['Warning FailedDependency']);
    world.calls = [];
    missing = [{ message: 'the Secret s does not exist', absent: true }];
    willAsk = true;
    state.admitted.clear();
    await create();
    expect(world.writes()).toEqual([POST]);
  });

  test('is not made without its volumes', async () => {
    state.volumes.resolve = () => Promise.resolve({ claims: new Map(), missing: ['the claim data has no volume'] });
    expect(await create()).toEqual({ againInMs: expect.any(Number) as number });
    expect(world.writes()).toEqual([`PATCH ${homePath}/status`]);
    expect(world.words).toEqual([expect.stringContaining('the claim data has no volume')]);
  });

  test('that went at home while its token was asked for is not told of', async () => {
    const gone = { code: 404, message: 'not found', details: { kind: 'pods' } };
    const path = '/api/v1/namespaces/shop/serviceaccounts/default/token';
    state.dependents.prepare = () => Promise.reject(new ApiError(404, gone, 'POST', path));
    expect(await create()).toEqual({ againInMs: 1000 });
    expect([world.writes(), world.told]).toEqual([[], []]);
  });

  test('that gocrane/kubeocean ran already is not run twice', async () => {
    willAsk = false;
    const name = migratedWorkerName('shop', 'web-5d9c7b-abcde');
    const home = waiting({ annotations: { [Annotation.physicalPodName]: name } });
    world.objects.set(homePath, home);
    world.objects.set(workerPath.replace(/[^/]+$/, name), workerPod({ name }));
    expect(await create(home)).toEqual({ againInMs: 0 });
    expect(world.writes()).toEqual([]);
  });
});

test('a pod that cannot be carried is not run, says why, and takes no room', async () => {
  const home = waiting();
  home.spec.resourceClaims = [{ name: 'gpu' }];
  expect(await create(home)).toBeUndefined();
  expect(world.writes()).toEqual([`PATCH ${homePath}/status`]);
  expect(failed()).toMatchObject({ reason: 'NotRun', message: expect.stringContaining('resource claims') as string });
  expect([world.told, state.admitted.size]).toEqual([['Warning NotRun'], 0]);
});

describe('a pod that must not begin', () => {
  const closing = () => void (record.status = { ...record.status, phase: 'Closing' });
  const unbinding = () =>
    void (state.context.binding = () =>
      ({ metadata: { name: 'example-cluster', deletionTimestamp: THEN }, spec: {} }) as unknown as ClusterBinding);
  const full = () => void (taken = [ALL]);
  const filledMeanwhile = () => void ([taken, willAsk] = [[NOTHING, ALL], false]);

  test.each<[string, () => void, string, boolean]>([
    ['the lease ends', closing, 'LeaseClosed', true],
    ['the binding ends', unbinding, 'LeaseClosed', true],
    ['there is no room', full, 'OutOfpods', false],
    ['the room went while home was asked', filledMeanwhile, 'OutOfpods', false],
  ])('fails when %s, once the worker has said that it has none', async (_, setup, reason, isDisruption) => {
    setup();
    world.objects.set(homePath, waiting());
    await create();
    expect(world.calls).toEqual([`GET ${homePath}`, `GET ${workerPath}`, `PATCH ${homePath}/status`]);
    const condition = { type: 'DisruptionTarget', status: 'True', reason };
    expect(failed()).toMatchObject({ phase: 'Failed', reason, ...(isDisruption && { conditions: [condition] }) });
    expect((failed() as { conditions?: object }).conditions !== undefined).toBe(isDisruption);
    expect([world.told, state.admitted.size]).toEqual([[`Warning ${reason}`], 0]);
  });

  test('does not fail when the worker has it, which the watch has yet to tell', async () => {
    closing();
    world.objects.set(homePath, waiting());
    world.objects.set(workerPath, workerPod());
    expect(await create()).toEqual({ againInMs: 0 });
    expect(world.writes()).toEqual([]);
    expect(state.created.size).toBe(1);
  });

  test('fails also while nothing may be written to the worker', async () => {
    closing();
    world.objects.set(homePath, waiting());
    state.context.mayWriteWorker = () => false;
    await create();
    expect(failed()).toMatchObject({ phase: 'Failed', reason: 'LeaseClosed' });
  });

  test('does not fail on the word of another cluster', async () => {
    closing();
    world.objects.set(homePath, waiting());
    state.context.confirmWorker = () => Promise.resolve(false);
    await expect(create()).rejects.toThrow(WritesHeld);
    expect(world.writes()).toEqual([]);
  });
});

test('a pod of the worker’s owner in the place of the counterpart is left alone, and told', async () => {
  world.objects.set(workerPath, workerPod({ labels: {} }));
  expect(await create()).toEqual({ againInMs: 60_000 });
  expect([world.writes(), world.told]).toEqual([[POST], ['Warning NameTaken']]);
  expect(state.created.size).toBe(0);
});
