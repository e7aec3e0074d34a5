/**
 * Volumes of pods on vnodes: home claims get volumes in the worker's real storage, which last, grow, move with nobody
 * and go as their reclaim policy says. Syncer with the rights of the charts, real kubelets.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { OfferedTo, VolumeAnnotation, VolumeDriver, volumeHandle } from '@kubeocean/shared/api';
import { Events, type KubeObject, Pods } from '@kubeocean/shared/kube';
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest';
import { Claims, type Volume, Volumes } from '../packages/syncer/src/volumes/types.ts';
import { absent, type RunningProcess, uniqueName, waitFor } from './harness/index.ts';
import {
  attached,
  Attachments,
  getClaim,
  getPod,
  getWorkerClaim,
  getWorkerPod,
  logOf,
  running,
  showWhy,
  StatefulSets,
  vnodesReady,
  volumeOf,
  workerClaimNameOf,
} from './volumes/look.ts';
import { claimVolume, createRig, FOREVER, home, NODES, podSpec, removeRig, type Rig, worker } from './volumes/rig.ts';
import { storageClasses } from './volumes/storage.ts';

let rig: Rig;
let syncer: RunningProcess;
let nodeClass: string;

beforeAll(async () => {
  rig = await createRig('volumes');
  syncer = rig.startSyncer();
  nodeClass = await rig.offer(storageClasses.node);
  await vnodesReady(rig, syncer);
});

beforeEach(() => onTestFailed(() => showWhy(rig, syncer)));

afterAll(() => removeRig(rig, syncer));

/** Writes its name behind what is there already, and shows it. */
const NOTE = `echo "$HOSTNAME" >> /data/notes; echo "notes: $(cat /data/notes | tr '\\n' ' ')"; ${FOREVER}`;

// One test, so that a second try begins with a StatefulSet of its own.
test('the claims of a StatefulSet last, bring it back, grow, and go', { timeout: 300_000 }, async () => {
  const name = uniqueName('db');
  const claim = `data-${name}-0`;

  {
    const spec = {
      serviceName: name,
      replicas: 1,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { ...podSpec(rig.name, NOTE, [{ name: 'data' }]), volumes: undefined },
      },
      volumeClaimTemplates: [
        {
          metadata: { name: 'data' },
          spec: {
            storageClassName: nodeClass,
            accessModes: ['ReadWriteOnce'],
            resources: { requests: { storage: '16Mi' } },
          },
        },
      ],
    };
    await home.create(StatefulSets, { metadata: { name, namespace: rig.name }, spec });
    await running(rig, `${name}-0`);
  }

  // They are bound to volumes in the worker, each on its node.
  {
    const pod = await getPod(rig, `${name}-0`);
    const at = await getClaim(rig, claim);
    const copy = await getWorkerClaim(rig, at);
    expect(copy.spec).toMatchObject({ storageClassName: storageClasses.node, accessModes: ['ReadWriteOnce'] });
    expect(copy.metadata.annotations?.[VolumeAnnotation.virtualUID]).toBe(at.metadata.uid);
    const volume = await volumeOf(rig, claim);
    expect(volume.spec.csi).toEqual({ driver: VolumeDriver, volumeHandle: volumeHandle(rig.name, copy.metadata.name) });
    expect(volume.spec['nodeAffinity']).toEqual({
      required: {
        nodeSelectorTerms: [
          {
            matchExpressions: [
              { key: 'kubeocean.io/cluster-binding', operator: 'In', values: [rig.name] },
              { key: 'kubeocean.io/physical-node-name', operator: 'In', values: [nodeOf(pod.spec.nodeName)] },
            ],
          },
        ],
      },
    });
    const made = await getWorkerPod(rig, `${name}-0`);
    expect(made.spec['volumes']).toContainEqual({
      name: 'data',
      persistentVolumeClaim: { claimName: copy.metadata.name },
    });
    // Nothing is attached at home: no kubelet is there to do it.
    expect((await home.list(Attachments)).items.filter((each) => attached(each) === volume.metadata.name)).toEqual([]);
  }

  // They keep their data when the pod is deleted, and bring it back to its node.
  {
    const before = await getPod(rig, `${name}-0`);
    await home.delete(Pods, rig.name, `${name}-0`);
    await waitFor('the next pod', async () => (await getPod(rig, `${name}-0`)).metadata.uid !== before.metadata.uid, {
      timeoutMs: 60_000,
    });
    const after = await running(rig, `${name}-0`);
    expect(after.spec.nodeName).toBe(before.spec.nodeName);
    expect(await logOf(rig, `${name}-0`, 'notes:')).toContain(`notes: ${name}-0 ${name}-0`);
  }

  // They grow: the worker is asked, and home shows what it gave.
  {
    const at = await getClaim(rig, claim);
    const more = { spec: { resources: { requests: { storage: '32Mi' } } } };
    rig.storage.enlarges = false;
    await home.patch(Claims, rig.name, claim, more);
    await waitFor('the worker claim asks for more', async () => {
      const now = await getWorkerClaim(rig, at);
      return now.spec.resources?.requests?.storage === '32Mi';
    });
    await waitFor('home says that it waits', async () => {
      const { status } = await getClaim(rig, claim);
      return status?.conditions?.find(({ type, message }) => type === 'Resizing' && message?.includes('has yet to'));
    });
    rig.storage.enlarges = true;
    const capacity = { storage: '32Mi' };
    await waitFor('home shows it', async () => {
      const { status } = await getClaim(rig, claim);
      expect(status?.capacity).toEqual(capacity);
      expect(status?.conditions ?? []).toEqual([]);
      expect((await volumeOf(rig, claim)).spec.capacity).toEqual(capacity);
      return true;
    });
  }

  // They go with their data when they are deleted.
  {
    const at = await getClaim(rig, claim);
    const volume = await volumeOf(rig, claim);
    const copy = await getWorkerClaim(rig, at);
    const behind = copy.spec.volumeName ?? '';
    const folder = rig.storage.folderOf(behind) ?? '';
    expect(existsSync(join(folder, 'notes'))).toBe(true);
    await home.delete(StatefulSets, rig.name, name);
    await home.delete(Claims, rig.name, claim);
    await absent('home volume', () => home.get(Volumes, '', volume.metadata.name), 90_000);
    await absent('worker claim', () => worker.get(Claims, rig.name, copy.metadata.name));
    await absent('worker volume', () => worker.get(Volumes, '', behind));
    expect(existsSync(folder)).toBe(false);
  }
});

