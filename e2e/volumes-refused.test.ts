/**
 * Volumes that cannot be had: what is said at home, on the claim and on the pod, in the words of whoever refused. Nothing
 * waits in silence. The tests run side by side: each has pods and claims of its own.
 */
import { PodCondition, VolumeDriver } from '@kubeocean/shared/api';
import { type KubeObject, Pods, type Resource, sleep } from '@kubeocean/shared/kube';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Claims, StorageClasses, type Volume, Volumes } from '../packages/syncer/src/volumes/types.ts';
import { absent, type RunningProcess, uniqueName, waitFor } from './harness/index.ts';
import { getClaim, getPod, getWorkerClaim, running, showWhy, vnodesReady, warned } from './volumes/look.ts';
import {
  claimVolume,
  cleanupHome,
  createRig,
  FOREVER,
  home,
  type Mounted,
  removeRig,
  type Rig,
  worker,
} from './volumes/rig.ts';
import { storageClasses } from './volumes/storage.ts';

const Quotas: Resource = {
  group: '',
  version: 'v1',
  plural: 'resourcequotas',
  kind: 'ResourceQuota',
  namespaced: true,
};

let rig: Rig;
let syncer: RunningProcess;
let nodeClass: string;

beforeAll(async () => {
  rig = await createRig('refused', { lentPods: { csiDrivers: ['allowed.example.com'] } });
  await worker.create(Quotas, {
    metadata: { name: 'capped', namespace: rig.name },
    spec: { hard: { 'capped-path.storageclass.storage.k8s.io/persistentvolumeclaims': '0' } },
  });
  syncer = rig.startSyncer();
  nodeClass = await rig.offer(storageClasses.node);
  await vnodesReady(rig, syncer);
});

beforeEach(({ onTestFailed }) => onTestFailed(() => showWhy(rig, syncer)));

afterAll(() => removeRig(rig, syncer));

describe.concurrent('a claim says on itself, and on the pod that waits for it,', () => {
  test.each<[what: string, words: string, offer: { class: string; topology?: string }, more: Record<string, unknown>]>([
    [
      'that the owner does not allow the class',
      'storageClassName of a claim must be one of',
      { class: 'forbidden' },
      {},
    ],
    ['that the owner’s quota is full', 'exceeded quota: capped', { class: 'capped-path' }, {}],
    ['that the worker has no such class', '"absent-path" not found', { class: 'absent-path' }, {}],
    [
      'what the worker’s storage says',
      'supports ReadWriteOnce and ReadWriteOncePod only',
      { class: storageClasses.node },
      { accessModes: ['ReadWriteMany'] },
    ],
    ['that its class is wrong', 'has the topology rack', { class: storageClasses.node, topology: 'rack' }, {}],
    [
      'that nothing can be put into a new volume',
      'spec.dataSource, spec.dataSourceRef is not carried',
      { class: storageClasses.node },
      { dataSource: { kind: 'PersistentVolumeClaim', name: 'other' } },
    ],
  ])('%s', async (_, words, offered, more) => {
    const name = uniqueName('claim');
    const { class: workerClass, ...options } = offered;
    const storageClass = await rig.offer(workerClass, options);
    const claim = await rig.claim(name, storageClass, more);
    await rig.pod(name, FOREVER, [claimVolume('data', name)]);
    expect(await warned(rig, 'PersistentVolumeClaim', name, words)).toBeDefined();
    expect(await warned(rig, 'Pod', name, words)).toContain(`waiting for the volume of the claim ${name}`);
    await home.delete(Pods, rig.name, name, { gracePeriodSeconds: 0 });
    await home.delete(Claims, rig.name, name);
    // Nothing of it stays in the worker.
    await absent('worker claim', () => getWorkerClaim(rig, claim));
  });
});

test.concurrent('a worker that goes on refusing gives the pod back to home’s scheduler', {
  timeout: 240_000,
}, async () => {
  const name = uniqueName('given-back');
  await rig.claim(name, await rig.offer('forbidden'));
  await rig.pod(name, FOREVER, [claimVolume('data', name)]);
  const key = `${rig.name}/${name}`;
  let isOver = false;
  const givenBack = syncer
    .waitLog(
      'the node given back',
      (line) => line.msg === 'node of a claim given back to the scheduler' && line['claim'] === key,
      200_000,
    )
    .finally(() => (isOver = true));
  // Claims of others that come and go meanwhile change nothing about it.
  for (let n = 0; n < 20 && !isOver; n++) {
    const other = uniqueName('other');
    await rig.claim(other, nodeClass);
    await home.delete(Claims, rig.name, other);
    await Promise.race([givenBack, sleep(10_000)]);
  }
  await givenBack;
  await home.delete(Pods, rig.name, name, { gracePeriodSeconds: 0 });
});

test.concurrent('a class that does not wait for its pod says so on the claim', async () => {
  const name = uniqueName('at-once');
  await home.create(StorageClasses, {
    metadata: { name },
    provisioner: VolumeDriver,
    parameters: { workerStorageClass: storageClasses.node },
    volumeBindingMode: 'Immediate',
  });
  cleanupHome(StorageClasses, '', name);
  await rig.claim(name, name);
  await warned(rig, 'PersistentVolumeClaim', name, 'must have volumeBindingMode WaitForFirstConsumer');
});

