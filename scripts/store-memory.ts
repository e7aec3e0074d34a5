/**
 * What a pod takes in the stores of a syncer, and what a watch event of it costs, with and without sharing what pods of a
 * workload say alike (packages/shared/src/kube/share.ts):
 *
 *   node_modules/.bin/node --expose-gc --max-semi-space-size=4 scripts/store-memory.ts [--pods N]
 */
import { parseArgs } from 'node:util';
import { byController, keyOf, type KubeObject } from '@kubeocean/shared/kube';
import { benchPod } from '../bench/pods.ts';
import { Sharing } from '../packages/shared/src/kube/share.ts';
import { toWorkerPod } from '../packages/syncer/src/pods/to-worker.ts';
import type { Pod } from '../packages/syncer/src/pods/types.ts';

/** Versions of each pod, as the watch tells of them. */
const VERSIONS = 10;

const { values } = parseArgs({ options: { pods: { type: 'string', default: '5000' } } });
const count = Number(values.pods);
const collect = globalThis.gc;
if (!collect || !Number.isSafeInteger(count) || count < 1) {
  console.error('usage: node --expose-gc scripts/store-memory.ts [--pods N], with N at least 1');
  process.exit(2);
}

/** As API server, admission and kubelet leave it. */
function homePod(n: number): Pod {
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

function workerPod(n: number): KubeObject {
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

/** The texts of the pod as the watch tells of it, one after the other. */
function texts(pod: KubeObject, n: number): string[] {
  const time = '2026-01-02T03:00:00Z';
  return Array.from({ length: VERSIONS }, (_, version) => {
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
    const metadata = { ...pod.metadata, resourceVersion: String(1000 + n * VERSIONS + version) };
    return JSON.stringify({ ...pod, metadata, status });
  });
}

function measure(kind: string, all: readonly string[][], sharing: Sharing<KubeObject> | undefined): void {
  collect?.();
  const heapBefore = process.memoryUsage().heapUsed;
  const began = process.cpuUsage();
  const store = new Map<string, KubeObject>();
  for (let version = 0; version < VERSIONS; version++) {
    for (const pod of all) {
      const object = JSON.parse(pod[version] as string) as KubeObject;
      const key = keyOf(object);
      sharing?.take(object, store.get(key));
      store.set(key, object);
    }
  }
  const { user, system } = process.cpuUsage(began);
  collect?.();
  const bytes = (process.memoryUsage().heapUsed - heapBefore) / store.size;
  const micros = (user + system) / VERSIONS / store.size;
  console.log(`${kind}: ${Math.round(bytes)} bytes of heap a pod, ${micros.toFixed(1)} µs of CPU an event`);
}

for (const [name, make] of [
  ['home', homePod],
  ['worker', workerPod],
] as const) {
  const all = Array.from({ length: count }, (_, n) => texts(make(n), n));
  console.log(`${name} pods of ${all[0]?.[0]?.length} bytes of text, ${count} of one workload`);
  // The first round warms up.
  for (const round of ['to warm up', 'measured']) {
    console.log(round);
    measure('  each its own', all, undefined);
    measure('  shared', all, new Sharing(byController));
  }
}
