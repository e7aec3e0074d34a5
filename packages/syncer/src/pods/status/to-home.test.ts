import fc from 'fast-check';
import type { Condition } from '@kubeocean/shared/kube';
import { describe, expect, test } from 'vitest';
import { samplePod } from '../samples.ts';
import { failurePatch, notRunPatch } from './own-patches.ts';
import { homeStatus, isDone, mayWait, statusPatch, wasShown } from './to-home.ts';
import { condition, NOW, patched, running, THEN, workerOf } from './to-home-fixtures.ts';
import type { PodStatus } from '../types.ts';

describe('status', () => {
  test("takes what a kubelet owns, and nothing of home's", () => {
    const home = samplePod();
    home.status = {
      phase: 'Pending',
      qosClass: 'Burstable',
      conditions: [condition('PodScheduled', 'True', { reason: 'home' })],
    };
    const after = patched(home, workerOf(home, running));
    expect(after.status).toMatchObject({
      phase: 'Running',
      qosClass: 'Burstable',
      podIP: '10.2.0.5',
      observedGeneration: 1,
    });
    expect(after.status).not.toHaveProperty('nominatedNodeName');
    expect(after.status?.containerStatuses?.map(({ name }) => name)).toEqual(['main']);
    const types = Object.fromEntries((after.status?.conditions ?? []).map((each) => [each.type, each]));
    expect(Object.keys(types).sort()).toEqual(['ContainersReady', 'Initialized', 'PodScheduled', 'Ready']);
    expect(types['PodScheduled']?.reason).toBe('home');
    expect(types['Initialized']?.observedGeneration).toBe(1);
    expect(after.metadata.annotations).toMatchObject({
      note: 'a $(b) "c"',
      'kubeocean.io/physical-pod-namespace': 'kubeocean-worker',
      'kubeocean.io/physical-pod-uid': 'worker-uid',
    });
  });

  test('carries the UID of the home pod, and only differences', () => {
    const home = samplePod();
    const shown = patched(home, workerOf(home, running));
    const later = {
      ...running,
      containerStatuses: [{ ...running.containerStatuses?.[0], name: 'main', restartCount: 1 }],
    };
    expect(statusPatch(workerOf(home, later), shown, NOW)).toEqual({
      metadata: { uid: home.metadata.uid },
      status: { containerStatuses: later.containerStatuses },
    });
  });

  test('shown once, an unchanged worker pod causes no write', () => {
    const conditions = fc.uniqueArray(
      fc.record({
        type: fc.constantFrom('Ready', 'ContainersReady', 'Initialized', 'DisruptionTarget', 'x/y'),
        status: fc.constantFrom('True' as const, 'False' as const),
        reason: fc.option(fc.constant('R'), { nil: undefined as never }),
        lastProbeTime: fc.constant(null),
        lastTransitionTime: fc.constant(THEN),
      }),
      { selector: ({ type }) => type },
    );
    fc.assert(
      fc.property(
        fc.constantFrom('Pending', 'Running', 'Succeeded', 'Failed'),
        conditions,
        conditions,
        fc.boolean(),
        fc.boolean(),
        (phase, before, after, gated, deleted) => {
          const home = samplePod(gated ? { readinessGates: [{ conditionType: 'x/y' }] } : {});
          home.status = { phase: 'Pending', conditions: before };
          const worker = workerOf(
            home,
            { ...running, phase, conditions: after },
            deleted ? { deletionTimestamp: THEN, deletionGracePeriodSeconds: 0 } : {},
          );
          const once = patched(home, worker);
          expect(statusPatch(worker, once, new Date('2027-01-01T00:00:00Z'))).toBeUndefined();
        },
      ),
    );
  });

  test('a deletion at home alone is no change', () => {
    const home = samplePod();
    const shown = patched(home, workerOf(home, running));
    const metadata = { ...shown.metadata, generation: 2, deletionTimestamp: THEN };
    expect(statusPatch(workerOf(home, running), { ...shown, metadata }, NOW)).toBeUndefined();
  });

  test.each([
    ['True', 'True', undefined],
    ['False', 'False', 'ReadinessGatesNotReady'],
  ] as const)('a gate that is %s at home makes Ready %s', (gate, ready, reason) => {
    const home = samplePod({ readinessGates: [{ conditionType: 'lb/ok' }] });
    home.status = { phase: 'Running', conditions: [condition('lb/ok', gate)] };
    const shown = homeStatus(workerOf(home, running), home, NOW).conditions?.find(({ type }) => type === 'Ready');
    expect(shown).toMatchObject({ status: ready, ...(reason && { reason }) });
  });

  test.each([
    ['False', 'is dated by home, when it becomes so', NOW.toISOString().replace('.000', '')],
    ['True', 'keeps its date', '2026-01-02T03:01:00Z'],
  ] as const)('Ready that was %s at home and is True %s', (was, _, lastTransitionTime) => {
    const home = samplePod({ readinessGates: [{ conditionType: 'lb/ok' }] });
    const ready = condition('Ready', was, { lastTransitionTime: '2026-01-02T03:01:00Z' });
    home.status = { phase: 'Running', conditions: [condition('lb/ok', 'True'), ready] };
    const shown = homeStatus(workerOf(home, running), home, NOW).conditions?.find(({ type }) => type === 'Ready');
    expect(shown).toMatchObject({ status: 'True', lastTransitionTime });
  });

  test('addresses that mean others at home are not shown', () => {
    const home = samplePod();
    const shown = homeStatus(workerOf(home, running), home, NOW, undefined, { withoutAddresses: true });
    expect(shown).toMatchObject({ phase: 'Running' });
    expect([shown.podIP, shown.podIPs]).toEqual([undefined, undefined]);
  });

  test('addresses replace, not merge', () => {
    const home = samplePod();
    home.status = { phase: 'Running', podIP: '10.2.0.4', podIPs: [{ ip: '10.2.0.4' }] };
    expect(statusPatch(workerOf(home, running), home, NOW)?.status).toMatchObject({
      podIPs: [{ $patch: 'replace' }, { ip: '10.2.0.5' }],
    });
  });
});

