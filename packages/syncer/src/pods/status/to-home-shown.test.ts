/** What home was shown of a pod, by which it is never run a second time, and which changes of that may wait. */
import { expect, test } from 'vitest';
import { homePod, workerPod } from '../ending/ending-fixtures.ts';
import { mayWait, wasShown } from './to-home.ts';
import { THEN } from './to-home-fixtures.ts';
import type { ContainerStatus, PodStatus } from '../types.ts';

const container = (reason?: string): ContainerStatus => ({
  name: 'web',
  state: reason === undefined ? { running: {} } : { waiting: { reason } },
});

test.each<[boolean, string, PodStatus]>([
  [false, 'nothing', {}],
  [false, 'that it waits', { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'True' }] }],
  [false, 'that it has no containers yet', { phase: 'Pending', containerStatuses: [] }],
  [true, 'when it began', { phase: 'Pending', startTime: THEN }],
  [true, 'one container', { phase: 'Pending', containerStatuses: [container('ContainerCreating')] }],
  [true, 'that it runs', { phase: 'Running' }],
  [true, 'that nobody knows', { phase: 'Unknown' }],
  [true, 'that it has failed', { phase: 'Failed' }],
])('it is %s that a pod ran of which home shows %s', (expected, _, status) => {
  expect(wasShown(homePod(status))).toBe(expected);
});

const pending = (more: PodStatus = {}): PodStatus => ({ phase: 'Pending', ...more });
const deleted = { deletionTimestamp: THEN, deletionGracePeriodSeconds: 30 };

test.each<[boolean, string, PodStatus, PodStatus, object, object]>([
  [true, 'that it is being made', pending({ containerStatuses: [container('ContainerCreating')] }), pending(), {}, {}],
  [
    true,
    'that its first containers are',
    pending({ initContainerStatuses: [container('PodInitializing')] }),
    {},
    {},
    {},
  ],
  [false, 'what keeps it', pending({ containerStatuses: [container('ErrImagePull'), container()] }), pending(), {}, {}],
  [false, 'what keeps its first containers', pending({ initContainerStatuses: [container('')] }), pending(), {}, {}],
  [false, 'that it runs', { phase: 'Running' }, pending(), {}, {}],
  [false, 'that it waits again', pending(), { phase: 'Running' }, {}, {}],
  [true, 'what becomes of one that goes', { phase: 'Running' }, { phase: 'Running' }, {}, deleted],
  [false, 'that it has ended', { phase: 'Succeeded' }, { phase: 'Running' }, {}, deleted],
  [false, 'that nothing of it runs', pending(), pending(), { ...deleted, deletionGracePeriodSeconds: 0 }, deleted],
])('it is %s that home may be shown a moment later %s', (expected, _, status, shown, metadata, atHome) => {
  expect(mayWait({ ...workerPod(metadata), status }, homePod(shown, atHome))).toBe(expected);
});
