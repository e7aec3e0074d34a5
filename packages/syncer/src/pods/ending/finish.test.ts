/** The last step of a pod, when nothing of its worker pod runs any more, against a server of the tests' own. */
import { Finalizer } from '@kubeocean/shared/api';
import type { LeasedNode } from '@kubeocean/shared/api';
import { Store } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { finish } from './ending.ts';
import { homePath, homePod, World, workerPath, workerPod } from './ending-fixtures.ts';
import type { PodState } from '../state.ts';
import { THEN } from '../status/to-home-fixtures.ts';
import type { Pod } from '../types.ts';

let server: TestServer;
let world: World;
let state: PodState;

beforeAll(async () => {
  server = await TestServer.start();
});
beforeEach(() => {
  world = new World(server);
  state = world.stateOf();
  Object.assign(state.context.stores, { records: new Store<LeasedNode>({ vnode: () => [] }) });
});
afterEach(() => server.reset());
afterAll(() => server.stop());

/** Deleted in the worker, and succeeded before that or because of it. */
const ended = (): Pod => ({
  ...workerPod({ deletionTimestamp: THEN, deletionGracePeriodSeconds: 0 }),
  status: { phase: 'Succeeded' },
});
const going = () => homePod(undefined, { deletionTimestamp: THEN, deletionGracePeriodSeconds: 30 });

function put(home: Pod): Pod {
  world.objects.set(homePath, home);
  world.objects.set(workerPath, ended());
  return home;
}

test('home shows how it ended, then the worker pod is let go, once', async () => {
  const home = put(homePod());
  await finish(state, home, ended());
  await finish(state, home, ended());
  expect(world.writes()).toEqual([`PATCH ${homePath}/status`, `PATCH ${workerPath}`]);
  expect(world.patches.get(workerPath)?.metadata).toMatchObject({
    uid: 'worker-uid',
    '$deleteFromPrimitiveList/finalizers': [Finalizer.homeSync],
  });
});

test('what home deleted is taken away there before the worker pod is let go', async () => {
  await finish(state, put(going()), ended());
  expect(world.writes()).toEqual([`PATCH ${homePath}/status`, `DELETE ${homePath}`, `PATCH ${workerPath}`]);
});

test('a worker pod that finalizers of others keep does not keep the home pod that is deleted then', async () => {
  await finish(state, put(homePod()), ended());
  world.calls = [];
  await finish(state, put(going()), ended());
  expect(world.writes(), 'the watch has yet to tell').toEqual([]);
  const kept = workerPod({ ...ended().metadata, finalizers: ['example.com/others'] });
  await finish(state, going(), { ...kept, status: { phase: 'Succeeded' } });
  expect(world.writes()).toEqual([`PATCH ${homePath}/status`, `DELETE ${homePath}`]);
});

test.each<[string, Pod, string]>([
  ['that it shows the end', homePod(), `PATCH ${homePath}/status`],
  ['that the pod goes', going(), `DELETE ${homePath}`],
])('the worker pod stays while home does not take it %s', async (_, home, refused) => {
  put(home);
  const { answer } = server;
  server.answer = (request, response) => {
    if (!refused.startsWith(`${request.method} `) || !request.url?.startsWith(refused.split(' ')[1] ?? '')) {
      return answer(request, response);
    }
    response.writeHead(403, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ kind: 'Status', code: 403, reason: 'Forbidden', message: 'a policy' }));
  };
  await expect(finish(state, home, ended())).rejects.toThrow('a policy');
  expect(world.writes()).not.toContain(`PATCH ${workerPath}`);
  expect(state.released.size).toBe(0);
});

test('a pod that home has no more lets the worker pod go', async () => {
  world.objects.set(workerPath, ended());
  await finish(state, homePod(), ended());
  expect(world.writes()).toContain(`PATCH ${workerPath}`);
});
