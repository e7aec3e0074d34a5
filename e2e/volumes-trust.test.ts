/**
 * What credentials could be misused for where volumes are concerned: a tenant's in the worker, a syncer's at home. Each
 * is tried on the real API server and refused, by whom docs/security.md says. No process of ours runs.
 */
import { OfferedTo, VolumeAnnotation, VolumeDriver } from '@kubeocean/shared/api';
import { ApiError, type Json, type KubeClient, Nodes } from '@kubeocean/shared/kube';
import { beforeAll, describe, expect, it } from 'vitest';
import { toWorkerClaim } from '../packages/syncer/src/volumes/to-worker.ts';
import { type Claim, Claims, StorageClasses, type Volume, Volumes } from '../packages/syncer/src/volumes/types.ts';
import { client, merged, uniqueName, waitFor } from './harness/index.ts';
import { cleanupHome, createRig, home, type Rig, worker } from './volumes/rig.ts';
import { storageClasses } from './volumes/storage.ts';

let rig: Rig;
let tenant: KubeClient;
let daemon: KubeClient;
let policy: string;
let objects: string;

beforeAll(async () => {
  rig = await createRig('voltrust');
  tenant = client(rig.tenant);
  daemon = client(rig.daemon);
  policy = `ValidatingAdmissionPolicy '${rig.name}-volumes' with binding '${rig.name}-volumes' denied request`;
  objects = `ValidatingAdmissionPolicy '${rig.name}-objects' with binding '${rig.name}-objects' denied request`;
  // The API server sees new policies a moment later.
  await waitFor('the policies in force', async () => {
    await tenant.create(Claims, claim(), { dryRun: true });
    const error = await failure(tenant.create(Claims, claim({ metadata: { labels: { a: 'b' } } }), { dryRun: true }));
    return error.message.includes(policy);
  });
});

/** What the syncer makes, with changes as a merge patch would make them. */
function claim(changes: Json = {}, node = 'node1'): Claim & { metadata: { namespace: string } } {
  const of: Claim = {
    metadata: { name: uniqueName('data'), namespace: 'shop', uid: crypto.randomUUID() },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
  };
  const facts = { bindingName: rig.name, bindingUID: rig.bindingUID, mountNamespace: rig.name, homeUID: 'h' };
  return merged(toWorkerClaim(of, { ...facts, workerClass: storageClasses.node, node }), changes) as Claim & {
    metadata: { namespace: string };
  };
}

async function failure(attempt: Promise<unknown>): Promise<ApiError> {
  const error = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error, 'the attempt succeeded').toBeInstanceOf(ApiError);
  return error as ApiError;
}

async function refused(attempt: Promise<unknown>, by: string, words: string): Promise<void> {
  const error = await failure(attempt);
  expect(error.message).toContain(by);
  expect(error.message).toContain(words);
  expect(error.code).toBe(403);
}

function annotated(key: string, value: string | null): Json {
  return { metadata: { annotations: { [key]: value } } };
}

