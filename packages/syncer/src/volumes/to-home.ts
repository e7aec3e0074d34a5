/** The worker's claim → home's PersistentVolume and what of the claim's status follows it. Pure. */
import {
  Label,
  labelValue,
  ManagedByValue,
  VolumeAnnotation,
  VolumeDriver,
  VolumeFinalizer,
  homeVolumeName,
  volumeHandle,
} from '@kubeocean/shared/api';
import type { Json, KubeObject } from '@kubeocean/shared/kube';
import { cutWords } from '../cut.ts';
import type { Offer } from './storage-class.ts';
import { compare } from './to-worker.ts';
import type { Claim, ClaimCondition, StorageClass, Volume } from './types.ts';

const ZONE = 'topology.kubernetes.io/zone';

export interface VolumeFacts {
  bindingName: string;
  clusterID: string;
  storageClass: StorageClass;
  offer: Offer;
  /** The vnode for which it was made. */
  vnode: KubeObject;
}

/** From where the volume can be used, as requirements on labels of vnodes; in words why that cannot be said. */
export function reach(facts: Pick<VolumeFacts, 'bindingName' | 'offer' | 'vnode'>): Record<string, string> | string {
  const binding = { [Label.clusterBinding]: labelValue(facts.bindingName) };
  const labels = facts.vnode.metadata.labels ?? {};
  if (facts.offer.topology === 'worker') return binding;
  const key = facts.offer.topology === 'node' ? Label.physicalNodeName : ZONE;
  const value = labels[key];
  if (!value) return `the vnode ${facts.vnode.metadata.name} has no label ${key}, by which the volume's place is said`;
  return { ...binding, [key]: value };
}

/**
 * The volume for a home claim whose counterpart in the worker is bound.
 * @throws Error when the vnode does not say where the volume lies; ask {@link reach} before.
 */
export function toHomeVolume(home: Claim, worker: Claim, facts: VolumeFacts): Volume {
  const { namespace = '', name, uid = '' } = home.metadata;
  const where = reach(facts);
  if (typeof where === 'string') throw new Error(where);
  const { storageClass, bindingName, clusterID } = facts;
  const matchExpressions = Object.entries(where).map(([key, value]) => ({ key, operator: 'In', values: [value] }));
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: {
      name: homeVolumeName(uid),
      labels: {
        [Label.managedBy]: ManagedByValue,
        [Label.clusterBinding]: labelValue(bindingName),
        // By which home's admission policy keeps it from the syncers of others.
        [Label.physicalClusterID]: clusterID,
      },
      annotations: { [VolumeAnnotation.provisionedBy]: VolumeDriver },
      finalizers: [VolumeFinalizer],
    },
    spec: {
      accessModes: home.spec.accessModes,
      ...(home.spec.volumeMode && { volumeMode: home.spec.volumeMode }),
      capacity: { storage: grown(worker) ?? home.spec.resources?.requests?.storage ?? '0' },
      storageClassName: storageClass.metadata.name,
      persistentVolumeReclaimPolicy: storageClass.reclaimPolicy ?? 'Delete',
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions }] } },
      csi: { driver: VolumeDriver, volumeHandle: volumeHandle(bindingName, worker.metadata.name) },
    },
  };
}

function grown(worker: Claim): string | undefined {
  return worker.status?.capacity?.storage;
}

/** Merge patch of a home volume whose counterpart has grown; undefined when it shows that. Volumes never shrink. */
export function capacityPatch(volume: Volume, worker: Claim): Json | undefined {
  const now = grown(worker);
  const shown = volume.spec.capacity?.storage ?? '0';
  if (now === undefined || compare(now, shown) <= 0) return undefined;
  return { metadata: uidOf(volume), spec: { capacity: { storage: now } } };
}

export const RESIZING = 'Resizing';

/**
 * Merge patch of a home claim's status: its capacity, and the condition Resizing while the worker is not there yet.
 * Undefined when it shows all of that already.
 */
export function claimStatusPatch(home: Claim, worker: Claim): Json | undefined {
  const status: Json = {};
  const shown = home.status?.capacity?.storage;
  const now = grown(worker);
  if (shown !== undefined && now !== undefined && compare(now, shown) > 0) status['capacity'] = { storage: now };
  const wanted = home.spec.resources?.requests?.storage;
  const pending = now !== undefined && wanted !== undefined && compare(wanted, now) > 0;
  const conditions = home.status?.conditions ?? [];
  const known = conditions.find(({ type }) => type === RESIZING);
  if (pending) {
    const message = waitingWords(worker, now);
    if (known?.status !== 'True' || known.message !== message) {
      const next: ClaimCondition = { type: RESIZING, status: 'True', reason: 'WorkerResizing', message };
      status['conditions'] = [...conditions.filter(({ type }) => type !== RESIZING), { ...known, ...next }];
    }
  } else if (known) status['conditions'] = conditions.filter(({ type }) => type !== RESIZING);
  if (Object.keys(status).length === 0) return undefined;
  // A list in a merge patch replaces the whole: only on the version that was looked at.
  return { metadata: { ...uidOf(home), resourceVersion: home.metadata.resourceVersion }, status };
}

function waitingWords(worker: Claim, now: string): string {
  const said = (worker.status?.conditions ?? [])
    .filter(({ status }) => status === 'True')
    .map(({ type, message }) => (message ? `${type}: ${message}` : type));
  const more = said.length > 0 ? `; it says ${said.join(', ')}` : '';
  return cutWords(`the worker cluster has yet to enlarge the volume, which is ${now}${more}`, 1024);
}

function uidOf({ metadata }: KubeObject): { uid?: string } {
  return metadata.uid ? { uid: metadata.uid } : {};
}