describe('the end', () => {
  const finished = (finishedAt: string, phase = 'Succeeded'): PodStatus => ({
    ...running,
    phase,
    containerStatuses: [{ name: 'main', state: { terminated: { exitCode: 0, finishedAt } } }],
  });
  const deletedAt = { deletionTimestamp: '2026-01-02T03:00:30Z', deletionGracePeriodSeconds: 30 };

  test.each([
    ['finished before it was deleted in the worker', '2026-01-02T02:59:59Z', deletedAt, 'Succeeded'],
    ['ended with exit code 0 by a deletion in the worker', '2026-01-02T03:00:01Z', deletedAt, 'Failed'],
    ['ended in the same second: a Job must not count it', '2026-01-02T03:00:00Z', deletedAt, 'Failed'],
  ])('%s', (_, finishedAt, metadata, phase) => {
    const home = samplePod();
    home.status = { phase: 'Running' };
    const status = homeStatus(workerOf(home, finished(finishedAt), metadata), home, NOW);
    expect(status.phase).toBe(phase);
    const target = status.conditions?.find(({ type }) => type === 'DisruptionTarget');
    expect(target?.status).toBe(phase === 'Failed' ? 'True' : undefined);
    if (phase === 'Failed') expect(status.reason).toBe('WorkerPodLost');
  });

  const before = { terminated: { exitCode: 0, finishedAt: '2026-01-02T02:59:59Z' } };
  const after = { terminated: { exitCode: 0, finishedAt: '2026-01-02T03:00:01Z' } };
  test.each([
    ['one container finished before the deletion, one by it', [before, after]],
    ['one container finished before the deletion, of the other nobody knows', [before, {}]],
    ['nothing is said of any container', []],
  ])('%s: a Job must not count it', (_, states) => {
    const home = samplePod({ containers: [{ name: 'main' }, { name: 'second' }] });
    home.status = { phase: 'Running' };
    const containerStatuses = states.map((state, at) => ({ name: at === 0 ? 'main' : 'second', state }));
    const shown = homeStatus(workerOf(home, { phase: 'Succeeded', containerStatuses }, deletedAt), home, NOW);
    expect(shown).toMatchObject({ phase: 'Failed', reason: 'WorkerPodLost' });
    expect(shown.conditions).toMatchObject([{ type: 'DisruptionTarget', status: 'True', reason: 'WorkerPodLost' }]);
  });

  test('a pod that was deleted without a scheduler’s look says so', () => {
    const home = samplePod();
    const worker = workerOf(home, { phase: 'Pending' }, { ...deletedAt, deletionGracePeriodSeconds: 0 });
    Object.assign(worker.spec, { schedulerName: 'volcano' });
    const shown = homeStatus(worker, home, NOW);
    expect(shown).toMatchObject({ phase: 'Failed', reason: 'WorkerUnschedulable' });
    expect(shown.message).toMatch(/no scheduler there has looked at it .*"volcano"/);
    const ended: Condition = { type: 'DisruptionTarget', status: 'True', reason: 'EvictedByOwner', message: 'theirs' };
    worker.status = { phase: 'Pending', conditions: [ended] };
    expect(homeStatus(worker, home, NOW)).toMatchObject({ reason: 'EvictedByOwner', message: 'theirs' });
  });

  test.each(['Succeeded', 'Failed'])('a pod that home shows as %s is not said to be disrupted later', (phase) => {
    const home = samplePod();
    home.status = { phase };
    const shown = homeStatus(workerOf(home, finished('2026-01-02T03:00:01Z', phase), deletedAt), home, NOW);
    expect(shown.phase).toBe(phase);
    expect(shown.conditions?.map(({ type }) => type)).not.toContain('DisruptionTarget');
  });

  test('home asked for the deletion: the exit code speaks', () => {
    const home = samplePod({}, { deletionTimestamp: '2026-01-02T03:00:30Z' });
    expect(homeStatus(workerOf(home, finished('2026-01-02T03:00:01Z'), deletedAt), home, NOW).phase).toBe('Succeeded');
  });

  test('still shutting down is not the end', () => {
    const home = samplePod();
    const worker = workerOf(home, running, deletedAt);
    expect(isDone(worker)).toBe(false);
    expect(homeStatus(worker, home, NOW).phase).toBe('Running');
  });

  test('the reason the owner gave is shown', () => {
    const home = samplePod();
    const conditions = [condition('DisruptionTarget', 'True', { reason: 'LeaseClosed', message: 'window ended' })];
    const annotations = { 'kubeocean.io/lease-closed': 'window ended' };
    const worker = workerOf(home, { ...running, conditions }, { ...deletedAt, deletionGracePeriodSeconds: 0 });
    worker.metadata.annotations = annotations;
    expect(homeStatus(worker, home, NOW)).toMatchObject({
      phase: 'Failed',
      reason: 'LeaseClosed',
      message: 'window ended',
    });
  });

  test('the reason the owner gave is shown, though the Eviction API put its own over it', () => {
    const home = samplePod();
    const conditions = [
      condition('DisruptionTarget', 'True', { reason: 'EvictionByEvictionAPI', message: 'evicting' }),
    ];
    const metadata = { ...deletedAt, deletionGracePeriodSeconds: 0 };
    const worker = workerOf(home, { ...running, conditions }, metadata);
    worker.metadata.annotations = { 'kubeocean.io/lease-closed': 'window ended' };
    const shown = homeStatus(worker, home, NOW);
    expect(shown).toMatchObject({ phase: 'Failed', reason: 'LeaseClosed', message: 'window ended' });
    expect(shown.conditions).toContainEqual(
      expect.objectContaining({ reason: 'LeaseClosed', message: 'window ended' }),
    );
  });

  test('finished means finished: nothing brings a terminal home pod back', () => {
    const home = samplePod();
    home.status = { phase: 'Failed' };
    expect(statusPatch(workerOf(home, running), home, NOW)).toBeUndefined();
  });

  test('a lost pod fails, and a Job need not count it', () => {
    const home = samplePod();
    home.status = { phase: 'Running', conditions: [condition('Ready', 'True')] };
    const { status } = failurePatch(home, { reason: 'WorkerPodLost', message: 'gone', disruption: true }, NOW);
    expect(status).toMatchObject({
      phase: 'Failed',
      reason: 'WorkerPodLost',
      conditions: [
        { type: 'Ready', status: 'False' },
        { type: 'DisruptionTarget', status: 'True', reason: 'WorkerPodLost' },
      ],
    });
  });
});

