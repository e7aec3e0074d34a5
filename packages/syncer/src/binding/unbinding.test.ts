import { expect, test } from 'vitest';
import { mustGo } from '../nodes/drain.ts';
import { sampleBinding } from '../nodes/samples.ts';
import { createReachability } from '../worker.ts';
import { removalOf, unbindingWaitsFor } from './unbinding.ts';

const state = {
  removal: 'drain' as const,
  vnodes: 0,
  homePods: 0,
  everClaimed: true,
  claimHeld: true,
  claimRefusal: undefined,
  workerAnswers: true,
  workerPodsKnown: true,
  workerPods: 0,
};

test.each<[string, Partial<Parameters<typeof unbindingWaitsFor>[0]>, RegExp | undefined]>([
  ['nothing left', {}, undefined],
  ['vnodes', { vnodes: 2, homePods: 3 }, /^2 vnodes with 3 pods to go$/],
  [
    'vnodes, and a worker that does not answer',
    { vnodes: 2, homePods: 3, workerAnswers: false },
    /^2 vnodes with 3 pods to go, but .*abandon=true$/,
  ],
  [
    'vnodes, and a worker that is another',
    { vnodes: 2, homePods: 3, claimHeld: false, claimRefusal: 'WorkerReplaced' },
    /abandon=true$/,
  ],
  [
    'vnodes, taken back',
    { vnodes: 2, homePods: 3, claimHeld: false, claimRefusal: 'Released' },
    /^2 vnodes with 3 pods to go$/,
  ],
  ['worker pods', { workerPods: 4 }, /4 pods in the worker/],
  ['a worker that does not answer', { claimHeld: false, workerPodsKnown: false }, /abandon=true/],
  ['abandoned: only vnodes count', { removal: 'abandon', claimHeld: false, workerPodsKnown: false }, undefined],
  ['abandoned, vnodes left', { removal: 'abandon', vnodes: 1 }, /1 vnodes/],
  ['never claimed: nothing can be there', { everClaimed: false, claimHeld: false }, undefined],
  ['the name is somebody else’s', { claimHeld: false, claimRefusal: 'NameTaken', workerPods: 1 }, undefined],
  ['taken back', { claimHeld: false, claimRefusal: 'Released' }, undefined],
  ['a foreign epoch has to be approved first', { claimHeld: false, claimRefusal: 'ForeignEpoch' }, /abandon=true/],
])('unbinding with %s', (_name, change, waits) => {
  const found = unbindingWaitsFor({ ...state, ...change });
  if (waits) expect(found).toMatch(waits);
  else expect(found).toBeUndefined();
});

test('removal of a binding', () => {
  const binding = sampleBinding();
  expect(removalOf(binding)).toBe('none');
  binding.metadata.annotations = { 'kubeocean.io/abandon': 'true' };
  expect(removalOf(binding)).toBe('none');
  binding.metadata.deletionTimestamp = '2026-11-21T06:00:00Z';
  expect(removalOf(binding)).toBe('abandon');
  delete binding.metadata.annotations;
  expect(removalOf(binding)).toBe('drain');
});

test('pods that stand in the way of a drain', () => {
  const daemon = {
    ownerReferences: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'd', uid: 'x', controller: true }],
  };
  const workerPod = { metadata: { name: 'w', annotations: { 'kubeocean.io/virtual-pod-uid': 'u' } } };
  const notRun = { conditions: [{ type: 'kubeocean.io/NotRun', status: 'True' }] };
  expect(mustGo({ metadata: { name: 'p', uid: 'u' } }, [])).toBe(true);
  expect(mustGo({ metadata: { name: 'p', uid: 'u' }, status: notRun }, [])).toBe(false);
  expect(mustGo({ metadata: { name: 'p', uid: 'u', ...daemon } }, [])).toBe(false);
  expect(mustGo({ metadata: { name: 'p', uid: 'u', ...daemon } }, [workerPod])).toBe(true);
});

test('a worker is unreachable after 30 s of silence, and not known before it has answered', () => {
  const reach = createReachability(0);
  expect(reach.unreachable(29_000)).toBeUndefined();
  expect(reach.unreachable(30_001)).toBe(true);
  reach.contact(40_000);
  expect(reach.unreachable(70_000)).toBe(false);
  reach.failed(new Error('refused'));
  expect(reach.unreachable(70_001)).toBe(true);
});
