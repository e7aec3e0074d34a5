/**
 * Volumes of images, and restart policies of containers, where the worker's API server does not know them: it takes them off a
 * pod without a word, and the pod would run without its data, or its container again and again. Home is an API server of the
 * test's own with the feature gates, the worker has none. That such a volume is mounted takes containerd 2.1, which the local
 * clusters do not have.
 */
import { PodCondition } from '@kubeocean/shared/api';
import { isNotFound } from '@kubeocean/shared/kube';
import { beforeAll, expect, test } from 'vitest';
import { applyChart, startApiServer, waitFor } from './harness/index.ts';
import { conditionOf, LONG, type PodRig, podName, podRig, STAY } from './pods/helpers.ts';

let rig: PodRig;

beforeAll(async () => {
  const homeServer = await startApiServer({ flags: ['--feature-gates=ImageVolume=true,ContainerRestartRules=true'] });
  await applyChart(homeServer, 'kubeocean');
  rig = await podRig('image', { homeServer });
}, 300_000);

test('a pod is not run without its volume, and says why', async () => {
  const [name, plain] = [podName(rig, 'models'), podName(rig, 'plain')];
  const volume = { name: 'models', image: { reference: 'kubeocean.local/models:1', pullPolicy: 'Never' } };
  const there = { nodeName: rig.vnode, nodeSelector: {}, automountServiceAccountToken: false };
  await rig.create(
    name,
    rig.spec(STAY, { ...there, volumes: [volume] }, { volumeMounts: [{ name: 'models', mountPath: '/models' }] }),
  );

  const words = 'would run the pod without its volume models: volumes of images need the feature gate ImageVolume';
  expect(await rig.event(name, 'FailedCreate')).toContain(words);
  const refused = await waitFor(
    'the condition',
    async () => conditionOf(await rig.atHome(name), PodCondition.refused),
    LONG,
  );
  expect(refused.message).toContain(words);
  // A pod that comes later runs.
  await rig.create(plain, rig.spec(STAY, there));
  await rig.ready(plain);
  expect(await rig.inWorker(name).catch(isNotFound)).toBe(true);
}, 300_000);

test('a container that is to run once is not run where it would be started anew', async () => {
  const name = podName(rig, 'once');
  const there = { nodeName: rig.vnode, nodeSelector: {}, automountServiceAccountToken: false, restartPolicy: 'Always' };
  await rig.create(name, rig.spec(STAY, there, { restartPolicy: 'Never' }));
  expect(await rig.event(name, 'FailedCreate')).toContain('or decides when it ends (restartPolicy of containers)');
  expect(await rig.inWorker(name).catch(isNotFound)).toBe(true);
}, 300_000);
