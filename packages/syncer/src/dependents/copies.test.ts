/** One copy at a time, against a server of the tests' own, with stores that tell when the test says so. */
import { Annotation, Label, workerName } from '@kubeocean/shared/api';
import { KubeClient, type KubeObject, Store } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { SyncerContext } from '../context.ts';
import type { Pod } from '../pods/types.ts';
import { type Copies, createCopies, type Kind } from './copies.ts';
import { createHolders } from './holders.ts';
import type { Tokens } from './tokens.ts';
import { createWritten, type Written } from './written.ts';

const bindingUID = 'b-uid';
const copyName = workerName(bindingUID, 'shop', 'conf', 'configmap');
const secretName = workerName(bindingUID, 'shop', 'conf', 'secret');

let server: TestServer;
/** What the servers have, by path. */
let objects: Map<string, KubeObject>;
/** Writes that were asked for, `VERB name`, dry runs apart. */
let writes: string[];
/** Gives the status with which a write is refused. */
let refuse: (method: string, body: KubeObject | undefined) => Record<string, unknown> | undefined;
let revision: number;

beforeAll(async () => {
  server = await TestServer.start();
});
beforeEach(() => {
  objects = new Map();
  writes = [];
  refuse = () => undefined;
  revision = 100;
  server.answer = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { pathname, searchParams } = new URL(request.url ?? '', 'https://server');
      const body = chunks.length > 0 ? (JSON.parse(Buffer.concat(chunks).toString()) as KubeObject) : undefined;
      const { code, answer } = serve(request.method ?? '', pathname, body, searchParams.has('dryRun'));
      response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
    });
  };
});
afterEach(() => server.reset());
afterAll(() => server.stop());

function serve(method: string, path: string, body: KubeObject | undefined, dryRun: boolean) {
  const name = method === 'POST' ? (body?.metadata.name ?? '') : (path.split('/').at(-1) ?? '');
  const key = method === 'POST' ? `${path}/${name}` : path;
  const failed = (code: number, reason: string, more: object = {}) => ({
    code,
    answer: { kind: 'Status', status: 'Failure', code, reason, message: `${reason} of ${name}`, ...more },
  });
  if (method === 'GET') {
    const found = objects.get(key);
    return found ? { code: 200, answer: found } : failed(404, 'NotFound');
  }
  writes.push(`${dryRun ? 'dry ' : ''}${method} ${name}`);
  const refused = refuse(method, body);
  if (refused) return failed(Number(refused['code'] ?? 422), 'Invalid', refused);
  if (method === 'POST' && objects.has(key)) return failed(409, 'AlreadyExists');
  if (method !== 'POST' && !objects.has(key)) return failed(404, 'NotFound');
  const known = objects.get(key);
  if (method === 'DELETE') objects.delete(key);
  else {
    const uid = known?.metadata.uid ?? `uid-${++revision}`;
    objects.set(key, {
      ...body,
      metadata: { ...(body as KubeObject).metadata, uid, resourceVersion: String(++revision) },
    });
  }
  return { code: 200, answer: objects.get(key) ?? known };
}

interface World {
  copies: Copies;
  homePods: Store<KubeObject>;
  workerPods: Store<KubeObject>;
  sources: Record<Kind, Store<KubeObject>>;
  stored: Record<Kind, Store<KubeObject>>;
  written: Record<Kind, Written>;
  told: string[];
}

function world(): World {
  const client = new KubeClient(server.transport());
  const [homePods, workerPods] = [new Store<KubeObject>(), new Store<KubeObject>()];
  const sources = { configmap: new Store<KubeObject>(), secret: new Store<KubeObject>() };
  const stored = { configmap: new Store<KubeObject>(), secret: new Store<KubeObject>() };
  const written = {
    configmap: createWritten(stored.configmap, 'mount'),
    secret: createWritten(stored.secret, 'mount'),
  };
  const holders = createHolders({ homePods, workerPods }, bindingUID, () => undefined);
  const told: string[] = [];
  const context = {
    bindingName: 'example',
    bindingUID,
    mountNamespace: 'mount',
    home: client,
    worker: client,
    stores: { homePods, workerPods },
    log: { info: () => undefined, warn: () => undefined },
    mayWriteWorker: () => true,
    homeEvents: {
      event: (subject: KubeObject, _type: string, reason: string, message: string) =>
        told.push(`${reason} ${String(subject['kind'])} ${subject.metadata.name}: ${message}`),
    },
  } as unknown as SyncerContext;
  const repairs = { count: () => undefined };
  const copies = createCopies({ context, sources, written, holders, tokens: {} as Tokens, repairs });
  return { copies, homePods, workerPods, sources, stored, written, told };
}

