/** Worker pods that lost the label by which they are watched, against a server of the tests' own. */
import { migratedWorkerName } from '@kubeocean/shared/api';
import { KubeClient, type KubeObject, sleep, Store } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { SyncerContext } from '../context.ts';
import { FACTS, samplePod } from './samples.ts';
import { sweepEvery } from './sweep.ts';
import { toWorkerPod } from './translation/to-worker.ts';
import type { Pod } from './types.ts';

const { bindingName, bindingUID, mountNamespace } = FACTS;
const BINDING = 'kubeocean.io/binding-uid';
const home = samplePod();
const { namespace = '', name } = home.metadata;
const adopted = migratedWorkerName(namespace, name);

let server: TestServer;
/** Lists that were asked for whole. */
let unpaged = 0;
beforeAll(async () => {
  server = await TestServer.start();
});
afterEach(() => server.reset());
afterAll(() => server.stop());

/** A worker pod of {@link home}, with another label than ours, or none. */
function unlabelled(metadata: object = {}, label?: string): Pod {
  const pod = toWorkerPod(home, FACTS);
  const labels: Record<string, string> = label === undefined ? {} : { [BINDING]: label };
  return { ...pod, metadata: { ...pod.metadata, uid: 'worker-uid', labels, ...metadata } };
}

/** Names of the pods that one sweep has labelled, or was refused to. @param known.refused is answered to the first */
async function labelled(
  pods: Pod[],
  known: { homePods?: Pod[]; vnodeOf?: string; refused?: number } = {},
): Promise<string[]> {
  const patched: string[] = [];
  server.answer = (request, response) => {
    request.resume();
    const { pathname, searchParams } = new URL(request.url ?? '', 'https://server');
    // One pod a page, where pages are asked for.
    const at = Number(searchParams.get('continue') ?? 0);
    const isPaged = request.method === 'GET' && searchParams.has('limit');
    const items = isPaged ? pods.slice(at, at + 1) : pods;
    const more = isPaged && at + 1 < pods.length ? { continue: String(at + 1) } : {};
    if (!isPaged && request.method === 'GET') unpaged++;
    if (request.method === 'PATCH') patched.push(pathname.split('/').at(-1) ?? '');
    const code = request.method === 'PATCH' && patched.length === 1 ? (known.refused ?? 200) : 200;
    response.writeHead(code, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ metadata: { name: 'x', resourceVersion: '1', ...more }, items }));
  };
  const stores = { homePods: new Store<KubeObject>(), vnodes: new Store<KubeObject>() };
  for (const pod of known.homePods ?? []) stores.homePods.set(pod);
  const labels = { [BINDING]: known.vnodeOf ?? bindingUID };
  stores.vnodes.set({ metadata: { name: home.spec.nodeName ?? '', labels } });
  const context = {
    bindingName,
    bindingUID,
    mountNamespace,
    worker: new KubeClient(server.transport()),
    stores,
    mayWriteWorker: () => true,
    log: { warn: () => undefined },
  } as unknown as SyncerContext;
  const over = new AbortController();
  const parts = { pods: () => over.abort(), copies: () => undefined };
  await Promise.race([sweepEvery(context, 1, parts, { count: () => undefined }, over.signal), sleep(5000)]);
  return patched;
}

test.each([undefined, '', 'changed'])('a pod under the name that we derive gets its label back: %s', async (label) => {
  const pod = unlabelled({}, label);
  expect(await labelled([pod])).toEqual([pod.metadata.name]);
});

test('one that a webhook guards does not keep the others from theirs', async () => {
  const other = samplePod({}, { name: 'other', uid: 'other' });
  const pods = [unlabelled(), { ...toWorkerPod(other, FACTS), status: {} }];
  expect(await labelled(pods, { refused: 403 })).toEqual(pods.map(({ metadata }) => metadata.name));
});

test('pods of others are never listed all at once: there may be more of them than memory', async () => {
  const other = samplePod({}, { name: 'other', uid: 'other' });
  const pods = [unlabelled(), { ...toWorkerPod(other, FACTS), status: {} }];
  expect(await labelled(pods)).toEqual(pods.map(({ metadata }) => metadata.name));
  expect(unpaged).toBe(0);
});

test('one without our finalizer, or that speaks of another home pod, is left alone', async () => {
  const annotations = { ...unlabelled().metadata.annotations, 'kubeocean.io/virtual-pod-name': 'other' };
  expect(await labelled([unlabelled({ finalizers: [] }), unlabelled({ annotations })])).toEqual([]);
});

describe('one that was adopted, whose name says nothing of the binding', () => {
  const pod = unlabelled({ name: adopted });

  test('gets its label back when its home pod is known, on a vnode of ours', async () => {
    expect(await labelled([pod], { homePods: [home] })).toEqual([adopted]);
  });

  test('is left alone when it is another binding’s, which shares the namespace', async () => {
    const theirs = unlabelled({ name: adopted }, 'another-binding');
    expect(await labelled([theirs])).toEqual([]);
    expect(await labelled([theirs], { homePods: [home], vnodeOf: 'another-binding' })).toEqual([]);
    const namesake = samplePod({}, { uid: 'another' });
    expect(await labelled([theirs], { homePods: [namesake] })).toEqual([]);
  });
});
