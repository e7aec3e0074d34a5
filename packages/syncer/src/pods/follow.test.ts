import type { KubeObject } from '@kubeocean/shared/kube';
import { keyOf } from '@kubeocean/shared/kube';
import { expect, test } from 'vitest';
import { type Followed, follow } from './follow.ts';
import { createRoom } from './room.ts';
import { FACTS, samplePod } from './samples.ts';
import { type PodState, takenBy, workerKeyOf } from './state.ts';
import { toWorkerPod } from './to-worker.ts';
import type { Pod } from './types.ts';

interface Sent {
  name: string;
  patch: object;
  subresource: string | undefined;
  answer(error?: Error): void;
}

/** A vnode with 1 cpu, and a worker whose answers come when the test says so. */
function world() {
  const homes = new Map<string, Pod>();
  const workers = new Map<string, Pod>();
  const sent: Sent[] = [];
  const context = {
    ...FACTS,
    mayWriteWorker: () => true,
    homeEvents: { event: () => undefined },
    stores: {
      homePods: homes,
      workerPods: { get: (key: string) => workers.get(key), byIndex: () => [] },
      records: {
        byIndex: () => [{ status: { phase: 'Active', allocatable: { cpu: '1', memory: '4Gi', pods: '9' } } }],
      },
    },
    worker: {
      patch: (_: unknown, __: string, name: string, patch: object, options: { subresource?: string }) =>
        new Promise<KubeObject>((resolve, reject) => {
          const answer = (error?: Error) =>
            error ? reject(error) : resolve({ metadata: { name, resourceVersion: '200' } });
          sent.push({ name, patch, subresource: options.subresource, answer });
        }),
    },
  };
  const known = { context, admitted: new Set(), created: new Map(), carriedPrefixes: () => [] } as unknown as PodState;
  const state = { ...known, room: createRoom((key) => takenBy(known, key)) };

  function pod(name: string, cpu: string): Pod {
    return samplePod(
      { containers: [{ name: 'main', image: 'a', resources: { requests: { cpu } } }] },
      { name, uid: name },
    );
  }
  return {
    sent,
    /** Makes both pods, as they run. */
    run: (name: string, cpu: string): void => {
      const home = pod(name, cpu);
      homes.set(keyOf(home), home);
      const worker = toWorkerPod(home, FACTS);
      Object.assign(worker.metadata, { uid: `worker-${name}`, resourceVersion: '100' });
      workers.set(workerKeyOf(state.context, 'shop', name), worker);
      state.room.changed(keyOf(home));
    },
    resize: (name: string, cpu: string): Promise<Followed> => {
      const home = pod(name, cpu);
      homes.set(keyOf(home), home);
      const worker = workers.get(workerKeyOf(state.context, 'shop', name));
      if (!worker) throw new Error(`no ${name}`);
      return follow(state, home, worker, new Map());
    },
    used: () => state.room.used('vnode-cls-example-node1', '').get('cpu')?.nanos,
  };
}

test('of two pods resized in the same moment only one gets the room that is left', async () => {
  const { run, resize, sent, used } = world();
  run('a', '100m');
  run('b', '100m');
  const first = resize('a', '700m');
  const second = resize('b', '700m');
  expect(sent.map(({ subresource }) => subresource)).toEqual(['resize']);
  expect((await second).own.resize).toMatchObject({ reason: 'Deferred' });
  expect(used()).toBe(800_000_000n);
  sent[0]?.answer();
  await expect.poll(() => sent.length).toBe(2);
  // The note of what was asked for.
  expect(sent[1]?.patch).toMatchObject({ metadata: { annotations: { 'kubeocean.io/asked': expect.any(String) } } });
  sent[1]?.answer();
  expect((await first).own.resize).toBeUndefined();
  // The watch has not told of it yet.
  expect((await resize('b', '700m')).own.resize).toMatchObject({ reason: 'Deferred' });
});

test('a resize that failed takes no room', async () => {
  const { run, resize, sent, used } = world();
  run('a', '100m');
  const failing = resize('a', '700m');
  expect(used()).toBe(700_000_000n);
  sent[0]?.answer(new Error('connection lost'));
  await expect(failing).rejects.toThrow('connection lost');
  expect(used()).toBe(100_000_000n);
});
