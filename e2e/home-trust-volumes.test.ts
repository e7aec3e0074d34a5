/**
 * One binding's credential in the computing cluster reaches no volume of another binding, and none that was made by hand: tried
 * with a real token on a real API server that has the chart's roles and policies. What else is held to there:
 * volumes-trust.test.ts.
 */
import { Label, VolumeAnnotation, VolumeDriver } from '@kubeocean/shared/api';
import { type KubeObject, PersistentVolumes } from '@kubeocean/shared/kube';
import { beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from './harness/index.ts';
import { admin, setUp, syncer } from './home-trust/rig.ts';

beforeAll(async () => {
  await setUp();
  await waitFor('the policy in force', () =>
    syncer.create(PersistentVolumes, volume('b'), { dryRun: true }).then(
      () => false,
      ({ message }: Error) => message.includes("'kubeocean-volumes'"),
    ),
  );
});

let count = 0;

/** As the syncer of a clusterID makes it or, as an earlier version did, of none. */
function volume(clusterID: string | undefined, change: Partial<KubeObject['metadata']> = {}): KubeObject {
  const name = `volume-${++count}`;
  return {
    metadata: {
      name,
      annotations: { [VolumeAnnotation.provisionedBy]: VolumeDriver },
      labels: { ...(clusterID !== undefined && { [Label.physicalClusterID]: clusterID }) },
      ...change,
    },
    spec: {
      accessModes: ['ReadWriteOnce'],
      capacity: { storage: '1Mi' },
      storageClassName: '',
      csi: { driver: VolumeDriver, volumeHandle: `binding/${name}` },
    },
  };
}

/** One that is there. */
async function existing(...made: Parameters<typeof volume>): Promise<string> {
  return (await admin.create<KubeObject>(PersistentVolumes, volume(...made))).metadata.name;
}

/** Of a volume that was made without one it is Retain. */
const POLICY = { spec: { persistentVolumeReclaimPolicy: 'Delete' } };
const labelled = (clusterID: string | null) => ({ metadata: { labels: { [Label.physicalClusterID]: clusterID } } });
const patch = async (name: Promise<string>, change: object) => syncer.patch(PersistentVolumes, '', await name, change);

describe('the syncer of one binding', () => {
  it.each([
    ['its own', 'a'],
    ['none', undefined],
  ])('makes, changes, gives up and deletes volumes that say of whose clusterID they are: %s', async (_, clusterID) => {
    await syncer.create(PersistentVolumes, volume(clusterID));
    const own = await existing(clusterID);
    await syncer.patch(PersistentVolumes, '', own, labelled('a'));
    await syncer.patch(PersistentVolumes, '', own, POLICY);
    await syncer.patch(PersistentVolumes, '', own, labelled(null));
    await syncer.delete(PersistentVolumes, '', own);
  });

  const OTHERS = 'a syncer touches the volumes of its own binding only';
  it.each<[what: string, attempt: () => Promise<unknown>, words: string]>([
    ['makes none of another binding', () => syncer.create(PersistentVolumes, volume('b')), OTHERS],
    ['changes none of another binding', () => patch(existing('b'), POLICY), OTHERS],
    ['deletes none', async () => syncer.delete(PersistentVolumes, '', await existing('b')), OTHERS],
    ['takes none by its label', () => patch(existing('b'), labelled('a')), OTHERS],
    ['takes the label off none', () => patch(existing('b'), labelled(null)), OTHERS],
    ['gives none of its own to another binding', () => patch(existing('a'), labelled('b')), OTHERS],
    ['changes none of a cluster whose ID begins like its own', () => patch(existing('a-b'), POLICY), OTHERS],
    ['changes none that was made by hand', () => patch(existing(undefined, { annotations: {} }), POLICY), 'by hand'],
    [
      'deletes none that was made by hand',
      async () => syncer.delete(PersistentVolumes, '', await existing(undefined, { annotations: {} })),
      'by hand',
    ],
  ])('%s', async (_, attempt, words) => {
    const refusal = expect(attempt()).rejects;
    await refusal.toMatchObject({ code: 403, message: expect.stringContaining(words) as string });
  });
});