function nodeOf(vnode: string | undefined): string {
  return NODES[rig.vnodes.indexOf(vnode ?? '')] ?? '';
}

test('what is retained stays in the worker, and says so when home gives it up', async () => {
  const name = uniqueName('kept');
  const storageClass = await rig.offer(storageClasses.node, { reclaimPolicy: 'Retain' });
  const at = await rig.claim(name, storageClass);
  await rig.pod(name, NOTE, [claimVolume('data', name)]);
  await running(rig, name);
  const volume = await volumeOf(rig, name);
  await home.delete(Pods, rig.name, name, { gracePeriodSeconds: 0 });
  await home.delete(Claims, rig.name, name);
  await waitFor('released', async () => (await readVolume(volume)).status?.phase === 'Released', { timeoutMs: 60_000 });
  await home.delete(Volumes, '', volume.metadata.name);
  await absent('home volume', () => readVolume(volume));
  const copy = await getWorkerClaim(rig, at);
  expect(copy.metadata.annotations?.[VolumeAnnotation.retained]).toBeDefined();
  expect(copy.metadata.deletionTimestamp).toBeUndefined();
  expect(copy.status?.phase).toBe('Bound');
});

function readVolume({ metadata }: Volume): Promise<Volume> {
  return home.get<Volume>(Volumes, '', metadata.name);
}

test('an ephemeral volume comes and goes with its pod', async () => {
  const name = uniqueName('brief');
  const spec = {
    storageClassName: nodeClass,
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: '16Mi' } },
  };
  await rig.pod(name, NOTE, [{ name: 'data', ephemeral: { volumeClaimTemplate: { spec } } }]);
  await running(rig, name);
  expect(await logOf(rig, name, 'notes:')).toContain(`notes: ${name}`);
  const at = await getClaim(rig, `${name}-data`);
  await home.delete(Pods, rig.name, name, { gracePeriodSeconds: 0 });
  await absent('claim', () => getClaim(rig, `${name}-data`));
  await absent('worker claim', () => getWorkerClaim(rig, at), 90_000);
});

