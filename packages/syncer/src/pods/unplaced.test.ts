import type { Condition } from '@kubeocean/shared/kube';
import { expect, test } from 'vitest';
import { samplePod } from './samples.ts';
import type { Pod } from './types.ts';
import { Unplaced } from './unplaced.ts';

const MINUTE = 60_000;
const refused: Condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'no room' };

function waiting(creationTimestamp: string, condition: Condition = refused, nodeName?: string): Pod {
  const pod = samplePod({}, { uid: 'w', creationTimestamp });
  if (nodeName === undefined) delete pod.spec.nodeName;
  else pod.spec.nodeName = nodeName;
  pod.status = { phase: 'Pending', conditions: [condition] };
  return pod;
}

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
  ['was placed', waiting('', { type: 'PodScheduled', status: 'True' }, 'node1')],
  ['is placed, which its condition does not say yet', waiting('', refused, 'node1')],
  ['waits behind a gate', waiting('', { ...refused, reason: 'SchedulingGated' })],
])('a pod that %s does not wait, and begins anew if it does again', (_, pod) => {
  const unplaced = new Unplaced();
  unplaced.observe(waiting(''), MINUTE, 0);
  expect(unplaced.observe(pod, MINUTE, MINUTE)).toBeUndefined();
  expect(unplaced.observe(waiting(''), MINUTE, MINUTE)).toEqual({ message: 'no room', leftMs: MINUTE });
});

test('with 0 it waits for ever, and its successor of the same name has a time of its own', () => {
  const unplaced = new Unplaced();
  expect(unplaced.observe(waiting(''), 0, 0)).toEqual({ message: 'no room', leftMs: undefined });
  unplaced.forget('w');
  expect(unplaced.observe(waiting(''), MINUTE, MINUTE)?.leftMs).toBe(MINUTE);
});