/** The condition by which a pod says that it is not run, or not yet. */
function condition(name: string, type: string, words: string) {
  return waitFor(
    `condition ${type} of ${name} with "${words}"`,
    async () => {
      const { status } = await getPod(rig, name);
      const found = status?.conditions?.find((each) => each.type === type);
      if (found?.message?.includes(words)) return found;
      throw new Error(JSON.stringify(status));
    },
    { timeoutMs: 60_000, everyMs: 200 },
  );
}

describe.concurrent('a pod on a vnode says', () => {
  const nodeName = () => ({ nodeSelector: undefined, nodeName: rig.vnodes[0] });

  test('that its claim is missing, and runs when it is there', async () => {
    const name = uniqueName('missing');
    await rig.pod(name, FOREVER, [claimVolume('data', name)], nodeName());
    await condition(name, PodCondition.refused, `${name} does not exist`);
    await warned(rig, 'Pod', name, `${name} does not exist`);
    await rig.claim(name, nodeClass);
    await condition(name, PodCondition.refused, 'it waits for a volume of the class');
    // A pod with a node has no scheduler that would choose one for the claim.
    await home.patch(Claims, rig.name, name, {
      metadata: { annotations: { 'volume.kubernetes.io/selected-node': rig.vnodes[0] } },
    });
    await running(rig, name);
  });

  test('that its volume exists only at home', async () => {
    const name = uniqueName('at-home');
    await home.create<Volume>(Volumes, {
      metadata: { name },
      spec: {
        accessModes: ['ReadWriteOnce'],
        capacity: { storage: '16Mi' },
        persistentVolumeReclaimPolicy: 'Retain',
        storageClassName: '',
        claimRef: { namespace: rig.name, name },
        hostPath: { path: '/tmp' },
      },
    });
    cleanupHome(Volumes, '', name);
    await rig.claim(name, '', { volumeName: name });
    await waitFor('bound', async () => (await getClaim(rig, name)).status?.phase === 'Bound', { timeoutMs: 60_000 });
    await rig.pod(name, FOREVER, [claimVolume('data', name)], nodeName());
    const { reason } = await condition(name, PodCondition.notRun, '(hostPath), which exists in this cluster only');
    expect(reason).toBe('VolumeNotCarried');
  });

  test.each<[kind: string, by: 'here' | 'worker', words: string, source: Record<string, unknown>]>([
    ['hostPath', 'worker', 'hostPath', { hostPath: { path: '/' } }],
    ['nfs', 'worker', 'volumes of a lent pod must be of the kinds', { nfs: { server: '192.0.2.1', path: '/' } }],
    ['csi', 'worker', 'drivers of csi volumes of a lent pod must be of', { csi: { driver: 'other.example.com' } }],
    [
      'csi with a Secret',
      'here',
      'nodePublishSecretRef',
      { csi: { driver: 'allowed.example.com', nodePublishSecretRef: { name: 'x' } } },
    ],
    [
      'iscsi',
      'here',
      'volumes of kind iscsi',
      { iscsi: { targetPortal: '192.0.2.1', iqn: 'iqn.2001-04.com.example:x', lun: 0 } },
    ],
    ['flexVolume', 'here', 'volumes of kind flexVolume', { flexVolume: { driver: 'example.com/x' } }],
    ['cephfs', 'here', 'volumes of kind cephfs', { cephfs: { monitors: ['192.0.2.1'] } }],
    ['rbd', 'here', 'volumes of kind rbd', { rbd: { monitors: ['192.0.2.1'], image: 'x' } }],
    ['glusterfs', 'here', 'volumes of kind glusterfs', { glusterfs: { endpoints: 'x', path: 'y' } }],
    [
      'awsElasticBlockStore',
      'here',
      'volumes of kind awsElasticBlockStore',
      { awsElasticBlockStore: { volumeID: 'x' } },
    ],
    ['gcePersistentDisk', 'here', 'volumes of kind gcePersistentDisk', { gcePersistentDisk: { pdName: 'x' } }],
    ['azureFile', 'here', 'volumes of kind azureFile', { azureFile: { secretName: 'x', shareName: 'y' } }],
    ['vsphereVolume', 'here', 'volumes of kind vsphereVolume', { vsphereVolume: { volumePath: 'x' } }],
  ])('who refuses a volume of kind %s', async (_, by, words, source) => {
    const name = uniqueName('kind');
    const volume: Mounted = { name: 'data', ...source };
    await rig.pod(name, FOREVER, [volume], nodeName());
    await condition(name, by === 'here' ? PodCondition.notRun : PodCondition.refused, words);
    await home.delete(Pods, rig.name, name, { gracePeriodSeconds: 0 });
  });

  test('which driver the owner lets it name', async () => {
    const name = uniqueName('driver');
    await rig.pod(name, FOREVER, [{ name: 'data', csi: { driver: 'allowed.example.com' } }], nodeName());
    // Its own kubelet has the last word: no such driver is installed there.
    await waitFor('the worker pod', async () => (await workerPods()).find((pod) => isOf(pod, name)), {
      timeoutMs: 60_000,
    });
  });
});

async function workerPods(): Promise<KubeObject[]> {
  return (await worker.list(Pods, { namespace: rig.name })).items;
}

function isOf(pod: KubeObject, name: string): boolean {
  return pod.metadata.annotations?.['kubeocean.io/virtual-pod-name'] === name;
}
