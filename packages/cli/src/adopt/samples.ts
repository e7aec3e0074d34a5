/** A binding that gocrane/kubeocean served, for tests. */
import type { ClusterBinding } from '@kubeocean/shared/api';
import { migratedWorkerName } from '@kubeocean/shared/api';
import type { KubeObject } from '@kubeocean/shared/kube';
import type { Found } from './found.ts';

const go = { 'kubeocean.io/managed-by': 'kubeocean' };

export const binding: ClusterBinding = {
  metadata: { name: 'b', uid: 'binding' },
  spec: { clusterID: 'cls', mountNamespace: 'w', secretRef: { name: 's', namespace: 'kubeocean-system' } },
};

export function homePod(name: string, change: Partial<KubeObject['metadata']> = {}): KubeObject {
  const metadata = { namespace: 'shop', name, uid: `home-${name}`, ...change };
  return { metadata, spec: { nodeName: 'vnode-cls-n1' }, status: { phase: 'Running' } };
}

export function workerPod(name: string, change: Partial<KubeObject['metadata']> = {}): KubeObject {
  return {
    metadata: {
      namespace: 'w',
      name: migratedWorkerName('shop', name),
      uid: `worker-${name}`,
      labels: { ...go, app: name },
      annotations: {
        'kubeocean.io/virtual-pod-namespace': 'shop',
        'kubeocean.io/virtual-pod-name': name,
        'kubeocean.io/virtual-pod-uid': `home-${name}`,
        'kubeocean.io/virtual-node-name': 'vnode-cls-n1',
      },
      ...change,
    },
  };
}

export function vnode(change: Partial<KubeObject['metadata']> = {}, spec: object = {}): KubeObject {
  const labels = { ...go, 'kubeocean.io/physical-cluster-id': 'cls', 'kubeocean.io/physical-node-name': 'n1' };
  return { metadata: { name: 'vnode-cls-n1', uid: 'v', resourceVersion: '7', labels, ...change }, spec };
}

export function deployment(name: string, matchLabels: object, more: object = {}): KubeObject {
  const metadata = { namespace: 'kubeocean-system', name, uid: name };
  return { metadata, spec: { selector: { matchLabels }, ...more } };
}

export function found(change: Partial<Found> = {}): Found {
  return {
    binding,
    servers: { computing: 'https://home', worker: 'https://worker' },
    identity: { problems: [], warnings: [] },
    deployments: [],
    pods: [],
    services: [],
    certificate: undefined,
    managerBinding: undefined,
    vnodes: [vnode()],
    csiNodes: [],
    homePods: [],
    copied: [],
    workerPods: [],
    adopted: new Set(),
    useTheirs: false,
    policies: [],
    workerNodes: [],
    priorityClass: undefined,
    ...change,
  };
}
