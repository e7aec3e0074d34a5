/** Worker pods whose home pod is gone, or elsewhere, against a server of the tests' own. */
import { Annotation } from '@kubeocean/shared/api';
import type { Store } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Departures } from './departures.ts';
import { orphan, predecessor } from './ending.ts';
import { homeKey, homePath, homePod, World, workerPath, workerPod } from './ending-fixtures.ts';
import { THEN } from '../status/to-home-fixtures.ts';
import type { Pod } from '../types.ts';

let server: TestServer;
let world: World;

beforeAll(async () => {
  server = await TestServer.start();
});
beforeEach(() => {
  world = new World(server);
});
afterEach(() => server.reset());
afterAll(() => server.stop());

describe('a worker pod without a home pod', () => {
  const gone = [`DELETE ${workerPath}`, `PATCH ${workerPath}`];

  test.each<[string, Pod | undefined, string[]]>([
    ['goes', undefined, gone],
    ['goes when another has its name by now', homePod({}, { uid: 'another' }), gone],
    ['stays when home has it, which the watch has yet to tell', homePod(), []],
  ])('%s', async (_, home, expected) => {
    world.objects.set(workerPath, workerPod());
    if (home) world.objects.set(homePath, home);
    const state = world.stateOf();
    await orphan(state, homeKey, workerPod(), new Departures());
    expect(world.writes()).toEqual(expected);
    expect(state.deleted.has('worker-uid')).toBe(expected.length > 0);
  });

  test('stays while too many go at once', async () => {
    world.objects.set(workerPath, workerPod());
    const state = world.stateOf(0);
    expect(await orphan(state, homeKey, workerPod(), new Departures())).toEqual({
      againInMs: expect.any(Number) as number,
    });
    world.calls = [];
    await orphan(state, homeKey, workerPod(), new Departures());
    expect(world.calls).toEqual([]);
  });

  test('stays when it says that it is of another home pod than its name does', async () => {
    const annotations = { ...workerPod().metadata.annotations, [Annotation.virtualPodName]: 'other' };
    expect(await orphan(world.stateOf(), homeKey, workerPod({ annotations }), new Departures())).toBeUndefined();
    expect(world.calls).toEqual([]);
  });

  /** Once the guard has stopped, and home has told of this end of the home pod. */
  async function afterStop(departures: Departures, worker = workerPod()) {
    world.objects.set(workerPath, worker);
    const state = world.stateOf(0);
    const outcome = await orphan(state, homeKey, worker, departures);
    return { state, outcome };
  }

  test.each<[string, Pod]>([
    ['has finished', { ...workerPod(), status: { phase: 'Succeeded' } }],
    ['has failed', { ...workerPod(), status: { phase: 'Failed' } }],
  ])('that %s goes without being counted', async (_, worker) => {
    const { state } = await afterStop(new Departures(), worker);
    expect(world.writes()).toEqual(gone);
    expect(state.guard.state()).toEqual({ stopped: false });
  });

  test('goes without being counted when somebody deleted the home pod, as the watch told', async () => {
    const departures = new Departures();
    departures.gone(homeKey, homePod(), homePod({ phase: 'Running' }, { deletionTimestamp: THEN }));
    const { state } = await afterStop(departures);
    expect(world.writes()).toEqual(gone);
    expect(state.guard.state()).toEqual({ stopped: false });
  });

  test.each<[string, Pod | undefined]>([
    ['was only missing in a list', undefined],
    ['vanished without anybody’s mark', homePod()],
  ])('is counted when the home pod %s', async (_, deleted) => {
    const departures = new Departures();
    departures.gone(homeKey, homePod(), deleted);
    const { state } = await afterStop(departures);
    expect(world.writes()).toEqual([]);
    expect(state.guard.state()).toMatchObject({ stopped: true, waiting: 1 });
  });

  test('goes without being counted while the binding is being deleted', async () => {
    const { state } = await afterStop(new Departures());
    world.unbinding = true;
    await orphan(state, homeKey, workerPod(), new Departures());
    expect(world.writes()).toEqual(gone);
    expect(state.guard.state()).toEqual({ stopped: false });
  });

  test('that goes already, when its syncer died or its home pod was forced away meanwhile, is let go at once, and looked at no more', async () => {
    const state = world.stateOf();
    const going = workerPod({ deletionTimestamp: THEN, deletionGracePeriodSeconds: 3600 });
    world.objects.set(workerPath, going);
    await orphan(state, homeKey, going, new Departures());
    expect(world.writes()).toEqual([`PATCH ${workerPath}`]);
    world.calls = [];
    await orphan(state, homeKey, going, new Departures());
    expect(world.calls).toEqual([]);
  });

  test('that waits for a person and ends meanwhile is let go', async () => {
    const { state } = await afterStop(new Departures());
    const ended = workerPod({ deletionTimestamp: THEN, deletionGracePeriodSeconds: 0 });
    await orphan(state, homeKey, ended, new Departures());
    expect(world.writes()).toEqual([`PATCH ${workerPath}`]);
    expect(state.guard.state()).toEqual({ stopped: false });
  });

  test.each([
    ['waits for its name', 'Pending', /^it runs once the worker pod kubeocean-worker\//],
    ['has it by now, and ran', 'Running', /^nothing of it runs any more, which it shows once the worker pod /],
  ])('that waits for a person is told of, once, on the pod that %s', async (_, phase, words) => {
    const departures = new Departures();
    const { state } = await afterStop(departures);
    (state.context.stores.homePods as Store<Pod>).set(homePod({ phase }, { uid: 'next' }));
    for (let turn = 0; turn < 3; turn++) await orphan(state, homeKey, workerPod(), departures);
    expect(world.told).toEqual(['Warning WaitsForDeletionGuard']);
    expect(world.words[0]).toMatch(words);
    expect(world.words[0]).toMatch(/condition DeletionGuard of the ClusterBinding example-cluster/);
  });
});

describe('a home pod that is on another node than its worker pod, as in a home put back from a backup', () => {
  const on = (nodeName: string | undefined): Pod => {
    const pod = homePod();
    if (nodeName === undefined) delete pod.spec.nodeName;
    else pod.spec.nodeName = nodeName;
    return pod;
  };

  test.each([['real-node-7'], ['vnode-cls-example-node2']])('on %s: the worker pod goes, and counts', async (node) => {
    world.objects.set(homePath, on(node));
    world.objects.set(workerPath, workerPod());
    await orphan(world.stateOf(), homeKey, workerPod(), new Departures());
    expect(world.writes()).toEqual([`DELETE ${workerPath}`, `PATCH ${workerPath}`]);
    world.calls = [];
    const departures = new Departures();
    departures.gone(homeKey, homePod(), homePod({}, { deletionTimestamp: THEN }));
    const state = world.stateOf(0);
    await orphan(state, homeKey, workerPod(), departures);
    expect([world.writes(), state.guard.state()]).toMatchObject([[], { stopped: true, waiting: 1 }]);
  });

  test('or on none yet: it is waited for', async () => {
    world.objects.set(homePath, on(undefined));
    expect(await orphan(world.stateOf(), homeKey, workerPod(), new Departures())).toEqual({ againInMs: 2000 });
    expect(world.writes()).toEqual([]);
  });
});

describe('a home pod whose name an earlier one’s worker pod still has', () => {
  const waiting = (metadata: object = {}) => homePod({ phase: 'Pending' }, { uid: 'next', ...metadata });

  test('does not wait for it to go when it is deleted itself', async () => {
    const leaving = waiting({ deletionTimestamp: THEN, deletionGracePeriodSeconds: 30 });
    world.objects.set(homePath, leaving);
    world.objects.set(workerPath, workerPod());
    await predecessor(world.stateOf(0), leaving, workerPod(), new Departures());
    expect(world.writes()).toEqual([`DELETE ${homePath}`]);
  });

  test('is left as it is while the worker has its own pod, of which the watch has yet to tell', async () => {
    const leaving = waiting({ deletionTimestamp: THEN, deletionGracePeriodSeconds: 30 });
    world.objects.set(homePath, leaving);
    const annotations = { ...workerPod().metadata.annotations, [Annotation.virtualPodUID]: 'next' };
    world.objects.set(workerPath, workerPod({ annotations, uid: 'its-own' }));
    expect(await predecessor(world.stateOf(), leaving, workerPod(), new Departures())).toEqual({ againInMs: 500 });
    expect(world.writes()).toEqual([]);
  });

  test('is told, once, that the worker refuses to delete it', async () => {
    world.objects.set(homePath, waiting());
    world.refusal = { code: 403, reason: 'Forbidden', message: 'deletions are frozen' };
    const state = world.stateOf();
    (state.context.stores.homePods as Store<Pod>).set(waiting());
    const departures = new Departures();
    for (let turn = 0; turn < 2; turn++) {
      await expect(predecessor(state, waiting(), workerPod(), departures)).rejects.toThrow('frozen');
    }
    expect(world.told).toEqual(['Warning FailedDelete']);
    expect(world.words[0]).toMatch(/runs once the worker pod .* is gone\. The worker cluster refuses to delete it: /);
  });

  test('is told nothing once it has ended itself', async () => {
    world.refusal = { code: 403, reason: 'Forbidden', message: 'deletions are frozen' };
    const state = world.stateOf();
    (state.context.stores.homePods as Store<Pod>).set(homePod({ phase: 'Failed' }, { uid: 'next' }));
    await expect(orphan(state, homeKey, workerPod(), new Departures())).rejects.toThrow('frozen');
    expect(world.told).toEqual([]);
  });
});
