/** How the pod controller ends pods: its stores are real ones, both API servers one of the tests' own. */
import { labelValue, type LeasedNode, vnodeName, workerName } from '@kubeocean/shared/api';
import { KubeClient, type KubeObject, Store } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import type { SyncerContext } from '../context.ts';
import { createPodController, type PodController } from './controller.ts';
import { createDeletionGuard } from './deletion-guard.ts';
import { FACTS, samplePod } from './samples.ts';
import type { PodState } from './state.ts';
import { THEN } from './to-home-fixtures.ts';
import { toWorkerPod } from './to-worker.ts';
import type { Pod } from './types.ts';

const { bindingName, bindingUID, mountNamespace } = FACTS;
const COUNT = 30;
let server: TestServer;
/** What home's API server has, by path. */
let atHome: Map<string, KubeObject>;
/** `METHOD path` of every write. */
let writes: string[];
let refusesDeletions: boolean;
let told: string[];
let stores: { homePods: Store<Pod>; workerPods: Store<Pod> };
let state: PodState;
let controller: PodController;

beforeAll(async () => {
  server = await TestServer.start();
});
beforeEach(() => {
  atHome = new Map();
  writes = [];
  refusesDeletions = false;
  told = [];
  server.answer = (request, response) => {
    const { pathname } = new URL(request.url ?? '', 'https://server');
    request.resume();
    if (request.method !== 'GET') writes.push(`${request.method} ${pathname}`);
    const isRefused = refusesDeletions && request.method === 'DELETE' && pathname.includes(mountNamespace);
    const found = request.method === 'GET' ? atHome.get(pathname) : { metadata: { name: 'x', resourceVersion: '9' } };
    const code = isRefused ? 403 : found ? 200 : 404;
    const failure = { kind: 'Status', code, reason: isRefused ? 'Forbidden' : 'NotFound', message: 'no' };
    response.writeHead(code, { 'content-type': 'application/json' });
    response.end(JSON.stringify(code === 200 ? found : failure));
  };
  state = stateOf();
  controller = createPodController(state);
});
afterEach(async () => {
  await controller.stop();
  server.reset();
});
afterAll(() => server.stop());

function stateOf(): PodState {
  const client = new KubeClient(server.transport());
  const records = new Store<LeasedNode>({ vnode: ({ spec }) => [vnodeName('cls-example', spec.nodeName)] });
  stores = {
    homePods: new Store({ node: ({ spec }) => [spec.nodeName ?? ''] }),
    workerPods: new Store({ adopted: () => [] }),
  };
  const context = {
    bindingName,
    bindingUID,
    clusterID: 'cls-example',
    binding: () => ({ metadata: { name: bindingName }, spec: {} }),
    mountNamespace,
    home: client,
    worker: client,
    settings: { workerScheduleTimeoutSeconds: 300 },
    stores: { ...stores, records, vnodes: new Store() },
    log: { info: () => undefined, warn: () => undefined, debug: () => undefined },
    now: () => new Date('2026-01-02T03:04:05Z'),
    leadership: { isCurrent: () => true },
    mayWriteWorker: () => true,
    confirmWorker: () => Promise.resolve(true),
    report: { facts: () => undefined },
    queue: (name: string) => ({ name }),
    homeEvents: { event: (_subject: KubeObject, _type: string, reason: string) => void told.push(reason) },
  } as unknown as SyncerContext;
  const guard = createDeletionGuard({
    population: () => 0,
    approval: () => undefined,
    clock: () => 0,
    token: () => 't',
    onChange: () => undefined,
  });
  const nothing = () => undefined;
  return {
    context,
    guard,
    carriedPrefixes: () => [],
    dependents: { lacks: () => false, tokens: { follow: nothing } },
    room: { changed: nothing },
    phases: { forget: nothing, reached: nothing, seen: nothing },
    repairs: { count: nothing },
    admitted: new Set(),
    created: new Map(),
    released: new Set(),
    orphans: new Set(),
  } as unknown as PodState;
}

const pathOf = (name: string) => `/api/v1/namespaces/shop/pods/${name}`;
const workerPathOf = (name: string) =>
  `/api/v1/namespaces/${mountNamespace}/pods/${workerName(bindingUID, 'shop', name)}`;

/** A pod that runs, known on both sides. */
function running(name: string): { home: Pod; worker: Pod } {
  const home = samplePod({ terminationGracePeriodSeconds: 30 }, { name, uid: `uid-${name}`, resourceVersion: '1' });
  home.status = { phase: 'Running', startTime: THEN };
  const made = toWorkerPod(home, FACTS);
  const metadata = { ...made.metadata, uid: `worker-${name}`, resourceVersion: '1' };
  const worker: Pod = { ...made, metadata, status: { phase: 'Running', startTime: THEN } };
  worker.spec.nodeName = 'node1';
  atHome.set(pathOf(name), home);
  stores.homePods.set(home);
  stores.workerPods.set(worker);
  return { home, worker };
}

const deleted = () => writes.filter((write) => write.startsWith('DELETE')).length;

