import { ApiError, ConnectionError, keyOf, type KubeObject } from '@kubeocean/shared/kube';
import { describe, expect, test } from 'vitest';
import { type Followed, follow } from './follow.ts';
import { referencesOf } from '../dependents/references.ts';
import { createFollowMemory } from './follow-memory.ts';
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

interface Change {
  image?: string;
  spec?: object;
  annotations?: Record<string, string>;
}

const failure = (code: number) =>
  new ApiError(code, { message: `answer ${code}` }, 'PATCH', '/api/v1/namespaces/x/pods/y');

/** A vnode with 1 cpu, and a worker whose answers come when the test says so. */
function world() {
  const homes = new Map<string, Pod>();
  const workers = new Map<string, Pod>();
  const sent: Sent[] = [];
  const told: string[] = [];
  const prepared: Pod[] = [];
  const memory = createFollowMemory();
  const lease = { phase: 'Active', allocatable: { cpu: '1', memory: '4Gi', pods: '9' } };
  const context = {
    ...FACTS,
    binding: () => ({ spec: {} }),
    mayWriteWorker: () => true,
    homeEvents: {
      event: (_: unknown, __: string, reason: string, message: string) => told.push(`${reason}: ${message}`),
    },
    stores: {
      homePods: homes,
      workerPods: { get: (key: string) => workers.get(key), byIndex: () => [] },
      records: { byIndex: () => [{ status: lease }] },
    },
    worker: {
      get: (_: unknown, namespace: string, name: string) => {
        const found = workers.get(`${namespace}/${name}`);
        return found ? Promise.resolve(found) : Promise.reject(failure(404));
      },
      patch: (_: unknown, __: string, name: string, patch: object, options: { subresource?: string }) =>
        new Promise<KubeObject>((resolve, reject) => {
          const answer = (error?: Error) =>
            error ? reject(error) : resolve({ metadata: { name, resourceVersion: '200' } });
          sent.push({ name, patch, subresource: options.subresource, answer });
        }),
    },
  };
  const known = {
    context,
    admitted: new Set(),
    created: new Map(),
    carriedPrefixes: () => ['cni/'],
    dependents: { prepare: (home: Pod) => Promise.resolve(void prepared.push(home)) },
    network: () => Promise.resolve({}),
    services: () => [],
  } as unknown as PodState;
  const state = { ...known, room: createRoom((key) => takenBy(known, key)) };

  function pod(name: string, cpu: string, { image = 'a', spec = {}, annotations = {} }: Change = {}): Pod {
    const containers = [{ name: 'main', image, resources: { requests: { cpu } } }];
    return samplePod({ containers, ...spec }, { name, uid: name, annotations });
  }
  function workerOf(name: string): Pod {
    const worker = workers.get(workerKeyOf(state.context, 'shop', name));
    if (!worker) throw new Error(`no ${name}`);
    return worker;
  }
  return {
    lease,
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
    resize: (name: string, cpu: string, change: Change = {}): Promise<Followed> => {
      const home = pod(name, cpu, change);
      homes.set(keyOf(home), home);
      return follow(state, home, workerOf(name), memory);
    },
    /** The watch tells of what became of the worker pod. */
    has: (name: string, cpu: string, asked: string): void => {
      const worker = structuredClone(workerOf(name));
      const [main] = worker.spec.containers;
      if (main) main.resources = { requests: { cpu } };
      worker.metadata.annotations = { ...worker.metadata.annotations, 'kubeocean.io/asked': asked };
      worker.metadata.resourceVersion = '200';
      workers.set(keyOf(worker), worker);
      state.room.changed(`shop/${name}`);
    },
    isGone: (name: string): void => void workers.delete(workerKeyOf(state.context, 'shop', name)),
    askedOf: (name: string) => workerOf(name).metadata.annotations?.['kubeocean.io/asked'] ?? '',
    told,
    prepared,
    used: () => state.room.used('vnode-cls-example-node1', '').get('cpu')?.nanos,
  };
}

test('of two pods resized in the same moment only one gets the room that is left', async () => {
  const { run, resize, sent, used } = world();
  run('a', '100m');
  run('b', '100m');
  const [first, second] = [resize('a', '700m'), resize('b', '700m')];
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
  sent[0]?.answer(new ConnectionError('worker', 'ECONNRESET', 'connection lost'));
  expect((await failing).failure).toMatchObject({ code: 'ECONNRESET' });
  expect(used()).toBe(100_000_000n);
});

test('a resize that only takes less waits for no room, but for a lease that takes no resize', async () => {
  const { run, resize, lease, sent } = world();
  run('a', '500m');
  lease.phase = 'Closing';
  expect((await resize('a', '200m')).own.resize).toMatchObject({ reason: 'Deferred' });
  Object.assign(lease, { phase: 'Active', allocatable: {} });
  void resize('a', '200m');
  expect(sent).toHaveLength(1);
});

const noteOf = ({ patch }: Sent) =>
  (patch as { metadata: { annotations?: Record<string, string> } }).metadata.annotations?.['kubeocean.io/asked'];

describe('a worker without pods/resize', () => {
  test('is told, is not noted as asked, and is asked again rarely', async () => {
    const { run, resize, sent, told } = world();
    run('a', '100m');
    const first = resize('a', '200m');
    sent[0]?.answer(failure(404));
    const { own, againInMs } = await first;
    expect(own).toMatchObject({ behind: false, resize: { reason: 'Infeasible' } });
    expect(againInMs).toBeGreaterThan(200_000);
    expect(told).toEqual([expect.stringContaining('FailedUpdate: the worker cluster cannot resize pods')]);
    expect((await resize('a', '200m')).own.resize).toMatchObject({ reason: 'Infeasible' });
    expect(sent).toHaveLength(1);
  });

  test('is not what a pod that is gone means', async () => {
    const { run, resize, isGone, sent, told } = world();
    run('a', '100m');
    const first = resize('a', '200m');
    isGone('a');
    sent[0]?.answer(failure(404));
    await expect.poll(() => sent.length).toBe(2);
    sent[1]?.answer(failure(404));
    expect((await first).own.resize).toBeUndefined();
    expect(told).toEqual([]);
  });
});

