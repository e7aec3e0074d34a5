import { type LeasedNode, vnodeName } from '@kubeocean/shared/api';
import { expect, test, vi } from 'vitest';
import { controllerWorld, pathOf, runningIn } from './controller-fixtures.ts';
import { FACTS, samplePod } from './samples.ts';
import type { Pod } from './types.ts';

const world = controllerWorld();

/** Lets something happen while home's API server is asked for a pod. */
function whileHomeIsAsked(happens: () => void) {
  const { atHome } = world;
  return vi.spyOn(atHome, 'get').mockImplementation((path) => {
    happens();
    return new Map(atHome).get(path);
  });
}

test('nothing is kept of a home pod that goes while its worker pod is about to be made', async () => {
  const nodeName = vnodeName('cls-example', 'node1');
  const labels = { 'kubeocean.io/binding-uid': FACTS.bindingUID };
  world.stores.vnodes.set({ metadata: { name: nodeName, labels } });
  const record = { metadata: { name: 'r', uid: 'r' }, spec: { nodeName: 'node1' } } as LeasedNode;
  const allocatable = { cpu: '8', memory: '8Gi', pods: '80' };
  world.stores.records.set({ ...record, status: { phase: 'Active', allocatable } });
  const home: Pod = { ...samplePod({ nodeName }, { name: 'web' }), status: { phase: 'Pending' } };
  world.atHome.set(pathOf('web'), home);
  world.stores.homePods.set(home);
  Object.assign(world.state.room, { used: () => new Map() });
  Object.assign(world.state.dependents.tokens, { willAsk: () => false });
  whileHomeIsAsked(() => world.stores.homePods.remove('shop/web'));
  const letIn = vi.spyOn(world.state.admitted, 'add');
  world.controller.start();
  await vi.waitFor(() => expect(letIn).toHaveBeenCalled(), 5000);
  await world.controller.stop();
  expect([...world.state.admitted]).toEqual([]);
});

test('nobody need approve the deletion of a worker pod that goes by itself while it is looked at', async () => {
  const { worker } = runningIn(world, 'web');
  world.atHome.clear();
  world.stores.homePods.replace([]);
  for (let at = 0; at < 20; at++) world.state.guard.allow(`other-${at}`);
  const asked = whileHomeIsAsked(() =>
    world.stores.workerPods.remove(`${FACTS.mountNamespace}/${worker.metadata.name}`),
  );
  world.controller.start();
  await vi.waitFor(() => expect(asked).toHaveBeenCalled(), 5000);
  await world.controller.stop();
  expect(world.state.guard.state()).toEqual({ stopped: false });
});
