/** The parts of claims, volumes and storage classes that the syncer reads or writes. Objects stay raw JSON. */
import type { Json, KubeObject } from '@kubeocean/shared/kube';

export {
  PersistentVolumeClaims as Claims,
  PersistentVolumes as Volumes,
  StorageClasses,
} from '@kubeocean/shared/kube';

/** core/v1 PersistentVolumeClaim, of either cluster. */
export interface Claim extends KubeObject {
  spec: ClaimSpec;
  status?: { phase?: string; capacity?: { storage?: string }; accessModes?: string[]; conditions?: ClaimCondition[] };
}

export interface ClaimSpec extends Json {
  accessModes?: string[];
  volumeMode?: string;
  resources?: { requests?: { storage?: string }; limits?: { storage?: string } };
  storageClassName?: string;
  volumeName?: string;
}

export interface ClaimCondition extends Json {
  type: string;
  status: string;
  reason?: string;
  message?: string;
}

/** core/v1 PersistentVolume of home. */
export interface Volume extends KubeObject {
  spec: {
    capacity?: { storage?: string };
    csi?: { driver: string; volumeHandle: string; [field: string]: unknown };
    claimRef?: { namespace?: string; name?: string; uid?: string; [field: string]: unknown };
    persistentVolumeReclaimPolicy?: string;
    [field: string]: unknown;
  };
  status?: { phase?: string };
}

export interface StorageClass extends KubeObject {
  provisioner: string;
  parameters?: Record<string, string>;
  reclaimPolicy?: string;
  volumeBindingMode?: string;
  mountOptions?: string[];
}

/** Claim to name in events. */
export function claimSubject({ metadata: { name, namespace = '', uid = '' } }: KubeObject): {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace: string; uid: string };
} {
  return { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name, namespace, uid } };
}
