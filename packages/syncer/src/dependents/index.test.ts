/** What is done with copies before all pods are known, against a server of the tests' own that answers on demand. */
import { Label } from '@kubeocean/shared/api';
import { KubeClient, type KubeObject, Store } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import type { SyncerContext } from '../context.ts';
import { type Dependents, startDependents } from './index.ts';

const bindingUID = 'b-uid';
const copies = ['held', 'left'];

let server: TestServer;
/** Paths that were listed. */
let listed: string[];
/** Names that were deleted. */
let deleted: string[];
let stop: AbortController;
let running: Dependents | undefined;

beforeAll(async () => {
  server = await TestServer.start();
});
beforeEach(() => {
  listed = [];
  deleted = [];
  running = undefined;
  stop = new AbortController();
  server.answer = (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'https://server');
    if (request.method === 'DELETE') {
      deleted.push(pathname.split('/').at(-1) ?? '');
      response.end('{"metadata":{}}');
    } else if (searchParams.has('watch')) {
      response.flushHeaders();
    } else {
      listed.push(pathname);
      const items = pathname.endsWith('/namespaces/mount/secrets') ? copies.map(copy) : [];
      response.end(JSON.stringify({ metadata: { resourceVersion: '5' }, items }));
    }
  };
});
afterEach(async () => {
  stop.abort();
  await running?.stop();
  server.reset();
});
afterAll(() => server.stop());

function copy(name: string): KubeObject {
  const labels = { [Label.bindingUID]: bindingUID };
  return { metadata: { namespace: 'mount', name, uid: `${name}-uid`, resourceVersion: '4', labels, annotations: {} } };
}

const holder: KubeObject = {
  metadata: { namespace: 'mount', name: 'pod', uid: 'w-uid', resourceVersion: '3' },
  spec: { containers: [], volumes: [{ name: 'v', secret: { secretName: 'held' } }] },
};

function start(stores: object, ready: Promise<unknown>): Promise<Dependents | undefined> {
  const client = new KubeClient(server.transport());
  const context = {
    bindingUID,
    mountNamespace: 'mount',
    home: client,
    worker: client,
    stores,
    log: { info: () => undefined, warn: () => undefined },
    now: () => new Date(),
    mayWriteWorker: () => true,
    confirmWorker: async () => true,
    queue: () => ({}),
  } as unknown as SyncerContext;
  const options = { signal: stop.signal, ready, onAppeared: () => undefined, repairs: { count: () => undefined } };
  return startDependents(context, options);
}

function noPods(): { homePods: Store<KubeObject>; workerPods: Store<KubeObject> } {
  return { homePods: new Store<KubeObject>(), workerPods: new Store<KubeObject>() };
}

test('no copy is taken away before the pods are known that may hold it', async () => {
  const stores = noPods();
  const known = Promise.withResolvers<void>();
  const starting = start(stores, known.promise);
  // Listed at once, beside the pods: both kinds on both sides.
  await vi.waitFor(() => expect(listed).toHaveLength(4), { timeout: 10_000 });
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(deleted).toEqual([]);

  stores.workerPods.replace([holder]);
  known.resolve();
  running = await starting;
  await vi.waitFor(() => expect(deleted).toEqual(['left']), { timeout: 10_000 });
});

test.each([
  ['before the objects are known that are copied', { answers: false }],
  ['before the pods are known', { answers: true }],
])('a start that is called off %s takes nothing away', async (_, { answers }) => {
  const known = Promise.withResolvers<void>();
  const { answer } = server;
  server.answer = (request, response) => (answers ? answer(request, response) : void listed.push(request.url ?? ''));
  const starting = start(noPods(), known.promise);
  await vi.waitFor(() => expect(listed).toHaveLength(4), { timeout: 10_000 });
  stop.abort();
  // As when leadership ends: what is waited for is then over, not known.
  known.resolve();
  running = await starting;
  expect(running).toBeUndefined();
  expect(deleted).toEqual([]);
});

test('a pod that refers to a thousand objects does not ask for all of them at once', async () => {
  running = await start(noPods(), Promise.resolve());
  let underWay = 0;
  let most = 0;
  let asked = 0;
  const { answer } = server;
  server.answer = (request, response) => {
    if (!request.url?.includes('/namespaces/shop/')) return answer(request, response);
    asked++;
    most = Math.max(most, ++underWay);
    return setTimeout(() => {
      underWay--;
      response.statusCode = 404;
      response.end(JSON.stringify({ kind: 'Status', code: 404, reason: 'NotFound' }));
    }, 5);
  };
  const references = Array.from({ length: 100 }, (_, at) => ({ configMapRef: { name: `c${at}` } }));
  const spec = { containers: [{ name: 'main', envFrom: references }], nodeName: 'v' };
  const missing = await running?.prepare({ metadata: { namespace: 'shop', name: 'p', uid: 'u' }, spec });
  expect(missing?.map(({ message }) => message.split(' ')[2])).toEqual(references.map((_, at) => `shop/c${at}`));
  expect([asked, most]).toEqual([100, 4]);
});
