import { claimName } from '@kubeocean/shared/api';
import type { KubeObject } from '@kubeocean/shared/kube';
import { countPods, type PodForRequests } from '@kubeocean/shared/lease';
import { expect, it } from 'vitest';
import { findUnfollowed } from './unfollowed.ts';

const tenants = [{ namespace: 'w', serviceAccount: 's', bindings: ['*'] }];
const now = new Date('2026-11-20T12:00:00Z');
const binding = { 'kubeocean.io/cluster-binding': 'b' };

function claim(labels: object = binding, annotations = {}): KubeObject {
  return {
    metadata: {
      namespace: 'w',
      name: claimName('b'),
      uid: 'c',
      labels: { 'kubeocean.io/claim': 'true', ...labels },
      annotations,
    },
  };
}

function pod(phase: string, change: object = {}): PodForRequests {
  return {
    metadata: {
      namespace: 'w',
      name: 'a',
      uid: 'a',
      labels: binding,
      finalizers: ['kubeocean.io/home-sync'],
      ...change,
    },
    spec: { nodeName: 'n' },
    status: { phase },
  };
}

const released = claim(binding, { 'kubeocean.io/release': 'true' });
const longAgo = { deletionTimestamp: '2026-11-20T11:58:00Z' };

it.each<[string, PodForRequests, KubeObject[], boolean]>([
  ['ended, and the claim is gone', pod('Failed'), [], true],
  ['ended, and the claim is released', pod('Succeeded'), [released], true],
  ['ended, and the claim stands', pod('Failed'), [claim()], false],
  ['ended, and a claim stands that has no binding label', pod('Failed'), [claim({})], false],
  [
    'ended, and a claim stands in another namespace',
    pod('Failed'),
    [{ metadata: { ...claim().metadata, namespace: 'x' } }],
    true,
  ],
  ['running', pod('Running'), [], false],
  ['ending in its time', pod('Running', { deletionTimestamp: '2026-11-20T12:00:20Z' }), [], false],
  ['ending for too long', pod('Running', longAgo), [], true],
  ['ending for 59 s past its grace', pod('Running', { deletionTimestamp: '2026-11-20T11:59:01Z' }), [], false],
  ['ending for 60 s past its grace', pod('Running', { deletionTimestamp: '2026-11-20T11:59:00Z' }), [], true],
  ['ending for too long, but followed', pod('Running', longAgo), [claim()], false],
  ['without our finalizer', pod('Failed', { finalizers: [] }), [], false],
  ['without a binding', pod('Failed', { labels: {} }), [claim()], true],
  ['of the owner', pod('Failed', { namespace: 'default' }), [], false],
])('a pod %s', (_, given, claims, expected) => {
  expect(findUnfollowed(countPods([given], tenants).lent(), claims, now).steps.has('a')).toBe(expected);
});
