import { expect, test } from 'vitest';
import { bare, ours } from './kept.ts';

const metadata = {
  name: 'a',
  namespace: 'b',
  uid: 'c',
  resourceVersion: '1',
  creationTimestamp: '2026-01-01T00:00:00Z',
  labels: { 'kubeocean.io/binding-uid': 'x' },
  annotations: { 'kubeocean.io/token-renew-at': 't', 'kubeocean.io/source-version': 'v', note: 'long' },
};

test('of a copy stays what is read again, of another object only who it is', () => {
  const object = { metadata, data: { password: 'secret' } };
  const who = { name: 'a', namespace: 'b', uid: 'c', resourceVersion: '1' };
  expect(bare(object)).toEqual({ metadata: who });
  expect(ours(object)).toEqual({
    metadata: {
      ...who,
      labels: metadata.labels,
      annotations: { 'kubeocean.io/token-renew-at': 't', 'kubeocean.io/source-version': 'v' },
    },
  });
});

test('a copy without annotations is known as well', () => {
  expect(ours({ metadata: { name: 'a' } })).toEqual({ metadata: { name: 'a', annotations: {} } });
});
