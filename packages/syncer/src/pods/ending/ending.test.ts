/** Ends that home asked for, and pods that are lost, against a server of the tests' own. */
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { finishWithoutWorker, followEnd, lost } from './ending.ts';
import { homePath, homePod, World, workerPath, workerPod } from './ending-fixtures.ts';
import { WritesHeld } from '../../gate.ts';
import { RefusedDeletions } from './refused-deletions.ts';
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

const leaving = (grace = 30) =>
  homePod({ phase: 'Running' }, { deletionTimestamp: THEN, deletionGracePeriodSeconds: grace });

describe('a pod that ran, and whose worker pod is gone', () => {
  test('fails, and home is told', async () => {
    world.objects.set(homePath, homePod());
    expect(await lost(world.stateOf(), homePod())).toBeUndefined();
    expect(world.writes()).toEqual([`PATCH ${homePath}/status`]);
    expect(world.patches.get(`${homePath}/status`)).toMatchObject({
      metadata: { uid: homePod().metadata.uid },
      status: {
        phase: 'Failed',
        reason: 'WorkerPodLost',
        message: expect.stringContaining('gone from the worker cluster') as string,
        conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'WorkerPodLost' }],
      },
    });
    expect(world.told).toEqual(['Warning WorkerPodLost']);
  });

  test('is left as it is while too many are gone at once, and nobody is asked again about it', async () => {
    world.objects.set(homePath, homePod());
    const state = world.stateOf(0);
    expect(await lost(state, homePod())).toEqual({ againInMs: expect.any(Number) as number });
    expect([world.writes(), world.told]).toEqual([[], []]);
    world.calls = [];
    expect(await lost(state, homePod())).toEqual({ againInMs: expect.any(Number) as number });
    expect(world.calls).toEqual([]);
  });

  test('waits for nobody any more when it is back', async () => {
    world.objects.set(homePath, homePod());
    const state = world.stateOf(0);
    await lost(state, homePod());
    expect(state.guard.state()).toMatchObject({ stopped: true, waiting: 1 });
    await followEnd(state, new RefusedDeletions(), homePod(), workerPod());
    expect(state.guard.state()).toEqual({ stopped: false });
  });

  test('is left as it is when the worker is not the cluster that we know', async () => {
    world.objects.set(homePath, homePod());
    await expect(lost(world.stateOf(20, false), homePod())).rejects.toThrow(WritesHeld);
    expect(world.writes()).toEqual([]);
    expect(world.calls, 'the claim is asked for first: one answer serves all pods').toEqual([]);
  });

  test('fails whatever the guard has let go while the binding is being deleted', async () => {
    world.objects.set(homePath, homePod());
    world.unbinding = true;
    await lost(world.stateOf(0), homePod());
    expect(world.told).toEqual(['Warning WorkerPodLost']);
  });

  test('is left as it is when the worker’s API server has it, which the watch has yet to tell', async () => {
    world.objects.set(homePath, homePod());
    world.objects.set(workerPath, workerPod());
    const state = world.stateOf();
    expect(await lost(state, homePod())).toEqual({ againInMs: 500 });
    expect(world.writes()).toEqual([]);
    expect([...state.created.values()].map(({ pod }) => pod.metadata.uid)).toEqual(['worker-uid']);
  });

  test.each<[string, Pod | undefined]>([
    ['is gone', undefined],
    ['is another', homePod({ phase: 'Running', startTime: THEN }, { uid: 'another' })],
    ['has ended', homePod({ phase: 'Succeeded', startTime: THEN })],
    ['is being deleted', homePod({ phase: 'Running', startTime: THEN }, { deletionTimestamp: THEN })],
    ['was never shown to run', homePod({ phase: 'Pending' })],
  ])('is left as it is when at home it %s by now', async (_, now) => {
    if (now) world.objects.set(homePath, now);
    expect(await lost(world.stateOf(0), homePod())).toBeUndefined();
    expect(world.writes()).toEqual([]);
  });
});

