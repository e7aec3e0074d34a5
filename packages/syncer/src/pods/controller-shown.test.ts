/** How the pod controller shows home pods' status. */
import { expect, test, vi } from 'vitest';
import { controllerWorld, pathOf, runningIn } from './controller-fixtures.ts';
import { FACTS } from './samples.ts';
import type { Pod, PodStatus } from './types.ts';

const world = controllerWorld();
/** The revision that every write gives. */
const WRITTEN = '9';

test('a home that is older than the worker, and leaves out what it does not know, is not written to again for that', async () => {
  const { home, worker } = runningIn(world, 'web');
  const status = (restartCount: number, more: object = {}): PodStatus => ({
    ...worker.status,
    containerStatuses: [{ name: 'main', restartCount, ...more }],
  });
  const resources = { requests: { cpu: '1' } };
  world.stores.workerPods.set({ ...worker, status: status(0, { resources }) });
  world.controller.start();
  const write = `PATCH ${pathOf('web')}/status`;
  await vi.waitFor(() => expect(world.writes).toEqual([write]), 5000);

  const annotations = {
    'kubeocean.io/physical-pod-namespace': FACTS.mountNamespace,
    'kubeocean.io/physical-pod-name': worker.metadata.name,
    'kubeocean.io/physical-pod-uid': worker.metadata.uid ?? '',
  };
  const metadata = { ...home.metadata, annotations, resourceVersion: WRITTEN };
  const shown: Pod = { ...home, metadata, status: status(0) };
  const looked = vi.spyOn(world.state.dependents, 'lacks');
  world.stores.homePods.set(shown);
  await vi.waitFor(() => expect(looked).toHaveBeenCalledTimes(1), 5000);
  // What is new is written: that is the second.
  world.stores.workerPods.set({ ...worker, status: status(1, { resources }) });
  await vi.waitFor(() => expect(world.writes.length).toBeGreaterThan(1), 5000);
  await world.controller.stop();
  expect([looked.mock.calls.length, world.writes]).toEqual([2, [write, write]]);
});

test('a worker that is slow to answer does not have home shown what its pod is no more', async () => {
  const { worker } = runningIn(world, 'web');
  const ready = (status: 'True' | 'False'): Pod => ({
    ...worker,
    status: { ...worker.status, conditions: [{ type: 'Ready', status }] },
  });
  const metadata = { ...worker.metadata, resourceVersion: '2' };
  const prepare = async () => world.stores.workerPods.set({ ...ready('False'), metadata });
  Object.assign(world.state.dependents, { lacks: vi.fn(() => false).mockReturnValueOnce(true), prepare });
  world.stores.workerPods.set(ready('True'));
  const shown = vi.spyOn(world.state.context.home, 'patch');
  world.controller.start();
  await vi.waitFor(() => expect(shown).toHaveBeenCalled(), 5000);
  expect(shown.mock.calls[0]?.[3]).toMatchObject({ status: { conditions: [{ type: 'Ready', status: 'False' }] } });
});
