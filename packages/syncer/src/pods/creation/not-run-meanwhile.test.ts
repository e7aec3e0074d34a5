import { Label } from '@kubeocean/shared/api';
import { expect, test, vi } from 'vitest';
import { controllerWorld, pathOf } from '../controller-fixtures.ts';
import { tellNotRunMeanwhile } from './not-run-meanwhile.ts';
import { FACTS, samplePod } from '../samples.ts';
import { THEN } from '../status/to-home-fixtures.ts';
import type { Pod, PodStatus } from '../types.ts';

const world = controllerWorld();

function pod(name: string, kind: string, change: Partial<Pod['metadata']> = {}, status: PodStatus = {}): Pod {
  const ownerReferences = [{ apiVersion: 'apps/v1', kind, name: 'set', uid: 'set', controller: true }];
  const made = samplePod({}, { name, uid: `uid-${name}`, resourceVersion: '1', ownerReferences, ...change });
  return { ...made, status: { phase: 'Pending', ...status } };
}

function isThere(...pods: Pod[]): void {
  const { homePods, vnodes } = world.stores;
  homePods.replace(pods);
  const labels = { [Label.bindingUID]: FACTS.bindingUID };
  vnodes.replace([{ metadata: { name: pods[0]?.spec.nodeName ?? '', uid: 'v', labels } }]);
}

const deleted = { deletionTimestamp: THEN };

test('while the worker is not known a DaemonSet’s pod is told that it does not run, and goes when it is deleted', async () => {
  const { writes, stores } = world;
  const stays = pod('stays', 'DaemonSet');
  isThere(
    stays,
    pod('goes', 'DaemonSet', deleted),
    pod('ran', 'DaemonSet', deleted, { startTime: THEN }),
    pod('is-to-go', 'ReplicaSet', deleted),
  );
  const ready = Promise.withResolvers<void>();
  const running = tellNotRunMeanwhile(world.state.context, ready.promise, 0);
  const first = [`DELETE ${pathOf('goes')}`, `PATCH ${pathOf('stays')}/status`];
  await vi.waitFor(() => expect(writes.toSorted()).toEqual(first), 10_000);
  stores.homePods.set({ ...stays, metadata: { ...stays.metadata, ...deleted } });
  await vi.waitFor(() => expect(writes).toContain(`DELETE ${pathOf('stays')}`), 10_000);
  expect(world.told).toEqual(['NotRun']);
  ready.resolve();
  await running;
  stores.homePods.set(pod('later', 'DaemonSet', deleted));
  expect(writes).toHaveLength(3);
});

test('a pod that is to run there says that it waits', async () => {
  isThere(
    pod('waits', 'ReplicaSet'),
    pod('is-to-go', 'ReplicaSet', deleted),
    pod('runs', 'ReplicaSet', {}, { startTime: THEN }),
  );
  const ready = Promise.withResolvers<void>();
  const running = tellNotRunMeanwhile(world.state.context, ready.promise, 0);
  await vi.waitFor(() => expect(world.writes).toEqual([`PATCH ${pathOf('waits')}/status`]), 10_000);
  ready.resolve();
  await running;
  expect(world.writes).toHaveLength(1);
});

test('pods on the vnode of another binding are left alone', async () => {
  isThere(pod('theirs', 'DaemonSet', deleted), pod('ours', 'DaemonSet', deleted));
  const theirs = world.stores.homePods.get('shop/theirs') as Pod;
  world.stores.homePods.set({ ...theirs, spec: { ...theirs.spec, nodeName: 'vnode-other' } });
  const ready = Promise.withResolvers<void>();
  const running = tellNotRunMeanwhile(world.state.context, ready.promise, 0);
  await vi.waitFor(() => expect(world.writes).toEqual([`DELETE ${pathOf('ours')}`]), 10_000);
  ready.resolve();
  await running;
  expect(world.writes).toHaveLength(1);
});

test('of a worker that is known in time nothing is done here', async () => {
  isThere(pod('goes', 'DaemonSet', deleted));
  await tellNotRunMeanwhile(world.state.context, Promise.resolve(), 10_000);
  expect(world.writes).toEqual([]);
});
