/** Claims, classes and vnodes as a cluster has them, for tests of the pure parts. */
import { VolumeDriver } from '@kubeocean/shared/api';
import type { KubeObject } from '@kubeocean/shared/kube';
import { type ClaimFacts, toWorkerClaim } from './to-worker.ts';
import type { Claim, StorageClass } from './types.ts';

export const facts: ClaimFacts = {
  bindingName: 'example-cluster',
  bindingUID: 'b1',
  mountNamespace: 'kubeocean-worker',
  homeUID: 'h1',
  workerClass: 'local-path',
  node: 'node1',
};

export function homeClaim(spec: Partial<Claim['spec']> = {}, status: Claim['status'] = {}): Claim {
  return {
    metadata: { name: 'data', namespace: 'shop', uid: 'c1', resourceVersion: '7' },
    spec: {
      storageClassName: 'vnodes',
      accessModes: ['ReadWriteOnce'],
      volumeMode: 'Filesystem',
      resources: { requests: { storage: '1Gi' } },
      ...spec,
    },
    status,
  };
}

/** The worker's claim for {@link homeClaim}, bound, as large as it was asked for or as `storage` says. */
export function boundClaim(home: Claim, storage = home.spec.resources?.requests?.storage): Claim {
  const made = toWorkerClaim(home, facts);
  return {
    ...made,
    metadata: { ...made.metadata, uid: 'w1' },
    status: { phase: 'Bound', ...(storage !== undefined && { capacity: { storage } }) },
  };
}

export function storageClass(more: Partial<StorageClass> = {}): StorageClass {
  return {
    metadata: { name: 'vnodes' },
    provisioner: VolumeDriver,
    parameters: { workerStorageClass: 'local-path' },
    reclaimPolicy: 'Delete',
    volumeBindingMode: 'WaitForFirstConsumer',
    ...more,
  };
}

export function vnode(labels: Record<string, string> = {}): KubeObject {
  const own = { 'kubeocean.io/physical-node-name': 'node1', 'kubeocean.io/cluster-binding': 'example-cluster' };
  return { metadata: { name: 'vnode-cls-node1', labels: { ...own, ...labels } } };
}
