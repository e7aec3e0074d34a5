/** Events of the worker on their way home, with a server of each cluster. */
import { Annotation, Label, workerName } from '@kubeocean/shared/api';
import { Events, type KubeObject, Store } from '@kubeocean/shared/kube';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { SyncerContext } from '../context.ts';
import { Peer } from '../volumes/peer.ts';
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

/** A pod of both clusters, and a warning about it in the worker. */
function fails(namespace: string, name: string): void {
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
  worker.put(Events, {
    metadata: { namespace: 'mount', name: `${at.name}.1` },
    involvedObject: { kind: 'Pod', ...at, uid: `w-${uid}` },
    type: 'Warning',
    reason: 'BackOff',
    message: 'back-off',
    lastTimestamp: new Date().toISOString(),
  });
}

test('a namespace whose pods all fail at once does not keep the events of others waiting', async () => {
  for (let n = 0; n < 100; n++) fails('crowd', `p${n}`);
  fails('alone', 'web');
  const stop = new AbortController();
  const context = {
    bindingUID: 'b',
    mountNamespace: 'mount',
    home: home.client(),
    worker: worker.client(),
    stores: { homePods, workerPods },
    settings: { mirrorNormalEvents: false },
    instance: 'test',
    now: () => new Date(),
    leadership: { isCurrent: () => true },
    queue: (name: string) => ({ name }),
    log: { warn: () => undefined },
  } as unknown as SyncerContext;
  const events = startWorkerEvents(context, stop.signal);
  await vi.waitFor(() => expect(home.writes).toHaveLength(101), { timeout: 20_000 });
  const place = home.writes.findIndex((write) => write.startsWith('POST web.'));
  expect(place).toBeGreaterThanOrEqual(0);
  expect(place).toBeLessThan(10);
  stop.abort();
  await events.stop();
});