describe('a resize that went through is undone again', () => {
  test('though the image that came with it was refused: its amounts are noted by themselves', async () => {
    const { run, resize, has, askedOf, sent } = world();
    run('a', '100m');
    const asked = askedOf('a');
    const first = resize('a', '200m', { image: 'b' });
    sent[0]?.answer();
    await expect.poll(() => sent.length).toBe(2);
    sent[1]?.answer(failure(403));
    await expect.poll(() => sent.length).toBe(3);
    expect(sent[2]).toMatchObject({ patch: { metadata: { uid: 'worker-a' } }, subresource: undefined });
    expect(noteOf(sent[2] as Sent)).toBe(asked.replace('100m', '200m'));
    sent[2]?.answer();
    await first;
    has('a', '200m', asked.replace('100m', '200m'));
    const back = resize('a', '100m');
    expect(sent[3]).toMatchObject({ subresource: 'resize' });
    sent[3]?.answer();
    await expect.poll(() => sent.length).toBe(5);
    sent[4]?.answer();
    await back;
  });

  test('though its note was lost, and home has changed back before the watch told of it', async () => {
    const { run, resize, has, askedOf, sent } = world();
    run('a', '100m');
    const first = resize('a', '200m');
    sent[0]?.answer();
    await expect.poll(() => sent.length).toBe(2);
    sent[1]?.answer(new ConnectionError('worker', 'ECONNRESET', 'lost'));
    expect((await first).failure).toBeDefined();
    await resize('a', '100m');
    expect(sent).toHaveLength(2);
    has('a', '200m', askedOf('a'));
    const back = resize('a', '100m');
    expect(sent[2]).toMatchObject({ subresource: 'resize' });
    sent[2]?.answer();
    await back;
  });
});

test.each([
  ['no answer', new ConnectionError('worker', 'ECONNRESET', 'lost')],
  ['only the answer of a balancer', failure(504)],
])('a resize of which %s came is undone, should it be done all the same', async (_, lost) => {
  const { run, resize, has, askedOf, sent } = world();
  run('a', '100m');
  const first = resize('a', '200m');
  sent[0]?.answer(lost);
  await first;
  await resize('a', '100m');
  has('a', '200m', askedOf('a'));
  const back = resize('a', '100m');
  expect(sent[1]).toMatchObject({ subresource: 'resize' });
  sent[1]?.answer();
  await back;
});

test('a debug container that the worker fails on keeps neither resize nor image back', async () => {
  const { run, resize, sent } = world();
  run('a', '100m');
  const spec = { ephemeralContainers: [{ name: 'd', image: 'd' }] };
  const first = resize('a', '200m', { image: 'b', spec });
  for (const [at, [subresource, error]] of [
    ['ephemeralcontainers', failure(500)] as const,
    ['resize', undefined] as const,
    [undefined, undefined] as const,
  ].entries()) {
    await expect.poll(() => sent.length).toBe(at + 1);
    expect(sent[at]?.subresource).toBe(subresource);
    sent[at]?.answer(error);
  }
  expect(await first).toMatchObject({ failure: { code: 500 } });
});

test('a debug container waits for nothing but what it refers to itself', async () => {
  const { run, resize, sent, prepared } = world();
  run('a', '100m');
  const refersTo = (name: string) => [{ secretRef: { name } }];
  const main = { name: 'main', image: 'a', resources: { requests: { cpu: '100m' } } };
  const spec = {
    containers: [{ ...main, envFrom: refersTo('not-taken') }],
    ephemeralContainers: [{ name: 'd', image: 'd', envFrom: refersTo('own') }],
  };
  const first = resize('a', '100m', { spec });
  await expect.poll(() => sent.length).toBe(1);
  sent[0]?.answer();
  await first;
  expect(prepared.flatMap((home) => referencesOf(home).objects.map(({ name }) => name))).toEqual(['own']);
});

test('an annotation that the worker puts back each time is written no more often than other repairs', async () => {
  const { run, resize, sent } = world();
  run('a', '100m');
  const first = resize('a', '100m', { annotations: { 'cni/x': '1' } });
  sent[0]?.answer();
  await first;
  const { againInMs } = await resize('a', '100m', { annotations: { 'cni/x': '1' } });
  expect(againInMs).toBeGreaterThan(5000);
  expect(sent).toHaveLength(1);
  // What home changes is followed at once.
  const other = resize('a', '100m', { annotations: { 'cni/x': '2' } });
  expect(sent).toHaveLength(2);
  sent[1]?.answer();
  await other;
});

test('a webhook of the worker that does not answer is told of from the second time on, once', async () => {
  const { run, resize, sent, told } = world();
  run('a', '100m');
  for (const [turn, expected] of [0, 1, 1].entries()) {
    const following = resize('a', '100m', { image: 'b' });
    await expect.poll(() => sent.length).toBe(turn + 1);
    sent[turn]?.answer(failure(500));
    expect(await following).toMatchObject({ failure: { code: 500 } });
    expect(told).toHaveLength(expected);
  }
  expect(told[0]).toBe('FailedUpdate: the worker cluster refused it: answer 500');
});
