/**
 * What a pod takes in the stores of a syncer, and what a watch event of it costs, with and without sharing what pods of a
 * workload say alike (packages/shared/src/kube/share.ts):
 *
 *   node_modules/.bin/node --expose-gc --max-semi-space-size=4 scripts/store-memory.ts [--pods N]
 */
import { byController, keyOf, type KubeObject } from '@kubeocean/shared/kube';
import { Sharing } from '../packages/shared/src/kube/share.ts';
import { readOptionsOrExit } from './agent/options.ts';
import { homePod, versionsOf, workerPod } from './sample-pods.ts';

/** Versions of each pod, as the watch tells of them. */
const VERSIONS = 10;

const { pods: count } = readOptionsOrExit({ pods: 5000 });
const collect = globalThis.gc;
if (!collect) {
  console.error('Node has to be started with --expose-gc, see the top of scripts/store-memory.ts');
  process.exit(2);
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
  const all = Array.from({ length: count }, (_, n) => versionsOf(make(n), n, VERSIONS));
  console.log(`${name} pods of ${all[0]?.[0]?.length} bytes of text, ${count} of one workload`);
  // The first round warms up.
  for (const round of ['to warm up', 'measured']) {
    console.log(round);
    measure('  each its own', all, undefined);
    measure('  shared', all, new Sharing(byController));
  }
}
