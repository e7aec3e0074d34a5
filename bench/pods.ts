/** The pods of the load: an ordinary container with requests and the token volume that admission adds. */
import type { Json, KubeObject } from '@kubeocean/shared/kube';

/** Label on everything the bench makes. */
export const BENCH_LABEL = 'kubeocean-bench';
/** Value of the label `type` on the bench's hollow nodes. */
export const HOLLOW_TYPE = 'bench-hollow';
/** Namespace of the load, on both sides. */
export const BENCH_NAMESPACE = 'kubeocean-bench';
/** Namespaces of the small tenants beside the large one. */
export const TENANTS: readonly string[] = Array.from({ length: 10 }, (_, n) => `${BENCH_NAMESPACE}-tenant-${n}`);

/** Value of {@link BENCH_LABEL} on hollow nodes that are never lent. */
export const NOT_LENT = 'not-lent';

/** Value of {@link BENCH_LABEL} on the hollow nodes of one binding. */
export function groupLabel(group: number): string {
  return `group-${group}`;
}

/** Where a pod is to run. */
export type Placement = { binding: string } | 'hollow';

/** Vnodes carry their binding's name. */
function selectorOf(placement: Placement): Record<string, string> {
  return placement === 'hollow'
    ? { type: HOLLOW_TYPE, [BENCH_LABEL]: NOT_LENT }
    : { 'kubeocean.io/cluster-binding': placement.binding };
}

export function benchPod(
  namespace: string,
  name: string,
  placement: Placement,
): Omit<KubeObject, 'metadata'> & { metadata: { name: string; namespace: string } & Json } {
  return {
    metadata: { name, namespace, labels: { app: 'bench', [BENCH_LABEL]: 'pod' } },
    spec: {
      nodeSelector: selectorOf(placement),
      // Hollow nodes and vnodes are tainted; nothing else has the labels that are selected.
      tolerations: [{ operator: 'Exists' }],
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name: 'main',
          image: 'busybox:1.35',
          imagePullPolicy: 'IfNotPresent',
          command: ['sleep', '3600'],
          env: [{ name: 'MODE', value: 'bench' }],
          ports: [{ name: 'http', containerPort: 8080 }],
          resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { memory: '64Mi' } },
        },
      ],
    },
  };
}