describe('a stolen credential of a computing cluster', () => {
  const create = (changes: Json = {}, node?: string) => tenant.create<Claim>(Claims, claim(changes, node));

  it('makes, enlarges, marks and deletes the claims that the syncer makes', async () => {
    const { metadata } = await create();
    const more = { spec: { resources: { requests: { storage: '2Mi' } } } };
    // Nobody binds it so quickly; a claim that is not bound yet cannot grow, which the API server itself says.
    const { message } = await failure(tenant.patch(Claims, rig.name, metadata.name, more, { dryRun: true }));
    expect(message).not.toContain('denied request');
    await tenant.patch(Claims, rig.name, metadata.name, annotated(VolumeAnnotation.homeVolume, 'pvc-x'));
    await tenant.patch(Claims, rig.name, metadata.name, { metadata: { labels: { 'kubeocean.io/binding-uid': 'x' } } });
    await tenant.delete(Claims, rig.name, metadata.name);
  });

  it('marks a claim of a class that is offered no more, and gives it no other class', async () => {
    const withdrawn = (spec: Json) => worker.create(Claims, merged(claim(), { spec }) as Claim);
    const { metadata } = await withdrawn({ storageClassName: 'withdrawn' });
    await tenant.patch(Claims, rig.name, metadata.name, annotated(VolumeAnnotation.retained, 'x'));
    const none = await withdrawn({ storageClassName: null });
    const change = { spec: { storageClassName: 'gold' } };
    await refused(tenant.patch(Claims, rig.name, none.metadata.name, change), objects, 'must be one of');
  });

  it.each<[what: string, attempt: () => Promise<unknown>, by: () => string, words: string]>([
    [
      'of a class that is not offered',
      () => create({ spec: { storageClassName: 'gold' } }),
      () => objects,
      'storageClassName of a claim must be one of',
    ],
    ['of no class', () => create({ spec: { storageClassName: null } }), () => objects, 'must be one of'],
    [
      'of a class said by an annotation',
      () => create(annotated('volume.beta.kubernetes.io/storage-class', 'gold')),
      () => '',
      'denied request',
    ],
    [
      'of a volume of its choice',
      () => create({ spec: { volumeName: 'owners' } }),
      () => objects,
      'it may not choose a volume',
    ],
    ['by labels of volumes', () => create({ spec: { selector: {} } }), () => objects, 'it may not choose a volume'],
    [
      'with somebody’s data',
      () => create({ spec: { dataSource: { kind: 'PersistentVolumeClaim', name: 'other' } } }),
      () => objects,
      'a source of data',
    ],
    [
      'on a node that is not lent',
      () => create({}, 'node99'),
      () => policy,
      'node node99 is not open for volumes of the binding',
    ],
    [
      'on a node lent to another binding',
      () => create({ metadata: { labels: { 'kubeocean.io/cluster-binding': 'other' } } }),
      () => policy,
      'node node1 is not open for volumes of the binding "other"',
    ],
    [
      'of no binding',
      () => create({ metadata: { labels: { 'kubeocean.io/cluster-binding': null } } }),
      () => policy,
      'must have the label kubeocean.io/cluster-binding',
    ],
    [
      'with orders for the owner’s provisioner',
      () => create(annotated('volumeType', 'hostPath')),
      () => policy,
      'refused: volumeType',
    ],
    [
      'that claims to be bound',
      () => create(annotated('pv.kubernetes.io/bind-completed', 'yes')),
      () => policy,
      'refused: pv.kubernetes.io/bind-completed',
    ],
    [
      'in the owner’s name',
      () => create({ metadata: { labels: { [OfferedTo]: 'other' } } }),
      () => policy,
      'are the worker cluster',
    ],
    [
      'that the owner could not get rid of',
      () => create({ metadata: { finalizers: ['example.com/stay'] } }),
      () => objects,
      'only pods may be given a finalizer',
    ],
    [
      'in another namespace',
      () => create({ metadata: { namespace: 'default' } }),
      () => 'cannot create resource "persistentvolumeclaims"',
      'in the namespace "default"',
    ],
  ])('makes no claim %s', (_, attempt, by, words) => refused(attempt(), by(), words));

  describe('with a claim that exists cannot', () => {
    let own: string;
    let offered: string;
    beforeAll(async () => {
      own = (await create()).metadata.name;
      // As the owner's volume controllers do.
      await worker.patch(Claims, rig.name, own, annotated('pv.kubernetes.io/bind-completed', 'yes'));
      offered = uniqueName('offered');
      const labels = { [OfferedTo]: rig.name, 'kubeocean.io/cluster-binding': rig.name };
      await worker.create(Claims, merged(claim(), { metadata: { name: offered, labels } }) as Claim);
    });
    const patch = (changes: Json) => tenant.patch(Claims, rig.name, own, changes);

    it.each<[what: string, attempt: () => Promise<unknown>, by: () => string, words: string]>([
      [
        'move it to a node that is not lent',
        () => patch(annotated(VolumeAnnotation.selectedNode, 'node99')),
        () => policy,
        'node node99 is not open',
      ],
      [
        'move it to another binding',
        () => patch({ metadata: { labels: { 'kubeocean.io/cluster-binding': 'other' } } }),
        () => policy,
        'and keep it',
      ],
      [
        'order its provisioner about',
        () => patch(annotated('volumeType', 'local')),
        () => policy,
        'refused: volumeType',
      ],
      [
        'order its provisioner about by a word without a value',
        () => patch(annotated('volumeType', '')),
        () => policy,
        'refused: volumeType',
      ],
      [
        'take off what a controller wrote',
        () => patch(annotated('pv.kubernetes.io/bind-completed', null)),
        () => policy,
        'refused: pv.kubernetes.io/bind-completed',
      ],
      [
        'offer it as the owner would',
        () => patch({ metadata: { labels: { [OfferedTo]: 'x' } } }),
        () => policy,
        'are the worker cluster',
      ],
      [
        'hold it by a finalizer',
        () => patch({ metadata: { finalizers: ['example.com/stay'] } }),
        () => objects,
        'only pods may be given a finalizer',
      ],
      [
        'change what the owner offers',
        () => tenant.patch(Claims, rig.name, offered, annotated('kubeocean.io/x', 'y')),
        () => policy,
        'are the worker cluster',
      ],
      ['delete what the owner offers', () => tenant.delete(Claims, rig.name, offered), () => objects, 'deleted by the'],
    ])('%s', (_, attempt, by, words) => refused(attempt(), by(), words));
  });

  it.each([
    ['volumes', Volumes],
    ['storage classes', StorageClasses],
    ['nodes', Nodes],
  ])('does not even read %s', async (_, resource) => {
    expect((await failure(tenant.list(resource))).code).toBe(403);
  });
});

