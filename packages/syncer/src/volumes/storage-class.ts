/** What a home StorageClass of ours says, and whether a claim of it can be provisioned at all. Pure. */
import { VolumeDriver, VolumeParameter, VolumeTopologies, type VolumeTopology } from '@kubeocean/shared/api';
import type { Claim, StorageClass } from './types.ts';

export interface Offer {
  /** StorageClass in the worker. */
  workerClass: string;
  topology: VolumeTopology;
}

/** The offer of a class, or in words why it offers nothing: its parameters are the administrator's mistake. */
export function offerOf(storageClass: StorageClass): Offer | string {
  const { parameters = {}, metadata, volumeBindingMode } = storageClass;
  const of = `the StorageClass ${metadata.name}`;
  if (volumeBindingMode !== 'WaitForFirstConsumer') {
    return `${of} must have volumeBindingMode WaitForFirstConsumer: which worker cluster a volume is made in is decided by the pod's node`;
  }
  const known: readonly string[] = Object.values(VolumeParameter);
  const unknown = Object.keys(parameters).filter((name) => !known.includes(name));
  if (unknown.length > 0) return `${of} has unknown parameters: ${unknown.join(', ')}; known: ${known.join(', ')}`;
  const workerClass = parameters[VolumeParameter.workerStorageClass];
  if (!workerClass) {
    return `${of} lacks the parameter ${VolumeParameter.workerStorageClass}: the StorageClass of the worker cluster to make volumes in`;
  }
  const topology = parameters[VolumeParameter.topology] ?? 'node';
  if (!isTopology(topology)) {
    return `${of} has the ${VolumeParameter.topology} ${topology}; it must be one of ${VolumeTopologies.join(', ')}`;
  }
  if ((storageClass.mountOptions ?? []).length > 0) {
    return `${of} has mountOptions, which belong into the worker cluster's class ${workerClass}`;
  }
  return { workerClass, topology };
}

function isTopology(text: string): text is VolumeTopology {
  return VolumeTopologies.some((topology) => topology === text);
}

/** Fields of a claim's spec that would name something of home to the worker's storage. */
const NOT_CARRIED = ['selector', 'dataSource', 'dataSourceRef', 'volumeAttributesClassName'] as const;

/** Why a claim cannot be provisioned, whatever the worker says; undefined when it can. */
export function claimProblem(claim: Claim): string | undefined {
  const asked = NOT_CARRIED.filter((field) => claim.spec[field] !== undefined && claim.spec[field] !== null);
  if (asked.length === 0) return undefined;
  return `volumes of ${VolumeDriver} are made empty, of the class's own kind: spec.${asked.join(', spec.')} is not carried to a worker cluster`;
}