test('a pod that is not run says why, once', () => {
  const home = samplePod();
  const patch = notRunPatch(home, 'DaemonSet', 'why', NOW);
  expect(patch?.status['conditions']).toMatchObject([
    { type: 'kubeocean.io/NotRun', status: 'True', reason: 'DaemonSet' },
  ]);
  home.status = patch?.status as PodStatus;
  expect(notRunPatch(home, 'DaemonSet', 'why', NOW)).toBeUndefined();
});

test.each(['notRun', 'refused'] as const)('what it said before is over when that is another thing: %s', (type) => {
  const home = samplePod();
  const other = type === 'notRun' ? 'refused' : 'notRun';
  const before = notRunPatch(home, 'Before', 'why', NOW, other)?.status['conditions'] as Condition[];
  home.status = { phase: 'Pending', conditions: before };
  const conditions = notRunPatch(home, 'Now', 'why', NOW, type)?.status['conditions'] as Condition[];
  expect(conditions).toMatchObject([
    { reason: 'Now', status: 'True' },
    { type: before[0]?.type, $patch: 'delete' },
  ]);
  // One that a former version left.
  home.status.conditions = [...before, conditions[0] as Condition];
  expect(notRunPatch(home, 'Now', 'why', NOW, type)).toBeDefined();
});

test('only a pod that was shown can be lost', () => {
  const home = samplePod();
  expect(wasShown(home)).toBe(false);
  home.status = { phase: 'Pending', startTime: THEN };
  expect(wasShown(home)).toBe(true);
});

test('states on the way to Running may wait, trouble and results may not', () => {
  const home = samplePod();
  const pending = (reason: string) => ({
    phase: 'Pending',
    containerStatuses: [{ name: 'main', state: { waiting: { reason } } }],
  });
  expect(mayWait(workerOf(home, pending('ContainerCreating')), home)).toBe(true);
  expect(mayWait(workerOf(home, pending('ImagePullBackOff')), home)).toBe(false);
  expect(mayWait(workerOf(home, running), home)).toBe(false);
  expect(mayWait(workerOf(home, { phase: 'Failed' }), home)).toBe(false);
});
