import { describe, expect, test } from 'vitest';
import type { Condition } from '@kubeocean/shared/kube';
import { samplePod } from '../samples.ts';
import { notRunPatch } from './own-patches.ts';
import { homeStatus, statusPatch, wasShown } from './to-home.ts';
import { NOW, patched, running, workerOf } from './to-home-fixtures.ts';
import type { Pod, PodStatus } from '../types.ts';

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
