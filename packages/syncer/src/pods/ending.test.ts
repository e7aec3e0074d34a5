/** Ends that nobody asked for, against a server of the tests' own. */
import { Annotation, workerName } from '@kubeocean/shared/api';
import { KubeClient, type KubeObject, Store } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { SyncerContext } from '../context.ts';
import { createDeletionGuard, type DeletionGuard } from './deletion-guard.ts';
import { lost, orphan } from './ending.ts';
import { WritesHeld } from './gate.ts';
import { FACTS, samplePod } from './samples.ts';
import type { PodState } from './state.ts';
import { THEN } from './to-home-fixtures.ts';
import { toWorkerPod } from './to-worker.ts';
import type { Pod, PodStatus } from './types.ts';

const { bindingUID, mountNamespace } = FACTS;
const homeKey = 'shop/web-5d9c7b-abcde';
const homePath = '/api/v1/namespaces/shop/pods/web-5d9c7b-abcde';
const workerPath = `/api/v1/namespaces/${mountNamespace}/pods/${workerName(bindingUID, 'shop', 'web-5d9c7b-abcde')}`;

let server: TestServer;
/** What the servers of both clusters have, by path. */
let objects: Map<string, KubeObject>;
/** `METHOD path` of every call. */
let calls: string[];
/** Bodies of the patches, by path. */
let patches: Map<string, KubeObject>;
let told: string[];

beforeAll(async () => {
  server = await TestServer.start();
});
beforeEach(() => {
  objects = new Map();
  calls = [];
  patches = new Map();
  told = [];
  server.answer = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { pathname } = new URL(request.url ?? '', 'https://server');
      calls.push(`${request.method} ${pathname}`);
      if (request.method === 'PATCH') {
        patches.set(pathname, JSON.parse(Buffer.concat(chunks).toString()) as KubeObject);
      }
      const found = objects.get(pathname.replace(/\/status$/, ''));
      response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' });
      response.end(JSON.stringify(found ?? { kind: 'Status', code: 404, reason: 'NotFound', message: 'not found' }));
    });
  };
});
afterEach(() => server.reset());
afterAll(() => server.stop());

const writes = () => calls.filter((call) => !call.startsWith('GET'));

/** One that lets so many go. */
function guard(left: number): DeletionGuard {
  const made = createDeletionGuard({
    population: () => 0,
    approval: () => undefined,
    clock: () => 0,
    token: () => 't',
    onChange: () => undefined,
  });
  for (let gone = left; gone < 20; gone++) made.allow(`other-${gone}`);
  return made;
}

function stateOf(left = 20, ours = true): PodState {
  const client = new KubeClient(server.transport());
  const context = {
    bindingUID,
    mountNamespace,
    home: client,
    worker: client,
    stores: { homePods: new Store(), workerPods: new Store({ adopted: () => [] }) },
    log: { info: () => undefined, warn: () => undefined, debug: () => undefined },
    now: () => new Date('2026-01-02T03:04:05Z'),
    leadership: { isCurrent: () => true },
    mayWriteWorker: () => true,
    confirmWorker: () => Promise.resolve(ours),
    homeEvents: { event: (_subject: KubeObject, type: string, reason: string) => void told.push(`${type} ${reason}`) },
  } as unknown as SyncerContext;
  return {
    context,
    guard: guard(left),
    created: new Map(),
    released: new Set(),
    orphans: new Set(),
    room: { changed: () => undefined },
    repairs: { count: () => undefined },
  } as unknown as PodState;
}

function homePod(status: PodStatus = { phase: 'Running', startTime: THEN }, metadata: object = {}): Pod {
  return { ...samplePod({}, { ...metadata }), status };
}

function workerPod(metadata: object = {}): Pod {
  const pod = toWorkerPod(homePod(), FACTS);
  return { ...pod, metadata: { ...pod.metadata, uid: 'worker-uid', ...metadata }, status: { phase: 'Running' } };
}

describe('a pod that ran, and whose worker pod is gone', () => {
  test('fails, and home is told', async () => {
    objects.set(homePath, homePod());
    expect(await lost(stateOf(), homePod())).toBeUndefined();
    expect(writes()).toEqual([`PATCH ${homePath}/status`]);
    expect(patches.get(`${homePath}/status`)).toMatchObject({
      metadata: { uid: homePod().metadata.uid },
      status: { phase: 'Failed', reason: 'WorkerPodLost' },
    });
    expect(told).toEqual(['Warning WorkerPodLost']);
  });

  test('is left as it is while too many are gone at once, and nobody is asked again about it', async () => {
    objects.set(homePath, homePod());
    const state = stateOf(0);
    expect(await lost(state, homePod())).toEqual({ againInMs: expect.any(Number) as number });
    expect([writes(), told]).toEqual([[], []]);
    calls = [];
    expect(await lost(state, homePod())).toEqual({ againInMs: expect.any(Number) as number });
    expect(calls).toEqual([]);
  });

  test('is left as it is when the worker is not the cluster that we know', async () => {
    objects.set(homePath, homePod());
    await expect(lost(stateOf(20, false), homePod())).rejects.toThrow(WritesHeld);
    expect(writes()).toEqual([]);
  });

  test('is left as it is when the worker’s API server has it, which the watch has yet to tell', async () => {
    objects.set(homePath, homePod());
    objects.set(workerPath, workerPod());
    const state = stateOf();
    expect(await lost(state, homePod())).toEqual({ againInMs: 500 });
    expect(writes()).toEqual([]);
    expect([...state.created.values()].map(({ pod }) => pod.metadata.uid)).toEqual(['worker-uid']);
  });

  test.each<[string, Pod | undefined]>([
    ['is gone', undefined],
    ['is another', homePod({ phase: 'Running', startTime: THEN }, { uid: 'another' })],
    ['has ended', homePod({ phase: 'Succeeded', startTime: THEN })],
    ['is being deleted', homePod({ phase: 'Running', startTime: THEN }, { deletionTimestamp: THEN })],
    ['was never shown to run', homePod({ phase: 'Pending' })],
  ])('is left as it is when at home it %s by now', async (_, now) => {
    if (now) objects.set(homePath, now);
    expect(await lost(stateOf(0), homePod())).toBeUndefined();
    expect(writes()).toEqual([]);
  });
});

describe('a worker pod without a home pod', () => {
  const gone = [`DELETE ${workerPath}`, `PATCH ${workerPath}`];

  test.each<[string, Pod | undefined, string[]]>([
    ['goes', undefined, gone],
    ['goes when another has its name by now', homePod({}, { uid: 'another' }), gone],
    ['stays when home has it, which the watch has yet to tell', homePod(), []],
  ])('%s', async (_, home, expected) => {
    objects.set(workerPath, workerPod());
    if (home) objects.set(homePath, home);
    const state = stateOf();
    await orphan(state, homeKey, workerPod());
    expect(writes()).toEqual(expected);
    expect(state.orphans.has('worker-uid')).toBe(expected.length > 0);
  });

  test('stays while too many go at once', async () => {
    objects.set(workerPath, workerPod());
    const state = stateOf(0);
    expect(await orphan(state, homeKey, workerPod())).toEqual({ againInMs: expect.any(Number) as number });
    calls = [];
    await orphan(state, homeKey, workerPod());
    expect(calls).toEqual([]);
  });

  test('stays when it says that it is of another home pod than its name does', async () => {
    const annotations = { ...workerPod().metadata.annotations, [Annotation.virtualPodName]: 'other' };
    expect(await orphan(stateOf(), homeKey, workerPod({ annotations }))).toBeUndefined();
    expect(calls).toEqual([]);
  });
});
