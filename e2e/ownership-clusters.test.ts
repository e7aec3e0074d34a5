/**
 * Two computing clusters on one worker cluster, each with a mount namespace and a syncer of its own, and everything else
 * of equal names: the binding, the namespace at home, the pod, its ConfigMap and its Secret. They do not meet.
 */
import { join } from 'node:path';
import { ConfigMaps, type KubeObject, Pods, Secrets } from '@kubeocean/shared/kube';
import { beforeAll, expect, onTestFailed, test } from 'vitest';
import { checkout } from './clusters/paths.ts';
import { absent, kubectl, startApiServer, uniqueName, waitFor } from './harness/index.ts';
import { FOREVER, nothingLeft, type PodRig, podRig, SLOW_MS } from './restart/rig.ts';

const names = { bindingName: uniqueName('same'), homeNamespace: uniqueName('shop') };

let first: PodRig;
let second: PodRig;

beforeAll(async () => {
  const homeServer = await startApiServer();
  const kubeconfig = homeServer.kubeconfig as `/${string}`;
  const kind = join(checkout, 'charts/kubeocean/templates/crds/clusterbindings.yaml');
  await kubectl(kubeconfig, ['apply', '--server-side', '-f', kind]);
  await waitFor('the kind ClusterBinding', () => kubectl(kubeconfig, ['get', 'clusterbindings']));
  first = await podRig('first', names);
  second = await podRig('second', { ...names, homeServer });
});

/** A pod with a ConfigMap and a Secret, put on the vnode by name: in the second cluster no scheduler runs. */
async function create(rig: PodRig, name: string, color: string): Promise<void> {
  const metadata = { name, namespace: rig.homeNamespace };
  await rig.home.create(ConfigMaps, { metadata, data: { color } });
  await rig.home.create(Secrets, { metadata, stringData: { word: `${color}-word` } });
  const container = { envFrom: [{ configMapRef: { name } }, { secretRef: { name } }] };
  const more = { nodeName: rig.vnode, nodeSelector: {}, automountServiceAccountToken: false };
  await rig.create(name, rig.spec(`echo "$color $word"; ${FOREVER}`, more, container));
}

async function output(rig: PodRig, name: string): Promise<string> {
  const look = async () =>
    (await kubectl('worker-1', ['-n', rig.mountNamespace, 'logs', rig.workerName(name)])).stdout.trim();
  return waitFor(`output of ${name}`, look, { timeoutMs: SLOW_MS });
}

async function colorInWorker(rig: PodRig, name: string): Promise<string> {
  const copy = rig.workerName(name, 'configmap');
  const { data } = await rig.worker.get<KubeObject & { data: { color: string } }>(ConfigMaps, rig.mountNamespace, copy);
  return data.color;
}

test('pods, ConfigMaps and Secrets of equal names in two computing clusters do not meet', async () => {
  onTestFailed(() => console.log(`${first.syncer.tail(10)}\n${second.syncer.tail(10)}`));
  const name = uniqueName('web');
  await Promise.all([create(first, name, 'red'), create(second, name, 'blue')]);
  await Promise.all([first.ready(name), second.ready(name)]);
  expect(await output(first, name)).toBe('red red-word');
  expect(await output(second, name)).toBe('blue blue-word');
  const [left, right] = [await first.inWorker(name), await second.inWorker(name)];
  expect(left.metadata.uid).not.toBe(right.metadata.uid);
  expect((await first.atHome(name)).metadata.annotations?.['kubeocean.io/physical-pod-uid']).toBe(left.metadata.uid);
  expect((await second.atHome(name)).metadata.annotations?.['kubeocean.io/physical-pod-uid']).toBe(right.metadata.uid);

  // What changes in the one stays there, its end too.
  await first.home.patch(ConfigMaps, first.homeNamespace, name, { data: { color: 'green' } });
  await waitFor('the change in the worker', async () => (await colorInWorker(first, name)) === 'green', {
    timeoutMs: SLOW_MS,
  });
  await first.home.delete(Pods, first.homeNamespace, name, { gracePeriodSeconds: 1 });
  await first.gone(name);
  await nothingLeft(first);
  const still = await second.inWorker(name);
  expect(still.metadata.uid).toBe(right.metadata.uid);
  expect(still.metadata.deletionTimestamp).toBeUndefined();
  expect(await colorInWorker(second, name)).toBe('blue');

  await second.home.delete(Pods, second.homeNamespace, name, { gracePeriodSeconds: 1 });
  await absent('the second pod', () => second.atHome(name));
  await nothingLeft(second);
});
