/** How the pod controller ends pods. */
import { labelValue, type LeasedNode, migratedWorkerName, vnodeName } from '@kubeocean/shared/api';
import { expect, test, vi } from 'vitest';
import { controllerWorld, pathOf, runningIn, workerPathOf } from './controller-fixtures.ts';
import { FACTS, samplePod } from './samples.ts';
import { THEN } from './status/to-home-fixtures.ts';
import type { Pod } from './types.ts';

const { bindingUID, mountNamespace } = FACTS;
const COUNT = 30;
const world = controllerWorld();
const running = (name: string) => runningIn(world, name);
const deleted = () => world.writes.filter((write) => write.startsWith('DELETE')).length;

test('pods that users delete at once, finished ones or without grace, are not counted', async () => {
  const pods = Array.from({ length: COUNT }, (_, at) => running(`p${at}`).home);
  world.controller.start();
  for (const pod of pods) {
    world.atHome.delete(pathOf(pod.metadata.name));
    const marked = { ...pod, metadata: { ...pod.metadata, deletionTimestamp: THEN, deletionGracePeriodSeconds: 0 } };
    world.stores.homePods.remove(`shop/${pod.metadata.name}`, marked);
  }
  await vi.waitFor(() => expect(deleted()).toBe(COUNT), 5000);
  expect(world.state.guard.state()).toEqual({ stopped: false });
});

test('pods that home suddenly has not got any more are', async () => {
  for (let at = 0; at < COUNT; at++) running(`p${at}`);
  world.controller.start();
  world.atHome.clear();
  world.stores.homePods.replace([]);
  await vi.waitFor(() => expect(world.state.guard.state()).toMatchObject({ stopped: true, waiting: COUNT - 20 }), 5000);
  expect(deleted()).toBe(20);
});

test('a pod that home has put on another vnode does not go on here', async () => {
  const { home } = running('web');
  const moved: Pod = { ...home, spec: { ...home.spec, nodeName: 'vnode-cls-example-node2' } };
  world.atHome.set(pathOf('web'), moved);
  world.stores.homePods.set(moved);
  world.controller.start();
  await vi.waitFor(() => expect(world.writes).toContain(`DELETE ${workerPathOf('web')}`), 5000);
  expect(world.writes.filter((write) => write.includes('/status'))).toEqual([]);
});

test('a worker pod is not deleted once more because the watch lags, but is as soon as less grace is given', async () => {
  const { home, worker } = running('web');
  const leave = (deletionGracePeriodSeconds: number, resourceVersion: string): void => {
    const metadata = { ...home.metadata, deletionTimestamp: THEN, deletionGracePeriodSeconds, resourceVersion };
    world.stores.homePods.set({ ...home, metadata });
  };
  leave(30, '2');
  world.controller.start();
  await vi.waitFor(() => expect(deleted()).toBe(1), 5000);
  const status = { ...worker.status, containerStatuses: [{ name: 'main', restartCount: 3 }] };
  world.stores.workerPods.set({ ...worker, status });
  // Shown at home: so it was looked at again.
  await vi.waitFor(() => expect(world.writes).toContain(`PATCH ${pathOf('web')}/status`), 5000);
  expect(deleted()).toBe(1);
  leave(1, '3');
  await vi.waitFor(() => expect(deleted()).toBe(2), 5000);
});

test('tokens of a pod whose end began under another syncer are renewed until it is over', async () => {
  const { home, worker } = running('web');
  const ending = { deletionTimestamp: THEN, deletionGracePeriodSeconds: 7200 };
  world.stores.homePods.set({ ...home, metadata: { ...home.metadata, ...ending } });
  world.stores.workerPods.set({ ...worker, metadata: { ...worker.metadata, ...ending } });
  const follow = vi.spyOn(world.state.dependents.tokens, 'follow');
  world.controller.start();
  await vi.waitFor(() => expect(follow).toHaveBeenCalledWith('shop/web'), 5000);
});

test('a pod whose deletion the worker refuses is told of, and its status goes on', async () => {
  world.refusesDeletions = true;
  const { home, worker } = running('web');
  const leaving: Pod = {
    ...home,
    metadata: { ...home.metadata, deletionTimestamp: THEN, deletionGracePeriodSeconds: 30, resourceVersion: '2' },
  };
  world.stores.homePods.set(leaving);
  const status = { ...worker.status, containerStatuses: [{ name: 'main', restartCount: 3 }] };
  world.stores.workerPods.set({ ...worker, status });
  world.controller.start();
  await vi.waitFor(() => expect(world.writes).toContain(`PATCH ${pathOf('web')}/status`), 5000);
  expect(world.writes[0]).toBe(`DELETE ${workerPathOf('web')}`);
  expect(world.told).toEqual(['FailedDelete']);
});

