/**
 * Storage for a worker cluster: a provisioner and resizer in the test's own process, doing what sig-storage's library
 * does (claims that name it and their node; volumes that are released), with folders of this machine for volumes. The
 * volume controller, the scheduler and the kubelets that bind and mount them are the real ones.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { VolumeAnnotation } from '@kubeocean/shared/api';
import {
  createReflector,
  Events,
  isAlreadyExists,
  isNotFound,
  type KubeClient,
  microTime,
  WorkQueue,
} from '@kubeocean/shared/kube';
import { compareQuantities, parseQuantity } from '@kubeocean/shared/lease';
import {
  type Claim,
  Claims,
  claimSubject,
  StorageClasses,
  type Volume,
  Volumes,
} from '../../packages/syncer/src/volumes/types.ts';
import { cleanup } from '../harness/index.ts';

const PROVISIONER = 'kubeocean.local/folders';

/** Volumes of one node, and volumes of all. */
export const storageClasses = { node: 'e2e-folders', shared: 'e2e-shared-folders' } as const;

export interface Storage {
  /** Whether volumes are made. Default true. */
  makes: boolean;
  /** Whether volumes are enlarged when a claim asks for it. Default true. */
  enlarges: boolean;
  /** Folder of a volume by its name. */
  folderOf(volume: string): string | undefined;
}

/** Runs until the end of the test file. @param folder where volumes lie */
export async function startStorage(worker: KubeClient, folder: string): Promise<Storage> {
  for (const name of Object.values(storageClasses)) {
    const storageClass = {
      metadata: { name },
      provisioner: PROVISIONER,
      volumeBindingMode: 'WaitForFirstConsumer',
      reclaimPolicy: 'Delete',
      allowVolumeExpansion: true,
    };
    await worker.apply(StorageClasses, storageClass, 'kubeocean-e2e');
  }
  const storage: Storage = {
    makes: true,
    enlarges: true,
    folderOf: (name) => (volumes.store.get(name)?.spec['hostPath'] as { path: string } | undefined)?.path,
  };
  const claims = createReflector<Claim>(worker, { resource: Claims });
  const volumes = createReflector<Volume>(worker, { resource: Volumes });
  const options = { workers: 4, baseDelayMs: 500, maxDelayMs: 5000 };
  const claimQueue = new WorkQueue(syncClaim, options);
  const volumeQueue = new WorkQueue(syncVolume, options);

  async function syncClaim(key: string): Promise<{ againInMs: number } | undefined> {
    const claim = claims.store.get(key);
    const annotations = claim?.metadata.annotations;
    if (!claim || annotations?.[VolumeAnnotation.storageProvisioner] !== PROVISIONER) return undefined;
    if (claim.spec.volumeName) return claim.status?.phase === 'Bound' ? enlarge(claim) : undefined;
    const node = annotations[VolumeAnnotation.selectedNode];
    if (!node || claim.metadata.deletionTimestamp) return undefined;
    if (!storage.makes) return { againInMs: 300 };
    const shared = claim.spec.storageClassName === storageClasses.shared;
    const ofOne = claim.spec.accessModes?.every((mode) => ['ReadWriteOnce', 'ReadWriteOncePod'].includes(mode));
    if (!shared && !ofOne) {
      await warn(claim, 'failed to provision: a folder of one node supports ReadWriteOnce and ReadWriteOncePod only');
      return { againInMs: 5000 };
    }
    await makeVolume(claim, shared ? undefined : node);
    return undefined;
  }

  async function makeVolume(claim: Claim, node: string | undefined): Promise<void> {
    const { namespace = '', name, uid = '' } = claim.metadata;
    const volume = `pvc-${uid}`;
    const path = join(folder, node ?? 'shared', volume);
    mkdirSync(path, { recursive: true });
    const matchExpressions = [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }];
    try {
      await worker.create<Volume>(Volumes, {
        metadata: { name: volume, annotations: { [VolumeAnnotation.provisionedBy]: PROVISIONER } },
        spec: {
          accessModes: claim.spec.accessModes,
          capacity: { storage: claim.spec.resources?.requests?.storage ?? '0' },
          storageClassName: claim.spec.storageClassName,
          persistentVolumeReclaimPolicy: 'Delete',
          claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid },
          hostPath: { path, type: 'Directory' },
          ...(node !== undefined && { nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions }] } } }),
        },
      });
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
  }

  async function enlarge(claim: Claim): Promise<{ againInMs: number } | undefined> {
    const wanted = claim.spec.resources?.requests?.storage ?? '0';
    const given = claim.status?.capacity?.storage ?? '0';
    if (compareQuantities(parseQuantity(wanted), parseQuantity(given)) <= 0) return undefined;
    if (!storage.enlarges) return { againInMs: 300 };
    const capacity = { storage: wanted };
    await worker.patch(Volumes, '', claim.spec.volumeName ?? '', { spec: { capacity } });
    const { namespace = '', name } = claim.metadata;
    await worker.patch(Claims, namespace, name, { status: { capacity } }, { subresource: 'status' });
    return undefined;
  }

  async function syncVolume(name: string): Promise<void> {
    const volume = volumes.store.get(name);
    if (volume?.metadata.annotations?.[VolumeAnnotation.provisionedBy] !== PROVISIONER) return;
    if (volume.status?.phase !== 'Released' || volume.spec.persistentVolumeReclaimPolicy !== 'Delete') return;
    rmSync(storage.folderOf(name) ?? '', { recursive: true, force: true });
    await worker.delete(Volumes, '', name).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }

  async function warn(claim: Claim, message: string): Promise<void> {
    const { namespace = '' } = claim.metadata;
    const { apiVersion, kind, metadata } = claimSubject(claim);
    await worker.create(Events, {
      metadata: { generateName: 'storage.', namespace },
      involvedObject: { apiVersion, kind, ...metadata },
      type: 'Warning',
      reason: 'ProvisioningFailed',
      message,
      eventTime: microTime(new Date()),
      action: 'Provision',
      reportingComponent: PROVISIONER,
      reportingInstance: 'e2e',
    });
  }

  claims.store.onChange(({ key }) => claimQueue.add(key));
  volumes.store.onChange(({ key }) => volumeQueue.add(key));
  claimQueue.start();
  volumeQueue.start();
  const stop = new AbortController();
  const running = [claims.run(stop.signal), volumes.run(stop.signal)];
  cleanup(async () => {
    stop.abort();
    await Promise.all([claimQueue.stop(), volumeQueue.stop(), ...running]);
  });
  await Promise.all([claims.store.synced, volumes.store.synced]);
  return storage;
}
