/** The controller against a server of the tests' own, with stores that tell when the test says so. */
import { type LeasedNode, type Taint, vnodeName } from '@kubeocean/shared/api';
import { KubeClient, type KubeObject, Store, Transport } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import type { SyncerContext } from '../context.ts';
import { createNodesController, type NodesController, type WorkerView } from './controller.ts';
import { vnodeFromRecord } from './from-record.ts';
import { newVnode } from './plan.ts';
import { sampleBinding, sampleFacts, sampleRecord } from './samples.ts';

const binding = sampleBinding();
const { clusterID } = binding.spec;
const now = new Date('2026-11-21T06:00:00Z');
/** Of waiting, on a machine that has much else to do. */
const DEADLINE = { timeout: 10_000 };
const fine: WorkerView = {
  unreachable: false,
  recordsKnown: true,
  isReleased: false,
  leaseUnknown: false,
  evictWhenUnreachable: false,
  workerAheadMs: 0,
};

interface Write {
  method: string | undefined;
  path: string;
  body: KubeObject;
}

let server: TestServer;
let writes: Write[];
/** Names of the queues that have worked on a key. */
let worked: string[];
let told: string[];
/** UIDs of what was told of. */
let toldOf: (string | undefined)[];
let vnodes: Store<KubeObject>;
let records: Store<LeasedNode>;
/** Nodes that were made and of which the watch has yet to tell; undefined while it is as fast as the answers. */
let untold: KubeObject[] | undefined;
let running: NodesController | undefined;
let removal: 'none' | 'drain' | 'abandon';

beforeAll(async () => {
  server = await TestServer.start();
});
beforeEach(() => {
  [writes, worked, told, toldOf] = [[], [], [], []];
  untold = undefined;
  removal = 'none';
  [vnodes, records] = [new Store(), new Store()];
  server.answer = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { pathname } = new URL(request.url ?? '', 'https://server');
      const body = JSON.parse(Buffer.concat(chunks).toString() || '{}') as KubeObject;
      writes.push({ method: request.method, path: pathname, body });
      if (request.method === 'POST' && pathname === '/api/v1/nodes') {
        const node = { ...body, metadata: { ...body.metadata, uid: body.metadata.name } };
        if (untold) untold.push(node);
        else vnodes.set(node);
      }
      response.end(JSON.stringify(body));
    });
  };
});
afterEach(async () => {
  await running?.stop();
  server.reset();
});
afterAll(() => server.stop());

function start(view: WorkerView, maxVnodes = 100, whole = true): void {
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
    queue: (name: string) => ({ name, observe: () => void worked.push(name) }),
    homeEvents: {
      event({ metadata }: KubeObject, _type: string, reason: string, message: string) {
        told.push(`${reason}: ${message}`);
        toldOf.push(metadata.uid);
      },
    },
  } as unknown as SyncerContext;
  const slices = new Store<KubeObject>();
  running = createNodesController(context, { slices, worker: () => view, removal: () => removal });
  if (whole) running.start();
}

function leaseOf(vnode: string): string {
  return `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${vnode}`;
}

function isLent(nodeName: string): void {
  const record = sampleRecord();
  const metadata = { ...record.metadata, name: `${binding.metadata.name}.${nodeName}` };
  records.set({ ...record, metadata, spec: { ...record.spec, nodeName } });
}

/** Names of the Nodes that were made. */
function made(): string[] {
  const creations = writes.filter(({ method, path }) => method === 'POST' && path === '/api/v1/nodes');
  return creations.map(({ body }) => body.metadata.name).sort();
}

test('no more vnodes are made than --max-vnodes allows while the watch lags behind', async () => {
  untold = [];
  for (let n = 0; n < 40; n++) isLent(`n${n}`);
  start(fine, 10);
  await vi.waitFor(() => expect([told.length, made().length]).toEqual([5, 10]), DEADLINE);
  expect(running?.count).toBe(10);
  // Each counts once, whether the watch has told or not.
  for (const node of untold.splice(0, 5)) vnodes.set(node);
  for (let n = 0; n < 2; n++) isLent(`also-${n}`);
  await vi.waitFor(() => expect(told.at(-1)).toMatch(/^TooManyVnodes: 32 nodes get no vnode, /), DEADLINE);
  expect(made()).toHaveLength(10);
});

