/** A storm: the status of every pod changes in the worker within ten seconds. */
import { performance } from 'node:perf_hooks';
import { type KubeObject, Pods } from '@kubeocean/shared/kube';
import { type LoadSetup, loopMeter } from '../generator.ts';
import type { Case } from '../options.ts';
import { inParallel, until } from '../parallel.ts';
import { summarize, type Summary } from '../statistics.ts';
import { pause } from '../stop.ts';
import type { Times } from '../tracker.ts';
import { readBoth, writtenBetween } from '../writes.ts';

export interface StormResult extends Case {
  scenario: 'storm';
  /** How long the changes took. */
  changeSeconds: number;
  /** From the last change until home showed the last state of every pod. */
  shownSeconds: number;
  /** Seconds from the change of a pod to its being shown. */
  lag: Summary;
  patchesPerPod: number;
  /** How busy the generator was while it made the changes: 1 = it had no moment free. */
  generatorBusy: number;
}

/** The last change is sent so long after the first: a machine that keeps up has all answers within ten seconds. */
const STORM_MS = 9500;
/** No pod of the load has had so many restarts before. */
const RESTARTS = 7;

interface WorkerPod {
  name: string;
  namespace: string;
  /** `namespace/name` of its home pod. */
  key: string;
}

/**
 * The worker pods of the home pods that are there.
 * @throws Error when there are not as many as the size says: a storm over some of them would look better than it is.
 */
export function stormPods(items: readonly KubeObject[], home: ReadonlyMap<string, Pick<Times, 'gone'>>, size: Case) {
  const pods = items.flatMap(({ metadata: { name, namespace = '', annotations } }): WorkerPod[] => {
    const key = `${annotations?.['kubeocean.io/virtual-pod-namespace']}/${annotations?.['kubeocean.io/virtual-pod-name']}`;
    const there = home.get(key);
    return there && there.gone === undefined ? [{ name, namespace, key }] : [];
  });
  if (pods.length !== size.pods) throw new Error(`storm: ${pods.length} worker pods of ${size.pods} pods are there`);
  return pods;
}

/** Seconds until each change was shown. @throws Error when one was not: it would be missing in the figures. */
export function lags(
  sent: ReadonlyMap<string, number>,
  home: ReadonlyMap<string, Pick<Times, 'restartsAt'>>,
): number[] {
  return [...sent].map(([key, at]) => {
    const seconds = ((home.get(key)?.restartsAt ?? Number.NaN) - at) / 1000;
    if (!Number.isFinite(seconds)) throw new Error(`storm: the change of ${key} was never shown`);
    return seconds;
  });
}

export async function runStorm(size: Case, setup: LoadSetup): Promise<StormResult> {
  const { home, worker, creators, timeoutMs, say } = setup;
  const labelSelector = 'kubeocean.io/binding-uid';
  const { items } = await worker.list<KubeObject>(Pods, { labelSelector }, { timeoutMs: 120_000 });
  const pods = stormPods(items, home.times, size);
  const before = await readBoth(setup);
  const sent = new Map<string, number>();
  const loop = loopMeter();
  const start = performance.now();
  await inParallel(pods, creators, async ({ name, namespace, key }, at, signal) => {
    const due = start + (at / pods.length) * STORM_MS;
    if (due > performance.now()) await pause(due - performance.now(), signal);
    sent.set(key, performance.now());
    const options = { type: 'merge', subresource: 'status', timeoutMs: 60_000, signal } as const;
    await worker.patch(Pods, namespace, name, { status: stormStatus() }, options);
  });
  loop.mark();
  const changed = performance.now();
  const shown = () => [...sent.keys()].filter((key) => home.times.get(key)?.restarts === RESTARTS).length;
  let last = 0;
  const done = () => (last = shown()) === sent.size;
  await until({ what: 'the last state shown', progress: () => `${last} of ${sent.size}`, done, timeoutMs, say });
  const shownSeconds = (performance.now() - changed) / 1000;
  // What is written needlessly afterwards counts as well.
  await pause(2000);
  const writes = writtenBetween(before, await readBoth(setup));
  const patches = (writes.get('computing: PATCH pods/status') ?? 0) + (writes.get('computing: PUT pods/status') ?? 0);
  return {
    scenario: 'storm',
    ...size,
    changeSeconds: (changed - start) / 1000,
    shownSeconds: Math.max(0, shownSeconds),
    lag: summarize(lags(sent, home.times)),
    patchesPerPod: patches / size.pods,
    generatorBusy: loop.busy,
  };
}

function stormStatus() {
  return {
    containerStatuses: [
      {
        name: 'main',
        image: 'busybox:1.35',
        imageID: '',
        ready: true,
        restartCount: RESTARTS,
        state: { running: { startedAt: new Date().toISOString() } },
      },
    ],
  };
}
