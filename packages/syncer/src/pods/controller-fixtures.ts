/** The pod controller in a world of its own: its stores are real ones, both API servers one of the tests' own. */
import { type LeasedNode, vnodeName, workerName } from '@kubeocean/shared/api';
import { KubeClient, type KubeObject, Store } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import type { SyncerContext } from '../context.ts';
import { createPodController, type PodController } from './controller.ts';
import { createDeletionGuard } from './ending/deletion-guard.ts';
import { FACTS, samplePod } from './samples.ts';
import type { PodState } from './state.ts';
import { THEN } from './status/to-home-fixtures.ts';
import { toWorkerPod } from './translation/to-worker.ts';
import type { Pod } from './types.ts';

const { bindingName, bindingUID, mountNamespace } = FACTS;

export interface ControllerWorld {
  /** What home's API server has, by path. */
  atHome: Map<string, KubeObject>;
  /** `METHOD path` of every write. */
  writes: string[];
  /** The worker does not let pods be deleted. */
  refusesDeletions: boolean;
  /** Reasons of the events. */
  told: string[];
  stores: { homePods: Store<Pod>; workerPods: Store<Pod>; records: Store<LeasedNode>; vnodes: Store<KubeObject> };
  state: PodState;
  controller: PodController;
}

/** For the tests of a file; anew before each. */
export function controllerWorld(): ControllerWorld {
  let server: TestServer;
  const world = {} as ControllerWorld;
  beforeAll(async () => {
    server = await TestServer.start();
  });
  beforeEach(() => {
    Object.assign(world, { atHome: new Map(), writes: [], refusesDeletions: false, told: [], stores: emptyStores() });
    server.answer = (request, response) => {
      const { atHome, writes, refusesDeletions } = world;
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
    world.state = stateOf(world, new KubeClient(server.transport()));
    world.controller = createPodController(world.state);
  });
  afterEach(async () => {
    await world.controller.stop();
    server.reset();
  });
  afterAll(() => server.stop());
  return world;
}

function emptyStores(): ControllerWorld['stores'] {
  return {
    homePods: new Store({ node: ({ spec }) => [spec.nodeName ?? ''] }),
    workerPods: new Store({ adopted: () => [] }),
    records: new Store({ vnode: ({ spec }) => [vnodeName('cls-example', spec.nodeName)] }),
    vnodes: new Store(),
  };
}

function stateOf(world: ControllerWorld, client: KubeClient): PodState {
  const context = {
    bindingName,
    bindingUID,
    clusterID: 'cls-example',
    binding: () => ({ metadata: { name: bindingName }, spec: {} }),
    mountNamespace,
    home: client,
    worker: client,
    settings: { workerScheduleTimeoutSeconds: 300 },
    stores: world.stores,
    log: { info: () => undefined, warn: () => undefined, debug: () => undefined },
    now: () => new Date('2026-01-02T03:04:05Z'),
    leadership: { isCurrent: () => true },
    mayWriteWorker: () => true,
    confirmWorker: () => Promise.resolve(true),
    report: { facts: () => undefined },
    queue: () => ({}),
    homeEvents: { event: (_subject: KubeObject, _type: string, reason: string) => void world.told.push(reason) },
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
    deleted: new Map(),
    released: new Set(),
  } as unknown as PodState;
}

export const pathOf = (name: string) => `/api/v1/namespaces/shop/pods/${name}`;
export const workerPathOf = (name: string) =>
  `/api/v1/namespaces/${mountNamespace}/pods/${workerName(bindingUID, 'shop', name)}`;

/** A pod that runs, known on both sides. */
export function runningIn({ atHome, stores }: ControllerWorld, name: string): { home: Pod; worker: Pod } {
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
