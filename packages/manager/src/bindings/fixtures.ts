/** Objects for the manager's tests. */
import type { ClusterBinding } from '@kubeocean/shared/api';

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
