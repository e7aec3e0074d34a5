/** Events of the worker on their way home, with a server of each cluster. */
import { Annotation, Label, workerName } from '@kubeocean/shared/api';
import { Events, KubeClient, type KubeObject, Store } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { SyncerContext } from '../../context.ts';
import { Peer } from '../../volumes/peer.ts';
import { startWorkerEvents } from './worker-events.ts';

let home: Peer;
let worker: Peer;
beforeAll(async () => {
  [home, worker] = await Promise.all([Peer.start(), Peer.start()]);
});
afterAll(() => {
  home.stop();
  worker.stop();
});

const homePods = new Store<KubeObject>();
const workerPods = new Store<KubeObject>();

/** A pod of both clusters. @returns a warning about it, of the worker */
function failing(namespace: string, name: string, lastTimestamp: Date): KubeObject {
  const uid = `${namespace}-${name}`;
  const annotations = {
    [Annotation.virtualPodNamespace]: namespace,
    [Annotation.virtualPodName]: name,
    [Annotation.virtualPodUID]: uid,
  };
  const at = { namespace: 'mount', name: workerName('b', namespace, name) };
  homePods.set({ metadata: { namespace, name, uid }, spec: { nodeName: 'v', containers: [] } });
  const labels = { [Label.bindingUID]: 'b' };
  workerPods.set({ metadata: { ...at, uid: `w-${uid}`, labels, annotations }, spec: { containers: [] } });
  return {
    metadata: { namespace: 'mount', name: `${at.name}.1`, uid: `event-${uid}` },
    involvedObject: { kind: 'Pod', ...at, uid: `w-${uid}` },
    type: 'Warning',
    reason: 'BackOff',
    message: 'back-off',
    lastTimestamp: lastTimestamp.toISOString(),
  };
}

function start(from: KubeClient, signal: AbortSignal) {
  const context = {
    bindingUID: 'b',
    mountNamespace: 'mount',
    home: home.client(),
    worker: from,
    stores: { homePods, workerPods },
    settings: { mirrorNormalEvents: false },
    instance: 'test',
    now: () => new Date(),
    leadership: { isCurrent: () => true },
    queue: () => ({}),
    log: { warn: () => undefined },
  } as unknown as SyncerContext;
  return startWorkerEvents(context, signal);
}

test('a namespace whose pods all fail at once does not keep the events of others waiting', async () => {
  const fails = (namespace: string, name: string) => worker.put(Events, failing(namespace, name, new Date()));
  for (let n = 0; n < 100; n++) fails('crowd', `p${n}`);
  fails('alone', 'web');
  const stop = new AbortController();
  const events = start(worker.client(), stop.signal);
  await vi.waitFor(() => expect(home.writes).toHaveLength(101), { timeout: 20_000 });
  const place = home.writes.findIndex((write) => write.startsWith('POST web.'));
  expect(place).toBeGreaterThanOrEqual(0);
  expect(place).toBeLessThan(10);
  stop.abort();
  await events.stop();
});

test('news of a worker whose clock is an hour behind are told, what was there before is not told again', async () => {
  home.reset();
  const hourAgo = new Date(Date.now() - 3_600_000);
  const [before, news] = ['before', 'news'].map((name) => failing('late', name, hourAgo));
  const behind = await TestServer.start();
  const stop = new AbortController();
  try {
    behind.answer = (request, response) => {
      const object = { ...news, metadata: { ...news?.metadata, resourceVersion: '2' } };
      if (request.url?.includes('watch=true')) response.write(`${JSON.stringify({ type: 'ADDED', object })}\n`);
      else response.end(JSON.stringify({ metadata: { resourceVersion: '1' }, items: [before] }));
    };
    const events = start(new KubeClient(behind.transport()), stop.signal);
    await vi.waitFor(() => expect(home.writes).toEqual([expect.stringMatching(/^POST news\./)]), { timeout: 20_000 });
    stop.abort();
    await events.stop();
    expect(home.writes).toHaveLength(1);
  } finally {
    stop.abort();
    behind.stop();
  }
});

/** The n-th of several events of one pod. */
const another = (event: KubeObject, n: number): KubeObject => ({
  ...event,
  metadata: { ...event.metadata, name: `e${n}`, uid: `e${n}` },
});

test('a home that cannot be asked for a moment does not use up what a pod is to be told', async () => {
  home.reset();
  worker.reset();
  const first = failing('shop', 'web', new Date());
  for (let n = 0; n < 13; n++) worker.put(Events, another(first, n));
  let asked = 0;
  // More often than a pod's budget is large.
  home.refuse = () => (asked++ < 30 ? { code: 503, message: 'no' } : undefined);
  const stop = new AbortController();
  const events = start(worker.client(), stop.signal);
  await vi.waitFor(() => expect(home.all(Events)).toHaveLength(13), { timeout: 20_000 });
  stop.abort();
  await events.stop();
});

test('what home refuses is of the pod’s budget all the same', async () => {
  home.reset();
  worker.reset();
  const first = failing('shop', 'web', new Date());
  for (let n = 0; n < 26; n++) worker.put(Events, another(first, n));
  worker.put(Events, failing('shop', 'next', new Date()));
  let asked = 0;
  home.refuse = ({ body }) =>
    body.metadata?.name.startsWith('web.') && asked++ < 25 ? { code: 422, message: 'no' } : undefined;
  const stop = new AbortController();
  const events = start(worker.client(), stop.signal);
  // It comes when all others were tried once.
  await vi.waitFor(() => expect(home.all(Events)).not.toHaveLength(0), { timeout: 20_000 });
  stop.abort();
  await events.stop();
  expect(home.all(Events).map(({ metadata }) => metadata.name)).toEqual([expect.stringMatching(/^next\./)]);
});