test('pods that users delete at once, finished ones or without grace, are not counted', async () => {
  const pods = Array.from({ length: COUNT }, (_, at) => running(`p${at}`).home);
  controller.start();
  for (const pod of pods) {
    atHome.delete(pathOf(pod.metadata.name));
    const marked = { ...pod, metadata: { ...pod.metadata, deletionTimestamp: THEN, deletionGracePeriodSeconds: 0 } };
    stores.homePods.remove(`shop/${pod.metadata.name}`, marked);
  }
  await vi.waitFor(() => expect(deleted()).toBe(COUNT), 5000);
  expect(state.guard.state()).toEqual({ stopped: false });
});

test('pods that home suddenly has not got any more are', async () => {
  for (let at = 0; at < COUNT; at++) running(`p${at}`);
  controller.start();
  atHome.clear();
  stores.homePods.replace([]);
  await vi.waitFor(() => expect(state.guard.state()).toMatchObject({ stopped: true, waiting: COUNT - 20 }), 5000);
  expect(deleted()).toBe(20);
});

test('a pod that home has put on another vnode does not go on here', async () => {
  const { home } = running('web');
  const moved: Pod = { ...home, spec: { ...home.spec, nodeName: 'vnode-cls-example-node2' } };
  atHome.set(pathOf('web'), moved);
  stores.homePods.set(moved);
  controller.start();
  await vi.waitFor(() => expect(writes).toContain(`DELETE ${workerPathOf('web')}`), 5000);
  expect(writes.filter((write) => write.includes('/status'))).toEqual([]);
});

test('a pod whose deletion the worker refuses is told of, and its status goes on', async () => {
  refusesDeletions = true;
  const { home, worker } = running('web');
  const leaving: Pod = {
    ...home,
    metadata: { ...home.metadata, deletionTimestamp: THEN, deletionGracePeriodSeconds: 30, resourceVersion: '2' },
  };
  stores.homePods.set(leaving);
  const status = { ...worker.status, containerStatuses: [{ name: 'main', restartCount: 3 }] };
  stores.workerPods.set({ ...worker, status });
  controller.start();
  await vi.waitFor(() => expect(writes).toContain(`PATCH ${pathOf('web')}/status`), 5000);
  expect(writes[0]).toBe(`DELETE ${workerPathOf('web')}`);
  expect(told).toEqual(['FailedDelete']);
});

test('pods that seemed lost and end otherwise need not be approved any more', async () => {
  const pods = Array.from({ length: COUNT }, (_, at) => running(`p${at}`).home);
  const vnode = { metadata: { name: 'vnode-cls-example-node1', labels: { 'kubeocean.io/binding-uid': bindingUID } } };
  (state.context.stores.vnodes as Store<KubeObject>).set(vnode);
  stores.workerPods.replace([]);
  controller.start();
  await vi.waitFor(() => expect(state.guard.state()).toMatchObject({ stopped: true, waiting: COUNT - 20 }), 5000);
  for (const pod of pods) {
    const { metadata } = pod;
    stores.homePods.set({ ...pod, metadata: { ...metadata, resourceVersion: '2' }, status: { phase: 'Failed' } });
  }
  await vi.waitFor(() => expect(state.guard.state()).toEqual({ stopped: false }), 5000);
});

test('a pod that waits for its predecessor’s worker pod, which the guard holds, goes when it is deleted', async () => {
  const { home } = running('web');
  for (let at = 0; at < 20; at++) state.guard.allow(`other-${at}`);
  const metadata = { ...home.metadata, uid: 'next', deletionTimestamp: THEN, deletionGracePeriodSeconds: 30 };
  const next: Pod = { ...home, metadata, status: { phase: 'Pending' } };
  atHome.set(pathOf('web'), next);
  stores.homePods.set(next);
  controller.start();
  await vi.waitFor(() => expect(writes).toEqual([`DELETE ${pathOf('web')}`]), 5000);
});

test.each(['node1', 'x'.repeat(70)])(
  'a pod that waits for a lease is told at once that it closes: %s',
  async (node) => {
    const nodeName = vnodeName('cls-example', node);
    const waiting: Pod = {
      ...samplePod({ nodeName }, { name: 'web', resourceVersion: '1' }),
      status: { phase: 'Pending' },
    };
    const labels = { 'kubeocean.io/binding-uid': bindingUID, 'kubeocean.io/physical-node-name': labelValue(node) };
    (state.context.stores.vnodes as Store<KubeObject>).set({ metadata: { name: nodeName, labels } });
    atHome.set(pathOf('web'), waiting);
    stores.homePods.set(waiting);
    const looked = vi.spyOn(state.phases, 'seen');
    controller.start();
    await vi.waitFor(() => expect(looked).toHaveBeenCalled(), 5000);
    const record = { metadata: { name: 'r', uid: 'r' }, spec: { nodeName: node }, status: { phase: 'Closing' } };
    (state.context.stores.records as Store<LeasedNode>).set(record as LeasedNode);
    await vi.waitFor(() => expect(told).toEqual(['LeaseClosed']), 5000);
    expect(writes).toEqual([`PATCH ${pathOf('web')}/status`]);
  },
);