describe('a stolen credential of a syncer at home', () => {
  const HOME = "ValidatingAdmissionPolicy 'kubeocean-volumes' with binding 'kubeocean-volumes' denied request";
  const name = uniqueName('voltrust');

  function volume(source: Json): Volume {
    const spec = { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Mi' }, storageClassName: '', ...source };
    return { metadata: { name }, spec };
  }

  beforeAll(async () => {
    await home.create(Volumes, volume({ hostPath: { path: '/tmp' } }));
    cleanupHome(Volumes, '', name);
    await rig.claim(name, '');
  });

  it('makes volumes of its driver', async () => {
    const made = volume({ csi: { driver: VolumeDriver, volumeHandle: 'a/b' } });
    const annotations = { [VolumeAnnotation.provisionedBy]: VolumeDriver };
    made.metadata = { name: uniqueName('voltrust'), annotations };
    await daemon.create(Volumes, made, { dryRun: true });
  });

  it.each<[what: string, attempt: () => Promise<unknown>, words: string]>([
    [
      'makes no volume of a node’s own files',
      () => {
        const made = volume({ hostPath: { path: '/etc' } });
        made.metadata.name = uniqueName('voltrust');
        return daemon.create(Volumes, made);
      },
      'only volumes of the driver volumes.kubeocean.io',
    ],
    [
      'changes no volume of others',
      () => daemon.patch(Volumes, '', name, { spec: { persistentVolumeReclaimPolicy: 'Delete' } }),
      'only volumes of the driver',
    ],
    ['deletes no volume of others', () => daemon.delete(Volumes, '', name), 'only volumes of the driver'],
    [
      'binds no claim',
      () => daemon.patch(Claims, rig.name, name, { spec: { volumeName: 'another' } }),
      'may not change what a claim asks for',
    ],
    [
      'takes no protection off a claim',
      () => daemon.patch(Claims, rig.name, name, { metadata: { finalizers: null } }),
      'neither labels, finalizers and owners of a claim nor its phase',
    ],
    [
      'labels no claim with its status',
      () => daemon.patch(Claims, rig.name, name, { metadata: { labels: { a: 'b' } } }, { subresource: 'status' }),
      'neither labels',
    ],
    [
      'calls no claim lost',
      () => daemon.patch(Claims, rig.name, name, { status: { phase: 'Lost' } }, { subresource: 'status' }),
      'nor its phase',
    ],
  ])('%s', (_, attempt, words) => refused(attempt(), HOME, words));
});
