import type { Condition } from '@kubeocean/shared/kube';
import { expect, test } from 'vitest';
import { samplePod } from '../samples.ts';
import type { Pod } from '../types.ts';
import { Unplaced } from './unplaced.ts';

const MINUTE = 60_000;
const refused: Condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'no room' };

function waiting(creationTimestamp: string, condition: Condition | undefined = refused, spec: object = {}): Pod {
  const pod = samplePod({}, { uid: 'w', creationTimestamp });
  delete pod.spec.nodeName;
  Object.assign(pod.spec, spec);
  pod.status = { phase: 'Pending', conditions: condition ? [condition] : [] };
  return pod;
}
const unseen: Pod = { ...waiting(''), status: { phase: 'Pending' } };

test.each([
  ['as ours', '2026-01-02T03:00:00Z'],
  ['years behind', '2001-01-01T00:00:00Z'],
  ['years ahead', '2050-01-01T00:00:00Z'],
])('a pod whose cluster has a clock %s times out five minutes after it was first seen', (_, created) => {
  const unplaced = new Unplaced();
  const left = (at: number) => unplaced.observe(waiting(created), 5 * MINUTE, at)?.leftMs;
  expect([1000, 1000 + 4 * MINUTE, 1000 + 5 * MINUTE].map(left)).toEqual([5 * MINUTE, MINUTE, 0]);
});

test.each<[string, Pod]>([
  ['was placed', waiting('', { type: 'PodScheduled', status: 'True' }, { nodeName: 'node1' })],
  ['is placed, which its condition does not say yet', waiting('', refused, { nodeName: 'node1' })],
  ['is being deleted', { ...waiting(''), metadata: { name: 'w', uid: 'w', deletionTimestamp: 'now' } }],
  ['has ended', { ...waiting(''), status: { phase: 'Failed', conditions: [refused] } }],
])('a pod that %s does not wait, and begins anew if it does again', (_, pod) => {
  const unplaced = new Unplaced();
  unplaced.observe(waiting(''), MINUTE, 0);
  expect(unplaced.observe(pod, MINUTE, MINUTE)).toBeUndefined();
  expect(unplaced.observe(waiting(''), MINUTE, MINUTE)).toMatchObject({ message: 'no room', leftMs: MINUTE });
});

test.each<[string, Pod, RegExp]>([
  ['that no scheduler has looked at', unseen, /no scheduler there has looked at it .*"default-scheduler"/],
  [
    'whose scheduler does not exist',
    { ...unseen, spec: { ...unseen.spec, schedulerName: 'volcano' } },
    /no scheduler there has looked at it .*"volcano"/,
  ],
])('a pod %s times out as well, and says so after half a minute', (_, pod, message) => {
  const unplaced = new Unplaced();
  const at = (now: number) => unplaced.observe(pod, 5 * MINUTE, now);
  expect(at(0)?.message).toMatch(message);
  expect([0, MINUTE, 5 * MINUTE].map((now) => at(now)?.leftMs)).toEqual([5 * MINUTE, 4 * MINUTE, 0]);
  expect([0, MINUTE / 2].map((now) => at(now)?.quietMs)).toEqual([MINUTE / 2, 0]);
});

test('a scheduler’s verdict is worth a word at once, and does not make it wait for longer', () => {
  const unplaced = new Unplaced();
  unplaced.observe(unseen, 5 * MINUTE, 0);
  expect(unplaced.observe(waiting(''), 5 * MINUTE, 1000)).toMatchObject({ quietMs: 0, leftMs: 5 * MINUTE - 1000 });
});

test('with 0 it waits for ever, and its successor of the same name has a time of its own', () => {
  const unplaced = new Unplaced();
  expect(unplaced.observe(waiting(''), 0, 0)).toMatchObject({ message: 'no room', leftMs: undefined });
  unplaced.forget('w');
  expect(unplaced.observe(waiting(''), MINUTE, MINUTE)?.leftMs).toBe(MINUTE);
});