test('thirty nodes that get no vnode are told of five times, and none of them by itself', async () => {
  for (let n = 10; n < 40; n++) isLent(`n${n}`);
  start(fine, 0);
  await vi.waitFor(() => expect(worked).toHaveLength(30), DEADLINE);
  expect(told).toEqual([
    'TooManyVnodes: node n10 gets no vnode: --max-vnodes is 0',
    'TooManyVnodes: 2 nodes get no vnode, n10, n11: --max-vnodes is 0',
    'TooManyVnodes: 4 nodes get no vnode, n10, n11, n12 and 1 more: --max-vnodes is 0',
    'TooManyVnodes: 8 nodes get no vnode, n10, n11, n12 and 5 more: --max-vnodes is 0',
    'TooManyVnodes: 16 nodes get no vnode, n10, n11, n12 and 13 more: --max-vnodes is 0',
  ]);
});

test('no more vnodes are made than --max-vnodes allows, and the binding is told of the rest', async () => {
  for (const nodeName of ['n1', 'n2', 'n3']) isLent(nodeName);
  start(fine, 2);
  const two = ['n1', 'n2'].map((nodeName) => vnodeName(clusterID, nodeName));
  await vi.waitFor(() => expect(made()).toEqual(two), DEADLINE);
  expect(told).toEqual(['TooManyVnodes: node n3 gets no vnode: --max-vnodes is 2']);
  // Also when those that there are were made long ago.
  await vi.waitFor(() => expect(vnodes.size).toBe(2), DEADLINE);
  isLent('n4');
  const both = 'TooManyVnodes: 2 nodes get no vnode, n3, n4: --max-vnodes is 2';
  await vi.waitFor(() => expect(told.slice(1)).toEqual([both]), DEADLINE);
  expect(made()).toEqual(two);
  // Those that have none are counted anew when there was none of them.
  for (const nodeName of ['n3', 'n4'])
    records.remove(`${binding.spec.mountNamespace}/${binding.metadata.name}.${nodeName}`);
  isLent('n5');
  await vi.waitFor(
    () => expect(told.slice(2)).toEqual(['TooManyVnodes: node n5 gets no vnode: --max-vnodes is 2']),
    DEADLINE,
  );
});

/** A vnode as it was made, known from the watch. */
function there(change: (node: KubeObject) => void = () => undefined): KubeObject {
  const made = structuredClone(newVnode(vnodeFromRecord(sampleRecord(), sampleFacts()), now));
  const node = { ...made, metadata: { ...made.metadata, uid: 'u', resourceVersion: '1' } };
  change(node);
  vnodes.set(node);
  return node;
}

function taintedForRemoval(node: KubeObject): void {
  const spec = node['spec'] as { taints: Taint[]; unschedulable?: boolean };
  spec.taints.push({ key: 'kubeocean.io/vnode-deleting', value: 'true', effect: 'NoSchedule' });
  spec.unschedulable = true;
}

test('Leases are renewed as soon as the vnodes are known, while home lists its pods', async () => {
  const { metadata } = there();
  start(fine, 100, false);
  running?.renewLeases();
  await vi.waitFor(() => expect(writes.map(({ path }) => path)).toEqual([leaseOf(metadata.name)]), DEADLINE);
});

test('a vnode without a record that a webhook kept from its labels is asked for them again', async () => {
  const node = there();
  vnodes.remove(node.metadata.name);
  const serve = server.answer;
  let patches = 0;
  server.answer = (request, response) => {
    if (request.method === 'PATCH' && ++patches < 3) response.writeHead(403).end('{}');
    else if (request.method === 'GET')
      response.end(JSON.stringify(request.url?.includes('?') ? { items: [node] } : node));
    else serve(request, response);
  };
  delete node.metadata.labels?.['kubeocean.io/cluster-binding'];
  start(fine, 100, false);
  await running?.takeBack();
  running?.start();
  await vi.waitFor(
    () => expect(writes[0]?.body.metadata.labels).toHaveProperty(['kubeocean.io/cluster-binding']),
    DEADLINE,
  );
});

