import { expect, test } from 'vitest';
import { samplePod } from '../pods/samples.ts';
import { referencesOf } from './references.ts';

test('an object is required when any reference to it is', () => {
  const pod = samplePod({
    containers: [
      {
        name: 'a',
        envFrom: [{ configMapRef: { name: 'both', optional: true } }, { secretRef: { name: 'soft', optional: true } }],
      },
    ],
    initContainers: [{ name: 'i', env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'both', key: 'k' } } }] }],
    imagePullSecrets: [{ name: 'pull' }],
    volumes: [{ name: 's', secret: { secretName: 'hard' } }],
  });
  expect(referencesOf(pod).objects).toEqual([
    { kind: 'configmap', name: 'both', required: true },
    { kind: 'secret', name: 'soft', required: false },
    { kind: 'secret', name: 'hard', required: true },
    { kind: 'secret', name: 'pull', required: false },
  ]);
});

test('each token source has a key of its own', () => {
  const sources = [{ serviceAccountToken: { path: 'a' } }, { serviceAccountToken: { path: 'b', audience: 'vault' } }];
  const pod = samplePod({ volumes: [{ name: 'tokens', projected: { sources } }] });
  expect(referencesOf(pod).tokens).toEqual([
    { path: 'a', key: 'tokens.0' },
    { path: 'b', audience: 'vault', key: 'tokens.1' },
  ]);
});
