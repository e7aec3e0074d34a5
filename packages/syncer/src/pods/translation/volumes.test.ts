/** Volumes that stand on claims, and kinds that are refused. */
import { tokenSecretName } from '@kubeocean/shared/api';
import { describe, expect, test } from 'vitest';
import { referencesOf } from '../../dependents/references.ts';
import { Refusal } from './refusal.ts';
import type { WorkerFacts } from './to-worker.ts';
import type { Pod, Volume } from '../types.ts';
import { translateVolume } from './volumes.ts';

const home: Pod = { metadata: { name: 'web', namespace: 'shop', uid: 'u1' }, spec: { containers: [] } };
const facts: WorkerFacts = {
  bindingName: 'example-cluster',
  bindingUID: 'b1',
  mountNamespace: 'kubeocean-worker',
  node: 'node1',
  directScheduling: false,
  claims: new Map([['data', 'data-0123']]),
};

describe('a volume', () => {
  test.each<[string, Volume, Volume]>([
    [
      'of a claim',
      { name: 'data', persistentVolumeClaim: { claimName: 'data', readOnly: true } },
      { name: 'data', persistentVolumeClaim: { claimName: 'data-0123', readOnly: true } },
    ],
    [
      'that is ephemeral',
      { name: 'data', ephemeral: { volumeClaimTemplate: { spec: {} } } },
      { name: 'data', persistentVolumeClaim: { claimName: 'data-0123' } },
    ],
    [
      'of an image',
      { name: 'data', image: { reference: 'models:1', pullPolicy: 'Never' } },
      { name: 'data', image: { reference: 'models:1', pullPolicy: 'Never' } },
    ],
    [
      'in memory',
      { name: 'data', emptyDir: { medium: 'Memory', sizeLimit: '1Gi' } },
      { name: 'data', emptyDir: { medium: 'Memory', sizeLimit: '1Gi' } },
    ],
    [
      'of a driver that the pod names',
      { name: 'data', csi: { driver: 'a.b', volumeAttributes: { c: 'd' } } },
      { name: 'data', csi: { driver: 'a.b', volumeAttributes: { c: 'd' } } },
    ],
  ])('%s', (_, volume, expected) => {
    expect(translateVolume(volume, home, facts)).toEqual(expected);
  });

  test.each(['iscsi', 'flexVolume', 'cinder', 'gitRepo', 'somethingNew'])('of kind %s is refused', (kind) => {
    expect(() => translateVolume({ name: 'data', [kind]: {} }, home, facts)).toThrow(Refusal);
  });

  test.each(['persistentVolumeClaim', 'ephemeral'])('of a %s without a claim in the worker is refused', (kind) => {
    const volume = { name: 'other', [kind]: { claimName: 'somebody’s' } };
    expect(() => translateVolume(volume, home, facts)).toThrow('no claim of the worker cluster is known');
  });
});

test('tokens are read from the Secret that they are kept in, each under its own key and path', () => {
  const token = (path: string) => ({ serviceAccountToken: { path, audience: path, expirationSeconds: 600 } });
  const volumes: Volume[] = [
    { name: 'a', projected: { sources: [token('one'), token('two')] } },
    { name: 'b', projected: { sources: [token('one')] } },
  ];
  const keys = referencesOf({ ...home, spec: { containers: [], volumes } }).tokens.map(({ key }) => key);
  expect(new Set(keys).size).toBe(3);
  const name = tokenSecretName('b1', 'shop', 'web', 'u1');
  const from = (at: number, path: string) => ({ secret: { name, items: [{ key: keys[at], path }] } });
  expect(volumes.map((volume) => translateVolume(volume, home, facts).projected?.sources)).toEqual([
    [from(0, 'one'), from(1, 'two')],
    [from(2, 'one')],
  ]);
});

test('the file of a token belongs to whom home gives it', () => {
  const sources = [{ serviceAccountToken: { path: 'token', user: 1000 } }];
  const translated = translateVolume({ name: 'a', projected: { sources } }, home, facts).projected?.sources;
  expect(translated?.[0]?.secret?.['items']).toEqual([{ key: expect.any(String), path: 'token', user: 1000 }]);
});
