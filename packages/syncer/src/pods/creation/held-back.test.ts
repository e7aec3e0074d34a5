import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { homeKey, homePath, homePod, workerPod, World } from '../ending/ending-fixtures.ts';
import { tellHeld } from './held-back.ts';
import type { Pod } from '../types.ts';
import type { PodState } from '../state.ts';
import type { Store } from '@kubeocean/shared/kube';

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
});
afterAll(() => server.stop());

function world(home: Pod): { world: World; state: PodState; homePods: Store<Pod> } {
  const made = new World(server);
  made.objects.set(homePath, home);
  const state = made.stateOf();
  const homePods = state.context.stores.homePods as unknown as Store<Pod>;
  homePods.set(home);
  return { world: made, state, homePods };
}

const waiting = homePod({ phase: 'Pending' });

test('a pod that waits for a worker that does not answer says so, once, when that has lasted', async () => {
  const { world: w, state, homePods } = world(waiting);
  for (const waitMs of [1000, 8000]) expect(await tellHeld(state, homeKey, waitMs)).toBe(waitMs);
  expect(w.writes()).toEqual([]);
  expect(await tellHeld(state, homeKey, 16_000)).toBe(16_000);
  expect(w.writes()).toEqual([`PATCH ${homePath}/status`]);
  const { status } = w.patches.get(`${homePath}/status`) as Pod;
  expect(status).toMatchObject({ reason: 'RefusedByWorker', conditions: [{ type: 'kubeocean.io/Refused' }] });
  homePods.set({ ...waiting, status: { phase: 'Pending', ...status } });
  await tellHeld(state, homeKey, 30_000);
  expect(w.writes()).toHaveLength(1);
});

test.each<[string, Pod]>([
  ['runs', homePod()],
  ['has ended', homePod({ phase: 'Failed' })],
  ['is being deleted', homePod({ phase: 'Pending' }, { deletionTimestamp: '2026-01-02T03:00:00Z' })],
])('a pod that %s has nothing to be told', async (_, home) => {
  const { world: w, state } = world(home);
  await tellHeld(state, homeKey, 30_000);
  expect(w.writes()).toEqual([]);
});

test('a pod that has a worker pod, or is gone, has nothing to be told', async () => {
  const { world: w, state, homePods } = world(waiting);
  (state.context.stores.workerPods as unknown as Store<Pod>).set(workerPod());
  await tellHeld(state, homeKey, 30_000);
  homePods.remove(homeKey);
  await tellHeld(state, homeKey, 30_000);
  expect(w.writes()).toEqual([]);
});
