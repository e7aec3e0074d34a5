/** The vnodes' controller against a server of the tests' own, with stores that tell when the test says so. */
import { type LeasedNode, type Taint, vnodeName } from '@kubeocean/shared/api';
import { KubeClient, type KubeObject, Store } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import type { Removal } from '../binding/unbinding.ts';
import type { SyncerContext } from '../context.ts';
import { createNodesController, type NodesController, type WorkerView } from './controller.ts';
import { created, now } from './plan-fixtures.ts';
import { sampleBinding, sampleRecord } from './samples.ts';

export const binding = sampleBinding();
const { clusterID } = binding.spec;
/** Of waiting, on a machine that has much else to do. */
export const DEADLINE = { timeout: 10_000 };
export const fine: WorkerView = {
  unreachable: false,
  recordsKnown: true,
  isReleased: false,
  leaseUnknown: false,
  evictWhenUnreachable: false,
  workerAheadMs: 0,
};

export interface Write {
  method: string | undefined;
  path: string;
  body: KubeObject;
}

export interface NodesWorld {
  server: TestServer;
  vnodes: Store<KubeObject>;
  records: Store<LeasedNode>;
  /** Nodes that were made and of which the watch has yet to tell; undefined while it is as fast as the answers. */
  untold: KubeObject[] | undefined;
  running: NodesController | undefined;
  removal: Removal;
  readonly writes: Write[];
  /** Names of the queues that have worked on a key. */
  readonly worked: string[];
  readonly told: string[];
  /** UIDs of what was told of. */
  readonly toldOf: (string | undefined)[];
  start: (view: WorkerView, maxVnodes?: number, whole?: boolean) => void;
  isLent: (nodeName: string) => void;
  /** A vnode as it was made, known from the watch. */
  there: (change?: (node: KubeObject) => void) => KubeObject;
  /** Names of the Nodes that were made. */
  made: () => string[];
}

/** For the tests of a file; anew before each. */
export function nodesWorld(): NodesWorld {
  const writes: Write[] = [];
  const worked: string[] = [];
  const told: string[] = [];
  const toldOf: (string | undefined)[] = [];
  const world = { writes, worked, told, toldOf, start, isLent, there, made } as unknown as NodesWorld;
  beforeAll(async () => {
    world.server = await TestServer.start();
  });
  beforeEach(() => {
    for (const list of [writes, worked, told, toldOf]) list.length = 0;
    const stores = { vnodes: new Store(), records: new Store() };
    Object.assign(world, stores, { untold: undefined, running: undefined, removal: 'none' });
    world.server.answer = (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { pathname } = new URL(request.url ?? '', 'https://server');
        const body = JSON.parse(Buffer.concat(chunks).toString() || '{}') as KubeObject;
        writes.push({ method: request.method, path: pathname, body });
        if (request.method === 'POST' && pathname === '/api/v1/nodes') {
          const node = { ...body, metadata: { ...body.metadata, uid: body.metadata.name } };
          if (world.untold) world.untold.push(node);
          else world.vnodes.set(node);
        }
        response.end(JSON.stringify(body));
      });
    };
  });
  afterEach(async () => {
    await world.running?.stop();
    world.server.reset();
  });
  afterAll(() => world.server.stop());
  return world;

  function start(view: WorkerView, maxVnodes = 100, whole = true): void {
    const { server, vnodes, records } = world;
    const context = {
      binding: () => binding,
      bindingName: binding.metadata.name,
      bindingUID: binding.metadata.uid,
      clusterID,
      mountNamespace: binding.spec.mountNamespace,
      home: new KubeClient(server.transport()),
      stores: { vnodes, records, homePods: new Store({ node: () => [] }), workerPods: new Store({ vnode: () => [] }) },
      log: { info: () => undefined, warn: () => undefined, debug: () => undefined },
      leadership: { isCurrent: () => true, leaseTime: () => now },
      settings: { maxVnodes },
      now: () => now,
      queue: (name: string) => ({ observe: () => void worked.push(name) }),
      homeEvents: {
        event({ metadata }: KubeObject, _type: string, reason: string, message: string) {
          told.push(`${reason}: ${message}`);
          toldOf.push(metadata.uid);
        },
      },
    } as unknown as SyncerContext;
    const slices = new Store<KubeObject>();
    world.running = createNodesController(context, { slices, worker: () => view, removal: () => world.removal });
    if (whole) world.running.start();
  }

  function isLent(nodeName: string): void {
    const record = sampleRecord();
    const metadata = { ...record.metadata, name: `${binding.metadata.name}.${nodeName}` };
    world.records.set({ ...record, metadata, spec: { ...record.spec, nodeName } });
  }

  function there(change: (node: KubeObject) => void = () => undefined): KubeObject {
    const node = created();
    change(node);
    world.vnodes.set(node);
    return node;
  }

  function made(): string[] {
    const creations = writes.filter(({ method, path }) => method === 'POST' && path === '/api/v1/nodes');
    return creations.map(({ body }) => body.metadata.name).sort();
  }
}

export const nameOf = (nodeName: string) => vnodeName(clusterID, nodeName);
export const leaseOf = (vnode: string) => `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${vnode}`;

export function taintedForRemoval(node: KubeObject): void {
  const spec = node['spec'] as { taints: Taint[]; unschedulable?: boolean };
  spec.taints.push({ key: 'kubeocean.io/vnode-deleting', value: 'true', effect: 'NoSchedule' });
  spec.unschedulable = true;
}
