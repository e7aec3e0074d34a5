/** A storm: the status of every pod changes in the worker within ten seconds. */
import { performance } from 'node:perf_hooks';
import { setTimeout as after } from 'node:timers/promises';
import { type KubeObject, Pods } from '@kubeocean/shared/kube';
import { inParallel, type LoadSetup, until } from '../load.ts';
import type { Case } from '../options.ts';
import { summarize, type Summary } from '../statistics.ts';
import { difference, readWrites } from '../writes.ts';

export interface StormResult extends Case {
  scenario: 'storm';
  /** How long the changes took. */
  changeSeconds: number;
  /** From the last change until home showed the last state of every pod. */
  shownSeconds: number;
  /** Seconds from the change of a pod to its being shown. */
  lag: Summary;
  patchesPerPod: number;
}

/** Longest the changes are spread over. */
const STORM_MS = 10_000;

export async function runStorm(size: Case, setup: LoadSetup): Promise<StormResult> {
  const { home, lent, worker } = setup;
  const { items } = await worker
    .list<KubeObject>(Pods, { labelSelector: 'kubeocean.io/binding-uid' })
    .catch(() => ({ items: [] as KubeObject[] }));
  const pods = items.flatMap(({ metadata: { name, namespace = '', annotations } }) => {
    const key = `${annotations?.['kubeocean.io/virtual-pod-namespace']}/${annotations?.['kubeocean.io/virtual-pod-name']}`;
    return lent.times.get(key)?.gone === undefined && home.times.has(key) ? [{ name, namespace, key }] : [];
  });
  const before = await readWrites(setup.computing);
  const sent = new Map<string, number>();
  const start = performance.now();
  await inParallel(pods, setup.creators, async ({ name, namespace, key }, at) => {
    const due = start + (at / pods.length) * STORM_MS;
    if (due > performance.now()) await after(due - performance.now());
    sent.set(key, performance.now());
    const status = {
      containerStatuses: [
        {
          name: 'main',
          image: 'busybox:1.35',
          imageID: '',
          ready: true,
          restartCount: 7,
          state: { running: { startedAt: new Date().toISOString() } },
        },
      ],
    };
    await worker.patch(Pods, namespace, name, { status }, { type: 'merge', subresource: 'status', timeoutMs: 60_000 });
  });
  const changed = performance.now();
  const shown = () => [...sent.keys()].filter((key) => home.times.get(key)?.restarts === 7).length;
  let last = 0;
  await until(
    'the last state shown',
    setup.timeoutMs,
    () => (last = shown()) === sent.size,
    () => `${last} of ${sent.size}`,
    setup.say,
  );
  const shownSeconds = (performance.now() - changed) / 1000;
  await after(2000);
  const writes = difference(before, await readWrites(setup.computing));
  const lag = [...sent].map(([key, at]) => ((home.times.get(key)?.restartsAt ?? Number.NaN) - at) / 1000);
  const patches = (writes.get('PATCH pods/status') ?? 0) + (writes.get('PUT pods/status') ?? 0);
  return {
    scenario: 'storm',
    ...size,
    changeSeconds: (changed - start) / 1000,
    shownSeconds: Math.max(0, shownSeconds),
    lag: summarize(lag),
    patchesPerPod: patches / Math.max(1, sent.size),
  };
}
