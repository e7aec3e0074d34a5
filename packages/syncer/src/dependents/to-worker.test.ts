import type { KubeObject } from '@kubeocean/shared/kube';
import { describe, expect, it, test } from 'vitest';
import { FACTS, samplePod } from '../pods/samples.ts';
import { isAsMade, renewalTime, toCopy, tokenSeconds, toTokenSecret } from './to-worker.ts';

const metadata = {
  name: 'settings',
  namespace: 'shop',
  uid: 'u',
  resourceVersion: '7',
  labels: { 'argocd.argoproj.io/instance': 'x' },
  annotations: { secret: 'x' },
  ownerReferences: [{ apiVersion: 'v1', kind: 'X', name: 'x', uid: 'x' }],
  finalizers: ['x/y'],
};

test('a copy carries content, and of the metadata nothing', () => {
  const copy = toCopy({ metadata, data: { a: '1' }, binaryData: { b: 'AA==' }, immutable: true }, 'configmap', FACTS);
  expect(copy).toEqual({
    metadata: {
      name: expect.stringMatching(/^settings-[0-9a-f]{32}$/) as string,
      namespace: 'kubeocean-worker',
      labels: {
        'kubeocean.io/managed-by': 'kubeocean',
        'kubeocean.io/cluster-binding': 'example-cluster',
        'kubeocean.io/binding-uid': FACTS.bindingUID,
        'kubeocean.io/virtual-namespace': 'shop',
      },
      annotations: {
        'kubeocean.io/virtual-namespace': 'shop',
        'kubeocean.io/virtual-name': 'settings',
        'kubeocean.io/source-version': 'u/7',
      },
    },
    data: { a: '1' },
    binaryData: { b: 'AA==' },
  });
});

test('a Secret keeps its type', () => {
  const type = 'kubernetes.io/dockerconfigjson';
  expect(toCopy({ metadata, data: {}, type }, 'secret', FACTS)).toMatchObject({ data: {}, type });
});

test('tokens of a pod are one Secret, found by label, dated', () => {
  const secret = toTokenSecret(samplePod(), { 'v.0': 'abc' }, new Date('2026-01-01T01:00:00Z'), FACTS);
  expect(secret).toMatchObject({
    metadata: {
      labels: { 'kubeocean.io/service-account-token': 'true', 'kubeocean.io/binding-uid': FACTS.bindingUID },
      annotations: {
        'kubeocean.io/service-account': 'builder',
        'kubeocean.io/token-renew-at': '2026-01-01T01:00:00.000Z',
        'kubeocean.io/virtual-pod-uid': '22222222-2222-2222-2222-222222222222',
      },
    },
    type: 'Opaque',
    data: { 'v.0': 'YWJj' },
  });
});

test.each([
  [undefined, 3600],
  [3607, 3600],
  [86_400, 3600],
  [1200, 1200],
  [1, 600],
])('a pod that wants a token for %o s gets one for %i s', (wanted, seconds) => {
  expect(tokenSeconds(wanted)).toBe(seconds);
});

test('renewal is at 80 % of the shortest life, and never at once', () => {
  const now = new Date('2026-01-01T00:00:00Z');
  expect(renewalTime([3600, 600], now)).toEqual(new Date('2026-01-01T00:08:00Z'));
  expect(renewalTime([1], now)).toEqual(new Date('2026-01-01T00:00:10Z'));
});

describe('a copy is as it was made', () => {
  const made = toCopy({ metadata, data: { a: '1' }, type: 'Opaque' }, 'secret', FACTS);
  const { labels, annotations } = made.metadata;

  it.each([
    ['itself', made, true],
    [
      'with labels and annotations of others',
      { metadata: { labels: { ...labels, x: 'y' }, annotations: { ...annotations, x: 'y' } } },
      true,
    ],
    ['with an empty map beside', { binaryData: {} }, true],
    ['with another value', { data: { a: '2' } }, false],
    ['with one more key', { data: { a: '1', b: '1' } }, false],
    ['emptied', { data: undefined }, false],
    ['with binary data', { binaryData: { b: 'AA==' } }, false],
    ['of another type', { type: 'kubernetes.io/tls' }, false],
    ['without a label', { metadata: { labels: {}, annotations } }, false],
    [
      'of another version, as it says',
      { metadata: { labels, annotations: { ...annotations, 'kubeocean.io/source-version': 'u/8' } } },
      false,
    ],
  ])('%s', (_, change, expected) => {
    const copy = { ...made, ...change, metadata: { ...made.metadata, ...(change as Partial<KubeObject>).metadata } };
    expect(isAsMade(copy as KubeObject, made)).toBe(expected);
  });
});