test('a vnode that is drained goes when its closed record does', async () => {
  const { metadata } = there(taintedForRemoval);
  start(fine);
  const deletion = { method: 'DELETE', path: `/api/v1/nodes/${metadata.name}` };
  await vi.waitFor(() => expect(writes).toContainEqual(expect.objectContaining(deletion)), DEADLINE);
  expect(running?.withoutRecord()).toBe(0);
  const taints = writes.map(({ body }) => (body['spec'] as { taints?: Taint[] } | undefined)?.taints);
  for (const list of taints) if (list) expect(list.map(({ key }) => key)).toContain('kubeocean.io/vnode-deleting');
});

test('why a vnode is drained is told with its UID, by which it is found', async () => {
  there();
  records.set(sampleRecord({ phase: 'Closed', reason: 'NodeGone', message: 'it left' }));
  start(fine);
  await vi.waitFor(
    () => expect(told).toEqual(['VnodeDraining: pods are evicted and the vnode goes: NodeGone (it left)']),
    DEADLINE,
  );
  expect(toldOf).toEqual(['u']);
});

test('a vnode of a worker that is given up goes, and nothing that its record says is written', async () => {
  const { metadata } = there();
  isLent('node1');
  const [record] = records.values();
  records.set({ ...record, status: { ...record?.status, allocatable: { cpu: '1' } } } as LeasedNode);
  removal = 'abandon';
  start(fine);
  const path = `/api/v1/nodes/${metadata.name}`;
  await vi.waitFor(() => expect(writes).toContainEqual(expect.objectContaining({ method: 'DELETE', path })), DEADLINE);
  expect(writes.filter((write) => write.path === `${path}/status`)).toEqual([]);
});

test.each<[string, Partial<WorkerView>, boolean]>([
  ['goes when its owner took the lease back', { isReleased: true }, true],
  ['stays when nobody did', {}, false],
  ['stays while the records are not known', { isReleased: true, recordsKnown: false }, false],
])('a vnode whose record is gone %s', async (_, view, goes) => {
  const { metadata } = there();
  start({ ...fine, ...view });
  const path = `/api/v1/nodes/${metadata.name}`;
  await vi.waitFor(() => expect(worked).toContain('vnodes'), DEADLINE);
  expect(writes.some((write) => write.method === 'DELETE' && write.path === path)).toBe(goes);
  expect(told).toEqual(goes ? ['VnodeDraining: pods are evicted and the vnode goes: Released'] : []);
});

test('its draining is called off by an open record alone', async () => {
  const { metadata } = there(taintedForRemoval);
  isLent('node1');
  start(fine);
  const path = `/api/v1/nodes/${metadata.name}`;
  await vi.waitFor(() => expect(writes.map((write) => write.path)).toContain(path), DEADLINE);
  const { body } = writes.find((write) => write.path === path) as Write;
  expect(body['spec']).toMatchObject({ unschedulable: null });
  expect(writes.filter(({ method }) => method === 'DELETE')).toEqual([]);
});

test('and waits, neither called off nor going on, while the records are not known', async () => {
  there(taintedForRemoval);
  start({ ...fine, recordsKnown: false });
  await vi.waitFor(() => expect(worked).toContain('vnodes'), DEADLINE);
  expect(writes.filter(({ method }) => method === 'DELETE')).toEqual([]);
  for (const { body } of writes) expect(body['spec']).not.toHaveProperty('unschedulable');
});

