/**
 * Names of volumes on the wire: the driver that home's claims are provisioned by, what its StorageClasses say, and what
 * marks a claim in the worker. docs/decisions/0016-volumes.md says how they fit together.
 */
import { createHash } from 'node:crypto';

/** Provisioner of StorageClasses and CSI driver of PersistentVolumes in the computing cluster. */
export const VolumeDriver = 'volumes.kubeocean.io';

/** Parameters of a StorageClass with the provisioner {@link VolumeDriver}. */
export const VolumeParameter = {
  /** StorageClass of the worker cluster that its volumes are made in. Required. */
  workerStorageClass: 'workerStorageClass',
  /** From where a volume can be used; one of {@link VolumeTopologies}. Default `node`. */
  topology: 'topology',
} as const;

/**
 * `node`: from the worker node it was made for; `zone`: from nodes with that node's topology.kubernetes.io/zone;
 * `worker`: from every node of the worker cluster.
 */
export const VolumeTopologies = ['node', 'zone', 'worker'] as const;
export type VolumeTopology = (typeof VolumeTopologies)[number];

export const VolumeAnnotation = {
  /** Kubernetes': the node that the scheduler has chosen for a claim, in either cluster. */
  selectedNode: 'volume.kubernetes.io/selected-node',
  /** Kubernetes': set on a claim when the volume controller leaves it to an external provisioner. */
  storageProvisioner: 'volume.kubernetes.io/storage-provisioner',
  /** Kubernetes': who made a volume. */
  provisionedBy: 'pv.kubernetes.io/provisioned-by',
  /** On worker claims: UID of the home claim. */
  virtualUID: 'kubeocean.io/virtual-uid',
  /** On worker claims: the home PersistentVolume that stands for it. From then on there may be data in it. */
  homeVolume: 'kubeocean.io/home-volume',
  /** On worker claims whose home volume went and whose data was to stay: when, RFC 3339. */
  retained: 'kubeocean.io/retained',
} as const;

/** Set by the worker's owner on a claim of their own in a mount namespace: name of the binding that may use it. */
export const OfferedTo = 'kubeocean.io/offered-to';

/** On home PersistentVolumes: kept until the worker claim is gone, or is to stay. */
export const VolumeFinalizer = 'kubeocean.io/volume';

/**
 * Name in the worker of the claim that holds the volume of a home claim. The UID is in the hash: a volume outlives its
 * claim when it is to be retained, and a new claim of the same name must not find it.
 */
export function workerClaimName(namespace: string, name: string, uid: string): string {
  const hash = createHash('sha256').update(['volume', namespace, name, uid].join('/')).digest('hex').slice(0, 32);
  const prefix = name.slice(0, 30).replace(/[^a-z0-9]+$/, '');
  return prefix === '' ? hash : `${prefix}-${hash}`;
}

/** Name of the home PersistentVolume of a home claim; Kubernetes' own provisioners name theirs so. */
export function homeVolumeName(claimUID: string): string {
  return `pvc-${claimUID}`;
}

/** `volumeHandle` of a home PersistentVolume: the binding, and the claim in its mount namespace. */
export function volumeHandle(binding: string, claim: string): string {
  return `${binding}/${claim}`;
}

/** Undefined when the text is no handle. */
export function parseVolumeHandle(handle: string): { binding: string; claim: string } | undefined {
  const parts = handle.split('/');
  const [binding, claim] = parts;
  return parts.length === 2 && binding && claim ? { binding, claim } : undefined;
}
