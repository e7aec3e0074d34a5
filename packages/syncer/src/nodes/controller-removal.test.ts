/** How vnodes go, and what calls that off. */
import type { LeasedNode, Taint } from '@kubeocean/shared/api';
import { expect, test, vi } from 'vitest';
import type { WorkerView } from './controller.ts';
import { DEADLINE, fine, nodesWorld, taintedForRemoval, type Write } from './controller-fixtures.ts';
import { sampleRecord } from './samples.ts';

const world = nodesWorld();
const { isLent, start, there, told, toldOf, worked, writes } = world;

test('a vnode that is drained goes when its closed record does', async () => {
  const { metadata } = there(taintedForRemoval);
  start(fine);
  const deletion = { method: 'DELETE', path: `/api/v1/nodes/${metadata.name}` };
  await vi.waitFor(() => expect(writes).toContainEqual(expect.objectContaining(deletion)), DEADLINE);
  expect(world.running?.withoutRecord()).toBe(0);
  const taints = writes.map(({ body }) => (body['spec'] as { taints?: Taint[] } | undefined)?.taints);
  for (const list of taints) if (list) expect(list.map(({ key }) => key)).toContain('kubeocean.io/vnode-deleting');
});

test('why a vnode is drained is told with its UID, by which it is found', async () => {
  there();
  world.records.set(sampleRecord({ phase: 'Closed', reason: 'NodeGone', message: 'it left' }));
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
  const [record] = world.records.values();
  world.records.set({ ...record, status: { ...record?.status, allocatable: { cpu: '1' } } } as LeasedNode);
  world.removal = 'abandon';
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
  const isDeleted = () => writes.some((write) => write.method === 'DELETE' && write.path === path);
  // After the watch had time to tell of the taint.
  if (goes) await vi.waitFor(() => expect(isDeleted()).toBe(true), DEADLINE);
  else expect(isDeleted()).toBe(false);
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