test.each([
  ['stays', true, true],
  ['stays off', false, false],
])('while nothing is known of the agent, the taint lease-unknown %s', async (_, has, shown) => {
  const { metadata } = there((node) => {
    if (!has) return;
    (node['spec'] as { taints: Taint[] }).taints.push({ key: 'kubeocean.io/lease-unknown', effect: 'NoSchedule' });
  });
  isLent('node1');
  start({ ...fine, leaseUnknown: undefined });
  await vi.waitFor(() => expect(worked).toContain('vnodes'), DEADLINE);
  const taints = writes.filter(({ path }) => path.endsWith(metadata.name)).flatMap(({ body }) => body['spec'] ?? []);
  expect(JSON.stringify(taints)).not.toContain('taints');
  expect(shown).toBe(has);
});

test.each<[string, string | undefined]>([
  ['taken off', undefined],
  ['changed', 'x'],
])('the label by which a vnode is known, %s by hand, is put back, and no second vnode is made', async (_, value) => {
  const node = there();
  isLent('node1');
  start(fine);
  await vi.waitFor(() => expect(worked).toContain('vnodes'), DEADLINE);
  const labels = { ...node.metadata.labels };
  if (value === undefined) delete labels['kubeocean.io/binding-uid'];
  else labels['kubeocean.io/binding-uid'] = value;
  vnodes.set({ ...node, metadata: { ...node.metadata, labels } });
  const back = { uid: 'u', labels: expect.objectContaining({ 'kubeocean.io/binding-uid': 'binding-uid' }) as object };
  await vi.waitFor(
    () => expect(writes.map(({ body }) => body.metadata)).toContainEqual(expect.objectContaining(back)),
    DEADLINE,
  );
  expect(made()).toEqual([]);
});

test.each<[string, boolean, Partial<WorkerView>]>([
  ['answers', true, { evictWhenUnreachable: true }],
  ['has not been heard of yet', true, { unreachable: undefined, evictWhenUnreachable: true }],
  ['does not answer', true, { unreachable: true }],
  ['does not answer, and home is to evict', false, { unreachable: true, evictWhenUnreachable: true }],
])('while the worker %s: Lease and conditions of the vnode kept up: %s', async (_, keptUp, view) => {
  const vnode = newVnode(vnodeFromRecord(sampleRecord(), sampleFacts()), now);
  const conditions = [{ type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown' }];
  const status = { ...(vnode['status'] as object), conditions };
  vnodes.set({ ...vnode, metadata: { ...vnode.metadata, uid: 'u', resourceVersion: '1' }, status });
  isLent('node1');
  start({ ...fine, ...view });
  await vi.waitFor(() => expect(worked).toEqual(expect.arrayContaining(['vnodes', 'vnode-leases'])), DEADLINE);
  const path = `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${vnode.metadata.name}`;
  expect(writes.some((write) => write.path === path)).toBe(keptUp);
  const said = writes.flatMap(
    ({ body }) => (body['status'] as { conditions?: unknown[] } | undefined)?.conditions ?? [],
  );
  expect(said.length > 0).toBe(keptUp);
});

test('home’s API server has the time to say which of its webhooks does not answer', async () => {
  const calls = vi.spyOn(Transport.prototype, 'text');
  there(taintedForRemoval);
  isLent('n1');
  start(fine);
  const done = () => writes.map(({ method }) => method);
  await vi.waitFor(() => expect(done()).toEqual(expect.arrayContaining(['POST', 'PATCH', 'DELETE'])), DEADLINE);
  // By default it waits for one for 10 s.
  const short = calls.mock.calls.filter(
    ([{ path, timeoutMs = 30_000 }]) => path.includes('/nodes') && timeoutMs <= 10_000,
  );
  calls.mockRestore();
  expect(short).toEqual([]);
});

test('a vnode that a policy of home does not let be made is told of on the binding', async () => {
  const serve = server.answer;
  server.answer = (request, response) => {
    if (request.method !== 'POST' || request.url?.split('?')[0] !== '/api/v1/nodes') return serve(request, response);
    const status = { kind: 'Status', code: 403, reason: 'Forbidden', message: 'policy says no' };
    response.writeHead(403).end(JSON.stringify(status));
  };
  isLent('n1');
  start(fine);
  const words = 'VnodeRefused: this cluster refuses the vnode of node n1, which is tried again: policy says no';
  await vi.waitFor(() => expect(told).toEqual([words]), DEADLINE);
});
