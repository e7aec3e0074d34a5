/** What unbinding waits for, how it is meant, and for how long. */
import { expect, test } from 'vitest';
import { sampleBinding } from '../nodes/samples.ts';
import { pauseMs, removalOf, unbindingWaitsFor } from './unbinding.ts';

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
    /^2 vnodes with 3 pods to go: .* the agent there ends them; .*abandon=true$/,
  ],
  ['worker pods', { workerPods: 4 }, /4 pods in the worker/],
  ['a worker that does not answer', { claimHeld: false, workerPodsKnown: false }, /abandon=true/],
  ['a worker whose pods are not listed yet', { workerPodsKnown: false }, /abandon=true/],
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

test('an end that fails is tried again with growing pauses', () => {
  expect([1, 2, 3, 4, 5, 6, 100].map(pauseMs)).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
});
