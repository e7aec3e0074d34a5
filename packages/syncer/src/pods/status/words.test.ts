import { tokenSecretName, workerClaimName, workerName } from '@kubeocean/shared/api';
import { expect, test } from 'vitest';
import { FACTS, samplePod } from '../samples.ts';
import { wordsFor } from './words.ts';

const home = samplePod({
  containers: [{ name: 'main', envFrom: [{ configMapRef: { name: 'settings' } }] }],
  volumes: [
    { name: 'data', persistentVolumeClaim: { claimName: 'claim' } },
    { name: 'scratch', ephemeral: { volumeClaimTemplate: { spec: {} } } },
    { name: 'shared', persistentVolumeClaim: { claimName: 'theirs' } },
    { name: 'access', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } },
  ],
});
const { namespace = '', name, uid = '' } = home.metadata;
const { bindingUID } = FACTS;
const [claim, scratch] = [workerClaimName(namespace, 'claim', 'uid-1'), workerClaimName(namespace, 'own', 'uid-2')];
const worker = samplePod({
  volumes: [
    { name: 'data', persistentVolumeClaim: { claimName: claim } },
    { name: 'scratch', persistentVolumeClaim: { claimName: scratch } },
    { name: 'shared', persistentVolumeClaim: { claimName: 'data' } },
  ],
});
worker.metadata = { ...worker.metadata, uid: '33333333-3333-3333-3333-333333333333' };
const words = wordsFor(home, FACTS, worker);

test.each([
  [
    `configmap "${workerName(bindingUID, namespace, 'settings', 'configmap')}" not found`,
    'configmap "settings" not found',
  ],
  [
    `couldn't find key k in ConfigMap kubeocean-worker/${workerName(bindingUID, namespace, 'settings', 'configmap')}`,
    "couldn't find key k in ConfigMap shop/settings",
  ],
  [
    `back-off 10s restarting failed container=main pod=${workerName(bindingUID, namespace, name)}_kubeocean-worker(33333333-3333-3333-3333-333333333333)`,
    `back-off 10s restarting failed container=main pod=${name}_shop(${uid})`,
  ],
  [`persistentvolumeclaim "${claim}" not found`, 'persistentvolumeclaim "claim" not found'],
  [`claim "${scratch}" is being deleted`, `claim "${name}-scratch" is being deleted`],
  ['persistentvolumeclaim "data" not found; no data', 'persistentvolumeclaim "theirs" not found; no data'],
  [
    `secret "${tokenSecretName(bindingUID, namespace, name, uid)}" not found`,
    'secret "its ServiceAccount token" not found',
  ],
  [
    `object "kubeocean-worker"/"${workerName(bindingUID, namespace, 'settings', 'configmap')}" not registered`,
    'object "shop"/"settings" not registered',
  ],
  ...[
    'namespaces "kubeocean-worker" not found',
    'cannot create resource "pods" in API group "" in the namespace "kubeocean-worker"',
    'nothing of ours, kubeocean-workers/x and default',
    'Failed to pull image "registry.example/kubeocean-worker/app:1": not found',
    'Back-off pulling image "kubeocean-worker/app:1"',
    'error looking up service account kubeocean-worker/default: serviceaccount "default" not found',
  ].map((said): [string, string] => [said, said]),
])('%s', (said, meant) => expect(words(said)).toBe(meant));
