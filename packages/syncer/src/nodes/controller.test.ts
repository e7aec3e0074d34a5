import type { Taint } from '@kubeocean/shared/api';
import { Transport } from '@kubeocean/shared/kube';
import { expect, test, vi } from 'vitest';
import type { WorkerView } from './controller.ts';
import { DEADLINE, fine, leaseOf, nodesWorld, taintedForRemoval } from './controller-fixtures.ts';

const world = nodesWorld();
const { isLent, made, start, there, told, worked, writes } = world;

test('Leases are renewed as soon as the vnodes are known, while home lists its pods', async () => {
  const { metadata } = there();
  start(fine, 100, false);
  world.running?.renewLeases();
  await vi.waitFor(() => expect(writes.map(({ path }) => path)).toEqual([leaseOf(metadata.name)]), DEADLINE);
});

test('a vnode without a record that a webhook kept from its labels is asked for them again', async () => {
  const node = there();
  world.vnodes.remove(node.metadata.name);
  const serve = world.server.answer;
  let patches = 0;
  world.server.answer = (request, response) => {
    if (request.method === 'PATCH' && ++patches < 3) response.writeHead(403).end('{}');
    else if (request.method === 'GET')
      response.end(JSON.stringify(request.url?.includes('?') ? { items: [node] } : node));
    else serve(request, response);
  };
  delete node.metadata.labels?.['kubeocean.io/cluster-binding'];
  start(fine, 100, false);
  await world.running?.takeBack();
  world.running?.start();
  await vi.waitFor(
    () => expect(writes[0]?.body.metadata.labels).toHaveProperty(['kubeocean.io/cluster-binding']),
    DEADLINE,
  );
});

test.each([
  ['stays', true],
  ['stays off', false],
])('while nothing is known of the agent, the taint lease-unknown %s', async (_, has) => {
  const { metadata } = there((node) => {
    if (!has) return;
    (node['spec'] as { taints: Taint[] }).taints.push({ key: 'kubeocean.io/lease-unknown', effect: 'NoSchedule' });
  });
  isLent('node1');
  start({ ...fine, leaseUnknown: undefined });
  await vi.waitFor(() => expect(worked).toContain('vnodes'), DEADLINE);
  const taints = writes.filter(({ path }) => path.endsWith(metadata.name)).flatMap(({ body }) => body['spec'] ?? []);
  expect(JSON.stringify(taints)).not.toContain('taints');
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
  world.vnodes.set({ ...node, metadata: { ...node.metadata, labels } });
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
  const conditions = [{ type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown' }];
  const { metadata } = there((node) => void Object.assign(node['status'] as object, { conditions }));
  isLent('node1');
  start({ ...fine, ...view });
  await vi.waitFor(() => expect(worked).toEqual(expect.arrayContaining(['vnodes', 'vnode-leases'])), DEADLINE);
  expect(writes.some(({ path }) => path === leaseOf(metadata.name))).toBe(keptUp);
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
  const serve = world.server.answer;
  world.server.answer = (request, response) => {
    if (request.method !== 'POST' || request.url?.split('?')[0] !== '/api/v1/nodes') return serve(request, response);
    const status = { kind: 'Status', code: 403, reason: 'Forbidden', message: 'policy says no' };
    response.writeHead(403).end(JSON.stringify(status));
  };
  isLent('n1');
  start(fine);
  const words = 'VnodeRefused: this cluster refuses the vnode of node n1, which is tried again: policy says no';
  await vi.waitFor(() => expect(told).toEqual([words]), DEADLINE);
});
