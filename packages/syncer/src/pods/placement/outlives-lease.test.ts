import type { KubeObject } from '@kubeocean/shared/kube';
import { expect, test } from 'vitest';
import { outlivesLease } from './outlives-lease.ts';
import { samplePod } from '../samples.ts';

const now = new Date('2026-11-21T17:00:00Z');

function vnode(closesAt?: string): KubeObject {
  return { metadata: { name: 'v', annotations: closesAt ? { 'kubeocean.io/lease-closes-at': closesAt } : {} } };
}

test.each<[string, unknown, string | undefined, string | undefined, boolean]>([
  ['ends before', 3599, undefined, '2026-11-21T18:00:00Z', false],
  ['ends as the lease closes', 3600, undefined, '2026-11-21T18:00:00Z', false],
  ['ends after', 3601, undefined, '2026-11-21T18:00:00Z', true],
  ['counts from its start', 3601, '2026-11-21T16:00:00Z', '2026-11-21T18:00:00Z', false],
  ['has no deadline', undefined, undefined, '2026-11-21T18:00:00Z', false],
  ['has a lease without end', 3601, undefined, undefined, false],
  ['may run longer than years can be written', 2 ** 53, undefined, '2026-11-21T18:00:00Z', true],
])('a pod that %s', (_what, activeDeadlineSeconds, startTime, closesAt, told) => {
  const pod = samplePod({ activeDeadlineSeconds });
  if (startTime) pod.status = { ...pod.status, startTime };
  expect(outlivesLease(pod, vnode(closesAt), now) !== undefined).toBe(told);
});

test('a start told by a clock that is ahead is translated', () => {
  const pod = samplePod({ activeDeadlineSeconds: 3600 });
  pod.status = { ...pod.status, startTime: '2026-11-21T17:10:00Z' };
  const closing = vnode('2026-11-21T18:00:00Z');
  expect(outlivesLease(pod, closing, now)).toContain('until 2026-11-21T18:10:00Z');
  expect(outlivesLease(pod, closing, now, 600_000)).toBeUndefined();
});

test('both times are named', () => {
  const words = outlivesLease(samplePod({ activeDeadlineSeconds: 7200 }), vnode('2026-11-21T18:00:00Z'), now);
  expect(words).toContain('until 2026-11-21T19:00:00Z');
  expect(words).toContain('closes at 2026-11-21T18:00:00Z');
});