/** The object at home as its watch and its server have it. */
function atHome({ sources }: World, version: string, content: Record<string, unknown>, kind: Kind = 'configmap'): void {
  const metadata = { namespace: 'shop', name: 'conf', uid: `${kind}-uid`, resourceVersion: version };
  objects.set(`/api/v1/namespaces/shop/${kind}s/conf`, { metadata, ...content });
  sources[kind].set({ metadata });
}

/** What the worker's server has of the copy. */
function inWorker(kind: Kind = 'configmap'): KubeObject | undefined {
  return objects.get(`/api/v1/namespaces/mount/${kind}s/${kind === 'configmap' ? copyName : secretName}`);
}

function watchTells({ stored }: World, kind: Kind = 'configmap'): void {
  const now = inWorker(kind);
  if (now) stored[kind].set(now);
  else stored[kind].remove(`mount/${kind === 'configmap' ? copyName : secretName}`);
}

function pod(kind: Kind = 'configmap'): Pod {
  const source = kind === 'configmap' ? { configMap: { name: 'conf' } } : { secret: { secretName: 'conf' } };
  return {
    metadata: { namespace: 'shop', name: 'web-0', uid: 'p-uid', resourceVersion: '1' },
    spec: { containers: [], volumes: [{ name: 'v', ...source }] },
  };
}

function runs({ homePods, workerPods }: World, kind: Kind = 'configmap'): void {
  homePods.set(pod(kind));
  const source = kind === 'configmap' ? { configMap: { name: copyName } } : { secret: { secretName } };
  workerPods.set({
    metadata: { namespace: 'mount', name: 'w', uid: 'w-uid', resourceVersion: '2' },
    spec: { containers: [], volumes: [{ name: 'v', ...source }] },
  });
}

test.each([
  ['an admission policy, which answers 422', { code: 422, message: "ValidatingAdmissionPolicy 'own' denied request" }],
  ['a webhook', { code: 403, message: 'admission webhook "own" denied the request' }],
  ['a webhook that does not answer', { code: 500, message: 'failed calling webhook "own"' }],
])('a change that is refused by %s leaves the copy as it is, and its users are told once', async (_by, status) => {
  const w = world();
  atHome(w, '1', { data: { MODE: 'old' } });
  runs(w);
  await w.copies.ensure('configmap', 'shop', 'conf');
  watchTells(w);
  refuse = (_method, body) => (body && JSON.stringify(body).includes('new') ? status : undefined);
  atHome(w, '2', { data: { MODE: 'new' } });
  writes = [];
  for (let n = 0; n < 2; n++)
    await expect(w.copies.sync(`configmap/${copyName}`)).rejects.toMatchObject({ code: status.code });
  expect(writes.every((each) => each.startsWith('PUT'))).toBe(true);
  expect(inWorker()).toMatchObject({ data: { MODE: 'old' } });
  expect(w.told).toEqual([
    expect.stringMatching(
      /^FailedUpdate Pod web-0: the ConfigMap conf was changed, but the worker cluster keeps what it had: .*own/,
    ),
    expect.stringMatching(
      /^FailedUpdate ConfigMap conf: pods on vnodes of the ClusterBinding example keep what it said before/,
    ),
  ]);
  // Refused for another reason, then taken.
  refuse = () => undefined;
  await w.copies.sync(`configmap/${copyName}`);
  expect(inWorker()).toMatchObject({ data: { MODE: 'new' } });
});