describe('a deletion that the worker refuses', () => {
  const frozen = {
    code: 403,
    reason: 'Forbidden',
    message: `pods "${workerPod().metadata.name}": deletions are frozen`,
  };

  test.each<[string, Pod]>([
    ['home deletes the pod', leaving()],
    ['home has ended the pod', homePod({ phase: 'Failed' })],
  ])('is told once in home’s words, and asked for more and more rarely: %s', async (_, home) => {
    world.refusal = frozen;
    const deletions = new RefusedDeletions();
    const state = world.stateOf();
    expect(await followEnd(state, deletions, home, workerPod())).toEqual({ againInMs: 1000 });
    const second = await followEnd(state, deletions, home, workerPod());
    expect(second.againInMs).toBeGreaterThan(900);
    expect(world.writes()).toEqual([`DELETE ${workerPath}`]);
    expect(world.told).toEqual(['Warning FailedDelete']);
    expect(world.words[0]).toContain('pods "web-5d9c7b-abcde": deletions are frozen');
  });

  test('is asked for at once when home wants it sooner, and not told again', async () => {
    world.refusal = frozen;
    const deletions = new RefusedDeletions();
    const state = world.stateOf();
    await followEnd(state, deletions, leaving(), workerPod());
    await followEnd(state, deletions, leaving(1), workerPod());
    expect([world.writes().length, world.told]).toEqual([2, ['Warning FailedDelete']]);
    world.refusal = undefined;
    world.objects.set(workerPath, workerPod());
    expect(await followEnd(state, deletions, leaving(0), workerPod())).toEqual({});
  });

  test('by a webhook that does not answer is told from the second time on', async () => {
    world.refusal = { code: 500, reason: 'InternalError', message: 'failed calling webhook' };
    const deletions = new RefusedDeletions();
    const state = world.stateOf();
    await followEnd(state, deletions, leaving(), workerPod());
    expect(world.told).toEqual([]);
    await followEnd(state, deletions, leaving(1), workerPod());
    expect(world.told).toEqual([]);
    vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 60_000);
    await followEnd(state, deletions, leaving(1), workerPod());
    vi.restoreAllMocks();
    expect(world.told).toEqual(['Warning FailedDelete']);
  });

  test('is no refusal when nobody answers: that is for the queue, after home was shown the status', async () => {
    const state = world.stateOf();
    state.context.mayWriteWorker = () => false;
    const { failure } = await followEnd(state, new RefusedDeletions(), leaving(), workerPod());
    expect(failure).toBeInstanceOf(WritesHeld);
  });
});

test.each<[string, Pod]>([
  ['that home deletes', leaving(5)],
  ['that home has ended', homePod({ phase: 'Failed' })],
])('the counterpart of a pod %s is deleted once while the watch has not told of it', async (_, home) => {
  world.objects.set(workerPath, workerPod());
  const state = world.stateOf();
  const follow = () => followEnd(state, new RefusedDeletions(), home, workerPod());
  await follow();
  await follow();
  expect(world.writes()).toEqual([`DELETE ${workerPath}`]);
  vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 11_000);
  await follow();
  vi.restoreAllMocks();
  expect(world.writes(), 'a watch that lags for longer has lost it').toHaveLength(2);
});

test.each<[string, Pod]>([
  ['runs at home', homePod()],
  ['has ended on both sides: its logs can still be read', homePod({ phase: 'Succeeded' })],
])('the counterpart of a pod that %s is not deleted', async (_, home) => {
  const worker: Pod = { ...workerPod(), status: { phase: home.status?.phase ?? '' } };
  world.objects.set(workerPath, worker);
  expect(await followEnd(world.stateOf(), new RefusedDeletions(), home, worker)).toEqual({});
  expect(world.writes()).toEqual([]);
});

test('a pod whose success home’s watch has yet to tell does not fail for the finalizers that keep it', async () => {
  const going = { deletionTimestamp: THEN, finalizers: ['batch.kubernetes.io/job-tracking'] };
  const told = homePod(undefined, { ...going, resourceVersion: '1' });
  const now = homePod({ phase: 'Succeeded', startTime: THEN }, { ...going, resourceVersion: '2' });
  world.objects.set(homePath, now);
  expect(await finishWithoutWorker(world.stateOf(), told)).toEqual({ againInMs: 500 });
  expect(world.writes(), 'refused, as it names what is no more').toEqual([`PATCH ${homePath}/status`]);
  expect(world.patches.get(`${homePath}/status`)?.metadata).toMatchObject({ resourceVersion: '1' });
  world.calls = [];
  expect(await finishWithoutWorker(world.stateOf(), now)).toBeUndefined();
  expect(world.writes()).toEqual([`DELETE ${homePath}`]);
});
