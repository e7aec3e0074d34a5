/** Pods on a vnode with 1 cpu, and a worker whose answers come when the test says so, for tests of following changes. */
import { ApiError, keyOf, type KubeObject } from '@kubeocean/shared/kube';
import { type Followed, follow } from './follow.ts';
import { createFollowMemory } from './follow-memory.ts';
import { createRoom } from '../placement/room.ts';
import { FACTS, samplePod } from '../samples.ts';
import { type PodState, takenBy, workerKeyOf } from '../state.ts';
import { toWorkerPod } from '../translation/to-worker.ts';
import type { Pod } from '../types.ts';

export interface Sent {
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

export const failure = (code: number) =>
  new ApiError(code, { message: `answer ${code}` }, 'PATCH', '/api/v1/namespaces/x/pods/y');

/** One for each test. */
export function world() {
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
