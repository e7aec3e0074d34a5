import { expect, it } from 'vitest';
import { planAdoption } from './plan.ts';
import { binding, found, homePod, workerPod } from './samples.ts';
import { planText } from './text.ts';

it('says what would be done, and how', () => {
  const given = { homePods: [homePod('a')], workerPods: [workerPod('a')] };
  const text = planText('b', planAdoption(found(given)), false);
  expect(text).toContain('worker: patch 1 Pod: goes on as it is');
  expect(text).toContain('Nothing was changed; to do it: the same with --yes');
});

it('says that nothing is left', () => {
  expect(planText('b', planAdoption(found({ vnodes: [] })), true)).toBe(
    'Computing cluster https://home, worker cluster https://worker\n\nClusterBinding b: nothing of gocrane/kubeocean is left to take over.\n',
  );
});

it('says first things first', () => {
  const metadata = { ...binding.metadata, deletionTimestamp: '2026-11-20T12:00:00Z' };
  const text = planText('b', planAdoption(found({ binding: { ...binding, metadata } })), false);
  expect(text).toMatch(/\n\nFirst:\n {2}ClusterBinding b is being deleted/);
  expect(text).toMatch(/Nothing was changed\.\n$/);
});