test('a volume of the whole worker is shared by pods on two nodes', async () => {
  const name = uniqueName('shared');
  const storageClass = await rig.offer(storageClasses.shared, { topology: 'worker' });
  await rig.claim(name, storageClass, { accessModes: ['ReadWriteMany'] });
  for (const [index, vnode] of rig.vnodes.entries()) {
    await rig.pod(`${name}-${index}`, `touch /data/$HOSTNAME; ${FOREVER}`, [claimVolume('data', name)], {
      nodeSelector: { 'kubernetes.io/hostname': vnode },
    });
  }
  for (const index of rig.vnodes.keys()) await running(rig, `${name}-${index}`);
  await rig.pod(`${name}-2`, `echo "files: $(ls /data | tr '\\n' ' ')"; ${FOREVER}`, [claimVolume('data', name)]);
  await running(rig, `${name}-2`);
  expect(await logOf(rig, `${name}-2`, 'files:')).toContain(`files: ${name}-0 ${name}-1`);
  const volume = await volumeOf(rig, name);
  expect(JSON.stringify(volume.spec['nodeAffinity'])).not.toContain('physical-node-name');
});

test('a claim that the worker’s owner offers is used by a volume made by hand', async () => {
  const name = uniqueName('offered');
  await worker.create(Claims, {
    metadata: {
      name,
      namespace: rig.name,
      labels: { [OfferedTo]: rig.name },
      annotations: { [VolumeAnnotation.selectedNode]: 'node1' },
    },
    spec: {
      storageClassName: storageClasses.shared,
      accessModes: ['ReadWriteMany'],
      resources: { requests: { storage: '16Mi' } },
    },
  });
  const volume = uniqueName('offered');
  await home.create<Volume>(Volumes, {
    metadata: { name: volume },
    spec: {
      accessModes: ['ReadWriteMany'],
      capacity: { storage: '16Mi' },
      persistentVolumeReclaimPolicy: 'Retain',
      storageClassName: '',
      claimRef: { namespace: rig.name, name },
      csi: { driver: VolumeDriver, volumeHandle: volumeHandle(rig.name, name) },
    },
  });
  await rig.claim(name, '', { accessModes: ['ReadWriteMany'], volumeName: volume });
  await rig.pod(name, NOTE, [claimVolume('data', name)]);
  await running(rig, name);
  expect(await logOf(rig, name, 'notes:')).toContain(`notes: ${name}`);
  await home.delete(Pods, rig.name, name, { gracePeriodSeconds: 0 });
  await home.delete(Claims, rig.name, name);
  await waitFor('released', async () => (await home.get<Volume>(Volumes, '', volume)).status?.phase === 'Released', {
    timeoutMs: 60_000,
  });
  await home.delete(Volumes, '', volume);
  const offered = await worker.get(Claims, rig.name, name);
  expect(offered.metadata.deletionTimestamp).toBeUndefined();
});

test('emptyDir is carried with medium and size', async () => {
  const name = uniqueName('scratch');
  const script = `grep ' /memory ' /proc/mounts; echo "size: $(df -m /memory | tail -1)"; touch /disk/x; ${FOREVER}`;
  await rig.pod(name, script, [
    { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '8Mi' } },
    { name: 'disk', emptyDir: { sizeLimit: '1Gi' } },
  ]);
  await running(rig, name);
  const log = await logOf(rig, name, 'size:');
  expect(log).toMatch(/tmpfs \/memory tmpfs .*size=8192k/);
  const made = await getWorkerPod(rig, name);
  expect(made.spec['volumes']).toContainEqual({ name: 'disk', emptyDir: { sizeLimit: '1Gi' } });
});

test('a stranger’s claim under the name that a volume would have is left alone', async () => {
  const name = uniqueName('taken');
  const at = await rig.claim(name, nodeClass);
  const strange = await worker.create(Claims, {
    metadata: { name: workerClaimNameOf(at), namespace: rig.name, labels: { owner: 'somebody' } },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } }, storageClassName: 'none' },
  });
  await rig.pod(name, FOREVER, [claimVolume('data', name)]);
  await waitFor(
    'the claim says so',
    async () => {
      const { items } = await home.list<KubeObject & { message: string }>(Events, {
        namespace: rig.name,
        fieldSelector: `involvedObject.name=${name},reason=NameTaken`,
      });
      return items.find(({ message }) => message.includes('ask the worker'));
    },
    { timeoutMs: 60_000 },
  );
  const now = await worker.get(Claims, rig.name, strange.metadata.name);
  expect(now.metadata).toMatchObject({ uid: strange.metadata.uid, labels: { owner: 'somebody' } });
  expect((await getClaim(rig, name)).spec.volumeName).toBeUndefined();
});
