import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Condition } from '@kubeocean/shared/kube';
import { FACTS, samplePod } from './samples.ts';
import { failurePatch, notRunPatch } from './own-patches.ts';
import { homeStatus, isDone, mayWait, statusPatch, wasShown } from './to-home.ts';
import { toWorkerPod } from './to-worker.ts';
import type { Pod, PodStatus } from './types.ts';

const NOW = new Date('2026-01-02T03:04:05Z');
const THEN = '2026-01-02T03:00:00Z';

function condition(type: string, status: Condition['status'], more: Partial<Condition> = {}): Condition {
  return { type, status, lastTransitionTime: THEN, ...more };
}

const running: PodStatus = {
  phase: 'Running',
  qosClass: 'BestEffort',
  nominatedNodeName: 'evil',
  startTime: THEN,
  podIP: '10.2.0.5',
  podIPs: [{ ip: '10.2.0.5' }],
  hostIP: '10.9.0.1',
  hostIPs: [{ ip: '10.9.0.1' }],
  observedGeneration: 7,
  conditions: [
    condition('PodScheduled', 'True'),
    condition('Initialized', 'True', { lastProbeTime: null, observedGeneration: 7 }),
    condition('ContainersReady', 'True'),
    condition('Ready', 'True'),
    condition('example.com/theirs', 'True'),
  ],
  containerStatuses: [
    { name: 'main', ready: true, restartCount: 0, state: { running: { startedAt: THEN } } },
    { name: 'invented', ready: true, restartCount: 0, state: {} },
  ],
};

function workerOf(home: Pod, status: PodStatus, metadata: Record<string, unknown> = {}): Pod {
  const pod = toWorkerPod(home, FACTS);
  return { ...pod, metadata: { ...pod.metadata, uid: 'worker-uid', ...metadata }, status };
}

/** What the API server does with the patch: strategic merge as far as PodStatus needs it. */
function patched(home: Pod, worker: Pod): Pod {
  const patch = statusPatch(worker, home, NOW);
  if (!patch) return home;
  const status: PodStatus = { ...home.status };
  for (const [field, value] of Object.entries(patch.status)) {
    if (field === 'conditions') {
      const merged = new Map((status.conditions ?? []).map((known) => [known.type, known]));
      for (const change of value as Condition[]) {
        if (change['$patch'] === 'delete') merged.delete(change.type);
        else {
          const next = { ...merged.get(change.type), ...change };
          merged.set(change.type, Object.fromEntries(Object.entries(next).filter(([, v]) => v !== null)) as Condition);
        }
      }
      status.conditions = [...merged.values()];
    } else if (value === null) delete status[field];
    else if (field === 'podIPs' || field === 'hostIPs') status[field] = (value as { ip: string }[]).slice(1);
    else status[field] = value;
  }
  const annotations = { ...home.metadata.annotations, ...patch.metadata.annotations };
  return { ...home, metadata: { ...home.metadata, annotations }, status };
}

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

describe('what the syncer adds to the worker’s word', () => {
  const WORDS = (text: string) => text.replaceAll('theirs', 'ours');

  test('waiting messages are in home’s words; a container’s last words are its own', () => {
    const home = samplePod();
    const status: PodStatus = {
      ...running,
      containerStatuses: [
        {
          name: 'main',
          state: { waiting: { reason: 'CreateContainerConfigError', message: 'configmap "theirs" not found' } },
          lastState: { terminated: { exitCode: 1, message: 'theirs' } },
          futureField: 1,
        },
      ],
    };
    const [main] = homeStatus(workerOf(home, status), home, NOW, undefined, { words: WORDS }).containerStatuses ?? [];
    expect(main).toMatchObject({
      state: { waiting: { message: 'configmap "ours" not found' } },
      lastState: { terminated: { message: 'theirs' } },
      futureField: 1,
    });
  });

  test('a debug container that is refused waits with the reason, one that runs shows it', () => {
    const home = samplePod({ ephemeralContainers: [{ name: 'runs' }, { name: 'refused', image: 'x' }] });
    const status = {
      ...running,
      ephemeralContainerStatuses: [{ name: 'runs', state: { running: {} } }, { name: 'invented' }],
    };
    const own = { debug: { names: ['refused'], message: 'no' } };
    const shown = homeStatus(workerOf(home, status), home, NOW, undefined, own).ephemeralContainerStatuses;
    expect(shown?.map(({ name, state }) => [name, Object.keys(state ?? {})[0]])).toEqual([
      ['runs', 'running'],
      ['refused', 'waiting'],
    ]);
    expect(shown?.[1]?.state?.waiting).toEqual({ reason: 'RefusedByWorker', message: 'no' });
  });

  test('a resize that waits here is the kubelet’s condition, once, and goes when it goes', () => {
    const home = samplePod();
    home.metadata.generation = 2;
    const shown = patched(home, workerOf(home, running));
    const own = { resize: { reason: 'Deferred', message: 'no room' }, behind: true };
    const patch = statusPatch(workerOf(home, running), shown, NOW, undefined, own);
    expect(patch?.status).toEqual({
      conditions: [
        expect.objectContaining({
          type: 'PodResizePending',
          status: 'True',
          reason: 'Deferred',
          observedGeneration: 2,
        }),
      ],
    });
    const after: Pod = {
      ...shown,
      status: {
        ...shown.status,
        conditions: [...(shown.status?.conditions ?? []), ...((patch?.status['conditions'] ?? []) as Condition[])],
      },
    };
    expect(statusPatch(workerOf(home, running), after, NOW, undefined, own)).toBeUndefined();
    expect(statusPatch(workerOf(home, running), after, NOW)?.status).toEqual({
      conditions: [{ type: 'PodResizePending', $patch: 'delete' }],
    });
  });

  test('home’s generation is shown as observed once the worker’s kubelet has acted on it', () => {
    const home = samplePod();
    home.metadata.generation = 3;
    home.status = { ...running, observedGeneration: 2 };
    const observed = (own: object, generation: number) =>
      homeStatus(workerOf(home, running, { generation }), home, NOW, undefined, own).observedGeneration;
    expect(observed({ behind: true }, 7)).toBe(2);
    expect(observed({}, 8)).toBe(2);
    expect(observed({}, 7)).toBe(3);
  });

  test('a refusal is a condition and the STATUS of kubectl, said once, and gone with the first status', () => {
    const home = samplePod();
    const patch = notRunPatch(home, 'FailedCreate', 'quota', NOW, 'refused');
    expect(patch?.status).toMatchObject({ reason: 'RefusedByWorker', message: 'quota' });
    const told: Pod = { ...home, status: { ...home.status, ...(patch?.status as PodStatus) } };
    expect(notRunPatch(told, 'FailedCreate', 'quota', NOW, 'refused')).toBeUndefined();
    expect(wasShown(told)).toBe(false);
    const first = statusPatch(workerOf(home, running), told, NOW)?.status;
    expect(first).toMatchObject({ reason: null, message: null });
    expect(first?.['conditions']).toContainEqual({ type: 'kubeocean.io/Refused', $patch: 'delete' });
  });
});
