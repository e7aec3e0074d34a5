/** Pods of the bench's shape without a cluster, for measuring what becomes of them in our own processes. */
import type { KubeObject } from '@kubeocean/shared/kube';
import { benchPod } from '../bench/pods.ts';
import { toWorkerPod } from '../packages/syncer/src/pods/translation/to-worker.ts';
import type { Pod } from '../packages/syncer/src/pods/types.ts';

/** As API server and admission leave it. */
export function homePod(n: number): Pod {
  const volume = `kube-api-access-${String(n).padStart(5, '0')}`;
  const { metadata, spec } = benchPod('kubeocean-bench', `run-${n}`, { binding: 'bench' });
  const { containers, ...rest } = spec as Pod['spec'];
  const mounts = [{ name: volume, readOnly: true, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' }];
  const sources = [
    { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
    { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
  ];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...metadata, uid: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`, generation: 1 },
    spec: {
      ...rest,
      containers: containers.map((each) => ({ ...each, volumeMounts: mounts })),
      volumes: [{ name: volume, projected: { sources, defaultMode: 420 } }],
      nodeName: `vnode-bench-${n % 10}`,
      serviceAccountName: 'default',
      schedulerName: 'default-scheduler',
      preemptionPolicy: 'PreemptLowerPriority',
    },
  };
}

/** What the syncer makes of it. */
export function workerPod(n: number): KubeObject {
  return toWorkerPod(homePod(n), {
    bindingName: 'bench',
    bindingUID: '11111111-1111-4111-8111-111111111111',
    mountNamespace: 'kubeocean-bench-worker',
    node: `bench-${n % 10}`,
    directScheduling: false,
    apiServer: { host: '10.1.0.1', port: 6443 },
    dns: { servers: ['10.1.0.10'], domain: 'cluster.local' },
  });
}

/** The pod with its kubelet's words, as text, in so many versions one after the other. */
export function versionsOf(pod: KubeObject, n: number, versions: number): string[] {
  const time = '2026-01-02T03:00:00Z';
  return Array.from({ length: versions }, (_, version) => {
    const conditions = ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map(
      (type) => ({ type, status: version === 0 ? 'False' : 'True', lastProbeTime: null, lastTransitionTime: time }),
    );
    const address = `10.77.${n >> 8}.${n & 255}`;
    const container = {
      name: 'main',
      image: 'busybox:1.35',
      imageID: `docker.io/library/busybox@sha256:${'50aa4698'.repeat(8)}`,
      containerID: `containerd://${String(n).padStart(64, '0')}`,
      restartCount: version,
      state: { running: { startedAt: time } },
    };
    const status = {
      phase: 'Running',
      podIP: address,
      podIPs: [{ ip: address }],
      conditions,
      containerStatuses: [container],
    };
    const metadata = { ...pod.metadata, resourceVersion: String(1000 + n * versions + version) };
    return JSON.stringify({ ...pod, metadata, status });
  });
}
