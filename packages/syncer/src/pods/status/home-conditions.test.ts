import type { Condition } from '@kubeocean/shared/kube';
import { describe, expect, test } from 'vitest';
import { samplePod } from '../samples.ts';
import { homeStatus, type OwnWord } from './to-home.ts';
import { condition, NOW, running, THEN, workerOf } from './to-home-fixtures.ts';
import type { Pod } from '../types.ts';

function shown(worker: Pod, home: Pod, type: string, own: OwnWord = {}): Condition | undefined {
  return homeStatus(worker, home, NOW, undefined, own).conditions?.find((each) => each.type === type);
}

describe('a pod that was taken from the worker without any grace', () => {
  const home = samplePod();
  home.status = { phase: 'Running', conditions: [condition('Ready', 'True')] };
  const conditions = [
    condition('Ready', 'True', { observedGeneration: 7 }),
    condition('ContainersReady', 'False', { reason: 'ContainersNotReady' }),
    condition('Initialized', 'True'),
  ];
  const metadata = { deletionTimestamp: THEN, deletionGracePeriodSeconds: 0 };
  const worker = workerOf(home, { ...running, conditions }, metadata);

  test('is Failed and not Ready, so that no disruption budget counts it', () => {
    expect(homeStatus(worker, home, NOW).phase).toBe('Failed');
    expect(shown(worker, home, 'Ready')).toEqual({
      type: 'Ready',
      status: 'False',
      reason: 'PodFailed',
      observedGeneration: 1,
      lastTransitionTime: '2026-01-02T03:04:05Z',
    });
  });

  test('keeps what else its kubelet said', () => {
    expect(shown(worker, home, 'ContainersReady')).toMatchObject({ status: 'False', reason: 'ContainersNotReady' });
    expect(shown(worker, home, 'Initialized')).toMatchObject({ status: 'True' });
  });

  test.each([
    ['Failed', 'PodFailed'],
    ['Succeeded', 'PodCompleted'],
  ])('is not Ready either when only its phase was set, as for a node that is gone: %s', (phase, reason) => {
    const gone = workerOf(home, { ...running, phase, conditions });
    expect(shown(gone, home, 'Ready')).toMatchObject({ status: 'False', reason });
  });

  test('is as its kubelet said when home had asked for it', () => {
    const leaving = samplePod({}, { deletionTimestamp: THEN });
    expect(shown(worker, leaving, 'Ready')).toMatchObject({ status: 'True' });
  });
});

test.each(['PodReadyToStartContainers', 'PodResizeInProgress', 'AllContainersRestarting'])(
  'what a kubelet says of a pod comes from the worker: %s',
  (type) => {
    const home = samplePod();
    const told = condition(type, 'True', { reason: 'A', message: 'b' });
    expect(shown(workerOf(home, { ...running, conditions: [told] }), home, type)).toMatchObject(told);
  },
);

describe('a pod that home says is not Ready, of a node that home has not heard of', () => {
  const home = samplePod();
  const doubted = condition('Ready', 'False', { lastTransitionTime: '2026-01-02T03:01:00Z' });
  home.status = { phase: 'Running', conditions: [doubted] };
  const worker = workerOf(home, running);

  test('stays so, whatever the worker said last', () => {
    expect(shown(worker, home, 'Ready', { unheard: true })).toEqual(doubted);
    expect(shown(worker, home, 'ContainersReady', { unheard: true })).toMatchObject({ status: 'True' });
  });

  test('is Ready again when the node is heard of', () => {
    expect(shown(worker, home, 'Ready', { unheard: false })).toMatchObject({ status: 'True' });
  });

  test('becomes it as ever where home has not said so', () => {
    expect(shown(worker, samplePod(), 'Ready', { unheard: true })).toMatchObject({ status: 'True' });
  });
});

describe.each([
  ['ahead', '2026-01-02T03:14:05Z'],
  ['behind', '2026-01-02T02:54:05Z'],
])('a pod of a worker whose clock is ten minutes %s', (_, lastTransitionTime) => {
  const home = samplePod();
  const conditions = [condition('Ready', 'True', { lastTransitionTime })];
  const ready = (before: Condition[]) => {
    const known = { ...home, status: { phase: 'Running', conditions: before } };
    return shown(workerOf(home, { ...running, conditions }), known, 'Ready')?.lastTransitionTime;
  };

  test('becomes Ready by the clock of home, by which minReadySeconds are counted', () => {
    expect(ready([])).toBe('2026-01-02T03:04:05Z');
    expect(ready([condition('Ready', 'False')])).toBe('2026-01-02T03:04:05Z');
  });

  test('has been so since home was told', () => {
    expect(ready([condition('Ready', 'True')])).toBe(THEN);
  });
});

test('a worker gives home no orders about its list of conditions, and says of each kind one', () => {
  const home = samplePod();
  const conditions = [
    condition('Ready', 'True', { $patch: 'replace' }),
    ...Array.from({ length: 1000 }, () => condition('Ready', 'False')),
    condition('DisruptionTarget', 'True', { reason: 'PreemptionByScheduler', $patch: 'delete' }),
  ];
  const worker = workerOf(home, { ...running, conditions }, { deletionTimestamp: THEN });
  const wanted = homeStatus(worker, home, NOW).conditions ?? [];
  expect(wanted.map(({ type, status }) => [type, status])).toEqual([
    ['Ready', 'True'],
    ['DisruptionTarget', 'True'],
  ]);
  for (const each of wanted) expect(each).not.toHaveProperty('$patch');
});
