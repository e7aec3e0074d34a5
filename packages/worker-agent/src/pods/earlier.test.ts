import { countPods, type PodForRequests } from '@kubeocean/shared/lease';
import { describe, expect, it } from 'vitest';
import { earlierProblem, guardedSince, isEarlier } from './earlier.ts';

const since = '2026-11-20T12:00:00Z';
const tenants = [{ namespace: 'w', serviceAccount: 's', bindings: ['*'] }];

function pod(name: string, change: Partial<PodForRequests['metadata']> = {}, phase = 'Running'): PodForRequests {
  return {
    metadata: { namespace: 'w', name, uid: name, creationTimestamp: '2026-11-20T11:59:59Z', ...change },
    spec: { nodeName: 'n' },
    status: { phase },
  };
}

it('the guard is as old as the policy on pods', () => {
  const policies = [
    { metadata: { name: 'kubeocean-tenants-objects', creationTimestamp: '2020-01-01T00:00:00Z' } },
    { metadata: { name: 'kubeocean-tenants', creationTimestamp: since } },
  ];
  expect(guardedSince(policies)).toBe(since);
  expect(guardedSince(policies.slice(0, 1))).toBeUndefined();
});

describe('a pod without a binding is earlier', () => {
  it.each<[string, PodForRequests, string | undefined, boolean]>([
    ['when it was made before', pod('a'), since, true],
    ['when nobody knows', pod('a'), undefined, true],
    ['but not of the same second', pod('a', { creationTimestamp: since }), since, false],
    ['but not later', pod('a', { creationTimestamp: '2026-11-20T12:00:01Z' }), since, false],
    ['but not with a label', pod('a', { labels: { 'kubeocean.io/cluster-binding': 'b' } }), since, false],
  ])('%s', (_, given, when, expected) => expect(isEarlier(given, when)).toBe(expected));
});

describe('what the owner is told', () => {
  const ofGo = pod('b', { annotations: { 'kubeocean.io/virtual-pod-uid': 'u' } });
  it.each<[string, PodForRequests[], string | undefined]>([
    [
      'nothing of other namespaces, ended and later ones',
      [pod('a', { namespace: 'default' }), pod('b', {}, 'Succeeded'), pod('c', { creationTimestamp: since })],
      undefined,
    ],
    ['one', [pod('a')], 'the pod w/a was in a mount namespace before the chart and belongs'],
    ['several', [ofGo, pod('a')], '2 pods (the first: w/a) were in a mount namespace'],
    ['how to take over', [ofGo], '"kubeocean adopt BINDING" takes those over (docs/migration.md)'],
  ])('%s', (_, pods, expected) => {
    const told = earlierProblem(countPods(pods, tenants).lent(), since);
    if (expected === undefined) expect(told).toBeUndefined();
    else expect(told).toContain(expected);
  });
});