test('pods that seemed lost and end otherwise need not be approved any more', async () => {
  const pods = Array.from({ length: COUNT }, (_, at) => running(`p${at}`).home);
  const vnode = { metadata: { name: 'vnode-cls-example-node1', labels: { 'kubeocean.io/binding-uid': bindingUID } } };
  world.stores.vnodes.set(vnode);
  world.stores.workerPods.replace([]);
  world.controller.start();
  await vi.waitFor(() => expect(world.state.guard.state()).toMatchObject({ stopped: true, waiting: COUNT - 20 }), 5000);
  for (const pod of pods) {
    const { metadata } = pod;
    world.stores.homePods.set({ ...pod, metadata: { ...metadata, resourceVersion: '2' }, status: { phase: 'Failed' } });
  }
  await vi.waitFor(() => expect(world.state.guard.state()).toEqual({ stopped: false }), 5000);
});

test('a pod that waits for its predecessor’s worker pod, which the guard holds, goes when it is deleted', async () => {
  const { home } = running('web');
  for (let at = 0; at < 20; at++) world.state.guard.allow(`other-${at}`);
  const metadata = { ...home.metadata, uid: 'next', deletionTimestamp: THEN, deletionGracePeriodSeconds: 30 };
  const next: Pod = { ...home, metadata, status: { phase: 'Pending' } };
  world.atHome.set(pathOf('web'), next);
  world.stores.homePods.set(next);
  world.controller.start();
  await vi.waitFor(() => expect(world.writes).toEqual([`DELETE ${pathOf('web')}`]), 5000);
});

test('a pod that failed while it waited, and that somebody’s finalizer keeps, does not keep its predecessor’s worker pod', async () => {
  const { home } = running('web');
  const ending = { deletionTimestamp: THEN, deletionGracePeriodSeconds: 0, finalizers: ['example.com/other'] };
  const next: Pod = { ...home, metadata: { ...home.metadata, uid: 'next', ...ending }, status: { phase: 'Failed' } };
  world.atHome.set(pathOf('web'), next);
  world.stores.homePods.set(next);
  world.controller.start();
  await vi.waitFor(() => expect(world.writes).toContain(`DELETE ${workerPathOf('web')}`), 5000);
  expect(world.told).toEqual([]);
});

test.each(['node1', 'x'.repeat(70)])(
  'a pod that waits for a lease is told at once that it closes: %s',
  async (node) => {
    const nodeName = vnodeName('cls-example', node);
    const waiting: Pod = {
      ...samplePod({ nodeName }, { name: 'web', resourceVersion: '1' }),
      status: { phase: 'Pending' },
    };
    const labels = { 'kubeocean.io/binding-uid': bindingUID, 'kubeocean.io/physical-node-name': labelValue(node) };
    world.stores.vnodes.set({ metadata: { name: nodeName, labels } });
    world.atHome.set(pathOf('web'), waiting);
    world.stores.homePods.set(waiting);
    const looked = vi.spyOn(world.state.phases, 'seen');
    world.controller.start();
    await vi.waitFor(() => expect(looked).toHaveBeenCalled(), 5000);
    const record = { metadata: { name: 'r', uid: 'r' }, spec: { nodeName: node }, status: { phase: 'Closing' } };
    world.stores.records.set(record as LeasedNode);
    await vi.waitFor(() => expect(world.told).toEqual(['LeaseClosed']), 5000);
    expect(world.writes).toEqual([`PATCH ${pathOf('web')}/status`]);
  },
);

test('a pod whose name in the worker an earlier one has again, as in a worker put back from a backup, is lost once that one is gone', async () => {
  const { home, worker } = running('web');
  const { annotations } = worker.metadata;
  const metadata = { ...worker.metadata, annotations: { ...annotations, 'kubeocean.io/virtual-pod-uid': 'earlier' } };
  const earlier = { ...worker, metadata: { ...metadata, uid: 'worker-earlier' } };
  const shown = {
    ...home,
    metadata: { ...home.metadata, annotations: { 'kubeocean.io/physical-pod-uid': 'worker-web' } },
  };
  world.stores.homePods.set(shown);
  world.stores.workerPods.set(earlier);
  const vnode = { metadata: { name: home.spec.nodeName ?? '', labels: { 'kubeocean.io/binding-uid': bindingUID } } };
  world.stores.vnodes.set(vnode);
  world.controller.start();
  await vi.waitFor(() => expect(world.writes).toContain(`DELETE ${workerPathOf('web')}`), 5000);
  expect(world.told).toEqual([]);
  world.stores.workerPods.remove(`${mountNamespace}/${worker.metadata.name}`);
  await vi.waitFor(() => expect(world.told).toEqual(['WorkerPodLost']), 5000);
});

