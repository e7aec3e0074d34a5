/**
 * How long a pod takes from being created to Ready: straight in the worker cluster, and through a vnode. Runs on the
 * clusters of `npm run demo`, one pod at a time, alternating. `node scripts/pod-latency.ts [--pods N]`.
 */
import { createReflector, type KubeClient, type KubeObject, Pods } from '@kubeocean/shared/kube';
import { readOptionsOrExit } from './agent/options.ts';
import { localClient } from './local-client.ts';

const NAMESPACE = 'default';
const TIMEOUT_MS = 30_000;

const { pods: count } = readOptionsOrExit({ pods: 10 });

function isReady(pod: KubeObject | undefined): boolean {
  const status = pod?.['status'] as { conditions?: { type: string; status: string }[] } | undefined;
  return (status?.conditions ?? []).some((condition) => condition.type === 'Ready' && condition.status === 'True');
}

interface Lane {
  name: string;
  client: KubeClient;
  /** What places the pod: on a vnode, or on a real worker node. */
  placement: Record<string, unknown>;
  milliseconds: number[];
}

/** Creates one pod, waits until it is Ready, deletes it and waits until it is gone. */
async function measure(lane: Lane, name: string): Promise<number> {
  const stop = new AbortController();
  const reflector = createReflector(lane.client, {
    resource: Pods,
    namespace: NAMESPACE,
    fieldSelector: `metadata.name=${name}`,
  });
  const running = reflector.run(stop.signal);
  const ready = Promise.withResolvers<number>();
  const gone = Promise.withResolvers<void>();
  const timer = setTimeout(() => {
    const text = JSON.stringify(reflector.store.get(`${NAMESPACE}/${name}`)?.['status'] ?? 'no status');
    ready.reject(new Error(`pod ${name} (${lane.name}) is not Ready after ${TIMEOUT_MS / 1000} s: ${text}`));
  }, TIMEOUT_MS);
  try {
    await reflector.store.synced;
    let started = 0;
    reflector.store.onChange(({ current }) => {
      if (isReady(current)) ready.resolve(performance.now() - started);
      if (!current) gone.resolve();
    });
    started = performance.now();
    await lane.client.create(Pods, {
      metadata: { name, namespace: NAMESPACE },
      spec: {
        ...lane.placement,
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name: 'main',
            image: 'busybox:1.35',
            command: ['sleep', '3600'],
            resources: { requests: { cpu: '10m', memory: '16Mi' } },
          },
        ],
      },
    });
    const took = await ready.promise;
    await lane.client.delete(Pods, NAMESPACE, name);
    await gone.promise;
    return took;
  } finally {
    clearTimeout(timer);
    stop.abort();
    await running;
  }
}

function quantile(sorted: number[], q: number): string {
  return ((sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN) / 1000).toFixed(2);
}

const lanes: Lane[] = [
  { name: 'direct', client: localClient('worker-1'), placement: {}, milliseconds: [] },
  {
    name: 'vnode',
    client: localClient('computing'),
    placement: {
      nodeSelector: { type: 'virtual-kubelet' },
      tolerations: [{ key: 'kubeocean.io/vnode', operator: 'Exists' }],
    },
    milliseconds: [],
  },
];
for (let i = 0; i < count; i++) {
  for (const lane of lanes) lane.milliseconds.push(await measure(lane, `latency-${process.pid}-${i}`));
}
console.log(`created → Ready in seconds, ${count} pods each, one at a time\n`);
console.log('          p50    p90    max');
for (const lane of lanes) {
  const sorted = lane.milliseconds.toSorted((a, b) => a - b);
  console.log(`${lane.name.padEnd(8)}${[0.5, 0.9, 1].map((q) => quantile(sorted, q).padStart(6)).join(' ')}`);
}
process.exit(0);
