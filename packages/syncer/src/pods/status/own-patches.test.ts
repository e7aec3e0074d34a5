/** What home pods show that have no worker pod. DaemonSets must not wait for those of theirs with the update of all others. */
import type { Condition } from '@kubeocean/shared/kube';
import { expect, test } from 'vitest';
import { failurePatch, notRunPatch } from './own-patches.ts';
import { samplePod } from '../samples.ts';
import { statusDifference } from './status-difference.ts';
import { statusPatch } from './to-home.ts';
import { NOW, running, workerOf } from './to-home-fixtures.ts';
import type { PodStatus } from '../types.ts';

const excused = (status: PodStatus = { phase: 'Pending' }) => {
  const home = { ...samplePod(), status };
  const patch = notRunPatch(home, 'DaemonSet', 'why', NOW, 'notRun', true);
  return patch && (patch.status as PodStatus);
};
const readyOf = (status: PodStatus | undefined) => status?.conditions?.find(({ type }) => type === 'Ready');

test('a DaemonSet’s pod that is not run is Ready, once, and stays Pending', () => {
  const status = excused();
  expect(readyOf(status)).toMatchObject({ status: 'True', reason: 'NotRun', message: expect.any(String) as string });
  expect(status).not.toHaveProperty('phase');
  expect(excused({ phase: 'Pending', ...status })).toBeUndefined();
});

test('what home’s node controller took from it while nobody heard of the vnode comes back', () => {
  const before = excused();
  const conditions = before?.conditions?.map((one) => (one.type === 'Ready' ? { ...one, status: 'False' } : one));
  expect(readyOf(excused({ phase: 'Pending', ...before, conditions: conditions as Condition[] }))?.status).toBe('True');
});

test.each(['notRun', 'refused'] as const)('it is not any more once it is to run, and cannot: %s', (type) => {
  const home = { ...samplePod(), status: { phase: 'Pending', ...excused() } };
  const conditions = notRunPatch(home, 'Other', 'why', NOW, type)?.status['conditions'];
  expect(conditions).toContainEqual({ type: 'Ready', $patch: 'delete' });
  const theirs: Condition = { type: 'Ready', status: 'True' };
  const ran = { ...samplePod(), status: { phase: 'Pending', conditions: [theirs] } };
  expect(notRunPatch(ran, 'Other', 'why', NOW, type)?.status['conditions']).toHaveLength(1);
});

test('nor once it has a worker pod, before that says anything', () => {
  const difference = statusDifference({ phase: 'Pending', ...excused() }, { phase: 'Pending' });
  expect(difference?.['conditions']).toContainEqual({ type: 'Ready', $patch: 'delete' });
});

test('since when it is Ready counts from when it really is', () => {
  const home = { ...samplePod(), status: { phase: 'Pending', ...excused() } };
  const later = new Date(NOW.getTime() + 60_000);
  const status = statusPatch(workerOf(home, running), home, later)?.status as PodStatus;
  expect(readyOf(status)?.lastTransitionTime).toBe('2026-01-02T03:05:05Z');
});

test('a failed pod shows so much of what a worker’s record says as people read, however long that is', () => {
  const end = { reason: 'LeaseClosed', message: 'x'.repeat(1_000_000), disruption: true };
  const { message, conditions } = failurePatch(samplePod(), end, NOW).status as PodStatus;
  expect([message, conditions?.[0]?.message].map((text) => text?.length)).toEqual([1024, 1024]);
});