test('a pod that home said is not Ready, since nobody heard of its vnode, is shown again when the vnode is heard of', async () => {
  const { home, worker } = running('web');
  const ready = (status: 'True' | 'False') => [{ type: 'Ready', status, lastTransitionTime: THEN }];
  const annotations = {
    'kubeocean.io/physical-pod-namespace': mountNamespace,
    'kubeocean.io/physical-pod-name': worker.metadata.name,
    'kubeocean.io/physical-pod-uid': 'worker-web',
  };
  const known = { ...home.metadata, annotations: { ...home.metadata.annotations, ...annotations } };
  world.stores.homePods.set({ ...home, metadata: known, status: { ...home.status, conditions: ready('False') } });
  world.stores.workerPods.set({ ...worker, status: { ...worker.status, conditions: ready('True') } });
  const vnodes = world.stores.vnodes;
  const vnode = (status: string) => ({
    metadata: { name: home.spec.nodeName ?? '', labels: { 'kubeocean.io/binding-uid': bindingUID } },
    status: { conditions: [{ type: 'Ready', status }] },
  });
  vnodes.set(vnode('Unknown'));
  const looked = vi.spyOn(world.state.dependents, 'lacks');
  world.controller.start();
  await vi.waitFor(() => expect(looked).toHaveBeenCalled(), 5000);
  vnodes.set(vnode('Unknown'));
  await vi.waitFor(() => expect(looked).toHaveBeenCalledTimes(1), 5000);
  expect(world.writes).toEqual([]);
  vnodes.set(vnode('True'));
  await vi.waitFor(() => expect(world.writes).toEqual([`PATCH ${pathOf('web')}/status`]), 5000);
});

test('a pod that was looked at while its vnode had lost its label is looked at again when it has it back', async () => {
  const nodeName = vnodeName('cls-example', 'node1');
  const waiting: Pod = {
    ...samplePod({ nodeName }, { name: 'web', resourceVersion: '1' }),
    status: { phase: 'Pending' },
  };
  const vnodes = world.stores.vnodes;
  vnodes.set({ metadata: { name: nodeName, uid: 'v', labels: { 'kubeocean.io/binding-uid': 'x' } } });
  const record = { metadata: { name: 'r', uid: 'r' }, spec: { nodeName: 'node1' }, status: { phase: 'Closing' } };
  world.stores.records.set(record as LeasedNode);
  world.atHome.set(pathOf('web'), waiting);
  world.stores.homePods.set(waiting);
  const looked = vi.spyOn(vnodes, 'get');
  world.controller.start();
  await vi.waitFor(() => expect(looked).toHaveBeenCalledWith(nodeName), 5000);
  expect(world.told).toEqual([]);
  vnodes.set({ metadata: { name: nodeName, uid: 'v', labels: { 'kubeocean.io/binding-uid': bindingUID } } });
  await vi.waitFor(() => expect(world.told).toEqual(['LeaseClosed']), 5000);
});

test('an adopted worker pod that says by now that it is another’s is told of, and not asked for again and again', async () => {
  const name = migratedWorkerName('shop', 'web');
  const { home, worker } = running('web');
  world.stores.workerPods.replace([]);
  const metadata = { ...worker.metadata, name, annotations: { 'kubeocean.io/virtual-pod-uid': 'uid-web' } };
  world.stores.workerPods.set({ ...worker, metadata });
  world.atHome.set(`/api/v1/namespaces/${mountNamespace}/pods/${name}`, { ...worker, metadata });
  const shown = { 'kubeocean.io/physical-pod-name': name, 'kubeocean.io/physical-pod-uid': 'worker-web' };
  world.stores.homePods.set({ ...home, metadata: { ...home.metadata, annotations: shown } });
  world.stores.vnodes.set({
    metadata: { name: home.spec.nodeName ?? '', labels: { 'kubeocean.io/binding-uid': bindingUID } },
  });
  world.controller.start();
  await vi.waitFor(() => expect(world.told).toEqual(['MappingDisagrees']), 5000);
  expect(world.writes).toEqual([]);
});

test('a pod that waits for its node when the window closes does not get it', async () => {
  const { home, worker } = running('late');
  const { nodeName: _node, ...spec } = worker.spec;
  world.stores.homePods.set({ ...home, status: { phase: 'Pending' } });
  const conditions = [{ type: 'PodScheduled', status: 'False' as const, message: 'no room' }];
  world.stores.workerPods.set({ ...worker, spec, status: { phase: 'Pending', conditions } });
  const records = world.stores.records;
  const record = { metadata: { name: 'r', namespace: mountNamespace }, spec: { nodeName: 'node1' } } as LeasedNode;
  records.set({ ...record, status: { phase: 'Active' } });
  world.controller.start();
  await vi.waitFor(() => expect(world.told).toContain('WorkerUnschedulable'), 5000);
  expect(world.writes).not.toContain(`DELETE ${workerPathOf('late')}`);
  records.set({ ...record, status: { phase: 'Closing', reason: 'WindowClosed' } });
  await vi.waitFor(() => expect(world.writes).toContain(`DELETE ${workerPathOf('late')}`), 5000);
});