test('what the worker never took is not told as a change that it does not take', async () => {
  const w = world();
  atHome(w, '1', { data: { MODE: 'new' } });
  runs(w);
  refuse = () => ({ code: 403, message: 'exceeded quota: count/configmaps' });
  await expect(w.copies.sync(`configmap/${copyName}`)).rejects.toMatchObject({ code: 403 });
  expect(w.told).toEqual([
    'FailedDependency Pod web-0: the worker cluster does not take the ConfigMap conf, and the pod goes on without it: exceeded quota: count/configmaps',
    'FailedDependency ConfigMap conf: pods on vnodes of the ClusterBinding example go on without it, because the worker cluster does not take it: exceeded quota: count/configmaps',
  ]);
});

test('a Secret of another type takes the place of its predecessor, once it is sure to be taken', async () => {
  const w = world();
  atHome(w, '1', { type: 'Opaque', data: {} }, 'secret');
  runs(w, 'secret');
  await w.copies.ensure('secret', 'shop', 'conf');
  watchTells(w, 'secret');
  const immutable = { details: { causes: [{ field: 'type', message: 'Invalid value: "x": field is immutable' }] } };
  let taken = false;
  refuse = (method, body) => {
    if (method === 'PUT') return immutable;
    return method === 'POST' && !taken && body?.['type'] === 'kubernetes.io/tls'
      ? { details: { causes: [] } }
      : undefined;
  };
  atHome(w, '2', { type: 'kubernetes.io/tls', data: {} }, 'secret');
  writes = [];
  await expect(w.copies.sync(`secret/${secretName}`)).rejects.toMatchObject({ code: 422 });
  expect(writes).toEqual([`PUT ${secretName}`, `dry POST ${secretName}`]);
  expect(inWorker('secret')).toMatchObject({ type: 'Opaque' });
  taken = true;
  writes = [];
  await w.copies.sync(`secret/${secretName}`);
  expect(writes).toEqual([`PUT ${secretName}`, `dry POST ${secretName}`, `DELETE ${secretName}`, `POST ${secretName}`]);
  expect(inWorker('secret')).toMatchObject({ type: 'kubernetes.io/tls' });
});

test('a copy that was just removed is made anew for the next pod, though the watch has not told yet', async () => {
  const w = world();
  atHome(w, '1', { data: { MODE: 'x' } });
  await w.copies.ensure('configmap', 'shop', 'conf');
  watchTells(w);
  // Nobody has it.
  await w.copies.sync(`configmap/${copyName}`);
  expect(inWorker()).toBeUndefined();
  expect(w.written.configmap.latest(copyName)).toBeUndefined();
  w.homePods.set(pod());
  expect(await w.copies.ensure('configmap', 'shop', 'conf')).toBeUndefined();
  expect(inWorker()).toMatchObject({ data: { MODE: 'x' } });
  // The watch comes after: first the deletion, then the new one.
  w.stored.configmap.remove(`mount/${copyName}`);
  watchTells(w);
  expect(w.written.configmap.latest(copyName)?.metadata.uid).toBe(inWorker()?.metadata.uid);
  expect(writes.filter((each) => each.startsWith('POST'))).toHaveLength(2);
});

test('a change that comes while the pod is on its way is not lost; a pod that is not run gets no copy', async () => {
  const w = world();
  atHome(w, '1', { data: { MODE: 'v1' } });
  w.homePods.set(pod());
  await w.copies.sync(`configmap/${copyName}`);
  expect(writes).toEqual([]);
  const making = w.copies.ensure('configmap', 'shop', 'conf');
  // Before the answer to our creation is here.
  await Promise.all([making, w.copies.sync(`configmap/${copyName}`)]);
  atHome(w, '2', { data: { MODE: 'v2' } });
  await w.copies.sync(`configmap/${copyName}`);
  expect(inWorker()).toMatchObject({ data: { MODE: 'v2' }, metadata: { labels: { [Label.bindingUID]: bindingUID } } });
  expect(inWorker()?.metadata.annotations?.[Annotation.sourceVersion]).toBe('configmap-uid/2');
});
