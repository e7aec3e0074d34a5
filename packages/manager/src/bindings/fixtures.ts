/** Objects for the manager's tests. */
import type { ClusterBinding } from '@kubeocean/shared/api';
import { parseWorkloads, type Settings } from '../settings.ts';

export const settings: Settings = {
  syncer: { image: 'syncer', replicas: 2, ...parseWorkloads('{}', 'f').syncer },
  proxier: { image: 'proxier', replicas: 2, ...parseWorkloads('{}', 'f').proxier },
  imagePullPolicy: 'IfNotPresent',
  imagePullSecrets: [],
  servingCertificate: 'csr',
  clusterDNS: '',
  clusterDomain: 'cluster.local',
  logLevel: 'info',
};

export function binding(name: string, change: Partial<ClusterBinding['spec']> = {}, born = '2026-01-01T00:00:00Z') {
  return {
    metadata: { name, uid: `uid-of-${name}`, creationTimestamp: born, generation: 1 },
    spec: {
      clusterID: 'cls-example',
      mountNamespace: 'kubeocean-worker',
      secretRef: { name: 'worker-cluster-kubeconfig', namespace: 'kubeocean-system' },
      ...change,
    },
  } satisfies ClusterBinding;
}
