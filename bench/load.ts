/** One run of the load: create all pods, wait until they are Ready, delete them, wait until they are gone. */
import { performance } from 'node:perf_hooks';
import { setTimeout as after } from 'node:timers/promises';
import { isNotFound, type KubeClient, Pods } from '@kubeocean/shared/kube';
import type { Case, Mode } from './options.ts';
import { BENCH_NAMESPACE, benchPod, type Placement } from './pods.ts';
import { meter, type Proc, type Usage } from './processes.ts';
import { stopping } from './stop.ts';
import { quantile, summarize, type Summary } from './statistics.ts';
import type { Tracker } from './tracker.ts';
import { difference, readWrites, total, type Writes } from './writes.ts';

/** Share of its time that the generator's event loop was busy, above which it may have been what held things up. */
const SATURATED = 0.85;
/** So long nothing was written when all that belongs to the pods is done: what is removed later than they counts as well. */
const QUIET_MS = 3000;
/** A system that goes on writing has its own reasons. */
const QUIET_MOST_MS = 60_000;

export interface LoadSetup {
  computing: KubeClient;
  worker: KubeClient;
  /** Pods of the load at home, in the worker, and the worker pods of home pods. */
  home: Tracker;
  direct: Tracker;
  lent: Tracker;
  bindingName: (group: number) => string;
  creators: number;
  timeoutMs: number;
  processes: () => Promise<Proc[]>;
  say: (line: string) => void;
}

export interface LoadResult extends Summary {
  mode: Mode;
  pods: number;
  nodes: number;
  bindings: number;
  podsPerSecond: number;
  deleteSeconds: number;
  /** Writes of each side from the first creation to the end of all, by what they are. */
  writes: { computing: Record<string, number>; worker: Record<string, number> };
  /** Writes a pod, without the generator's own and the scheduler's binding. */
  writesComputing: number;
  writesWorker: number;
  usage: Usage[];
  /** Of the generator, while pods were made: 1 = it had no moment free. */
  generatorBusy: number;
  saturated: boolean;
  /** Measured processes that ended meanwhile: CPU and memory are not complete. */
  restarted: number;
  /** Watches that the API servers cut and the generator resumed. */
  cutWatches: number;
  /** Through: p50 and p99 in seconds of each step of a pod's way. */
  phases?: Phases;
}

/** p50 and p99 in seconds of each step of a pod's way. */
export type Phases = Record<string, { p50: number; p99: number }>;

interface Target {
  client: KubeClient;
  tracker: Tracker;
  place: (n: number) => Placement;
}

export function targetsOf(mode: Mode, size: Case, setup: LoadSetup): Target[] {
  const hollow = (): Placement => 'hollow';
  const direct: Target = { client: setup.worker, tracker: setup.direct, place: hollow };
  if (mode === 'direct') return [direct];
  if (mode === 'twin') return [{ client: setup.computing, tracker: setup.home, place: hollow }, direct];
  const onVnode = (n: number): Placement => ({ binding: setup.bindingName(n % size.bindings) });
  return [{ client: setup.computing, tracker: setup.home, place: onVnode }];
}

let series = 0;

/** Names of the pods of one filling; no two are equal in the life of this process. */
export function podNames(count: number): string[] {
  const prefix = `b${process.pid.toString(36)}-${(series++).toString(36)}`;
  return Array.from({ length: count }, (_, n) => `${prefix}-${n}`);
}

/** Runs `work` for each item, `width` at a time. */
export async function inParallel<T>(items: readonly T[], width: number, work: (item: T, at: number) => Promise<void>) {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) await work(items[at] as T, at);
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, lane));
}

/** Waits until `done`; says how far it is every ten seconds. @throws Error naming what did not come. */
export async function until(
  what: string,
  timeoutMs: number,
  done: () => boolean,
  progress: () => string,
  say: (line: string) => void,
): Promise<void> {
  const start = performance.now();
  let told = start;
  while (!done()) {
    stopping.throwIfAborted();
    const now = performance.now();
    if (now - start > timeoutMs) throw new Error(`${what}: not within ${timeoutMs / 1000} s (${progress()})`);
    if (now - told > 10_000) {
      say(`    ${what}: ${progress()}`);
      told = now;
    }
    await after(20);
  }
}

/** Makes pods on a target; gives when each creation was sent. */
export async function createPods(
  target: Target,
  names: readonly string[],
  creators: number,
  namespace = BENCH_NAMESPACE,
): Promise<Map<string, number>> {
  const sent = new Map<string, number>();
  await inParallel(names, creators, async (name, at) => {
    const pod = benchPod(namespace, name, target.place(at));
    sent.set(`${namespace}/${name}`, performance.now());
    await target.client.create(Pods, pod, { timeoutMs: 120_000 });
  });
  return sent;
}

export async function deletePods(
  client: KubeClient,
  names: readonly string[],
  creators: number,
  namespace = BENCH_NAMESPACE,
): Promise<void> {
  await inParallel(names, creators, async (name) => {
    await client.delete(Pods, namespace, name, { timeoutMs: 120_000 }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  });
}

/** Seconds from creation to Ready of each pod. */
export function latencies(sent: Map<string, number>, tracker: Tracker): number[] {
  return [...sent].map(([key, at]) => ((tracker.times.get(key)?.ready ?? Number.NaN) - at) / 1000);
}

export async function runLoad(mode: Mode, size: Case, setup: LoadSetup): Promise<LoadResult> {
  const { creators, timeoutMs, say } = setup;
  const targets = targetsOf(mode, size, setup);
  const trackers = [setup.home, setup.direct, setup.lent];
  for (const tracker of trackers) tracker.reset();
  const watches = trackers.map((tracker) => tracker.watches);
  const names = podNames(size.pods);
  const read = (): Promise<[Writes, Writes]> => Promise.all([readWrites(setup.computing), readWrites(setup.worker)]);
  const before = await read();
  const stop = meter(await setup.processes());

  const idle = performance.eventLoopUtilization();
  const start = performance.now();
  const sent = await Promise.all(targets.map((target) => createPods(target, names, creators)));
  const count = () => targets.reduce((sum, { tracker }) => sum + tracker.readyCount, 0);
  const all = size.pods * targets.length;
  await until(
    'pods Ready',
    timeoutMs,
    () => count() >= all,
    () => `${count()} of ${all}`,
    say,
  );
  const generatorBusy = performance.eventLoopUtilization(idle).utilization;
  const seconds = targets.flatMap(({ tracker }, at) => latencies(sent[at] as Map<string, number>, tracker));
  const lastReady = Math.max(
    ...targets.flatMap(({ tracker }) => [...tracker.times.values()].map(({ ready }) => ready ?? 0)),
  );
  const phases = mode === 'through' ? phasesOf(sent[0] as Map<string, number>, setup.home, setup.lent) : undefined;

  const deleting = performance.now();
  await Promise.all(targets.map(({ client }) => deletePods(client, names, creators)));
  const left = () => trackers.reduce((sum, { present }) => sum + present, 0);
  await until(
    'pods gone',
    timeoutMs,
    () => left() === 0,
    () => `${left()} left`,
    say,
  );
  const deleteSeconds = (performance.now() - deleting) / 1000;
  const after_ = await quiet(read);
  const usage = stop();
  const computing = difference(before[0], after_[0]);
  const worker = difference(before[1], after_[1]);
  return {
    mode,
    ...size,
    ...summarize(seconds),
    podsPerSecond: size.pods / ((lastReady - start) / 1000),
    deleteSeconds,
    writes: { computing: Object.fromEntries(computing), worker: Object.fromEntries(worker) },
    writesComputing: perPod(computing, size.pods, mode !== 'direct'),
    writesWorker: perPod(worker, size.pods, mode !== 'through'),
    usage,
    generatorBusy,
    saturated: generatorBusy > SATURATED,
    restarted: usage.filter(({ peakMiB }) => peakMiB === 0).length,
    cutWatches: trackers.reduce((sum, tracker, at) => sum + tracker.watches - (watches[at] ?? 0), 0),
    ...(phases && { phases }),
  };
}

/** Waits until neither side has written anything but Leases and Events for a while. @returns the last counts */
async function quiet(read: () => Promise<[Writes, Writes]>): Promise<[Writes, Writes]> {
  const end = performance.now() + QUIET_MOST_MS;
  for (let last = await read(); ; ) {
    await after(QUIET_MS);
    const now = await read();
    const written = now.some((writes, side) => total(difference(last[side] as Writes, writes)) > 0);
    if (!written || performance.now() > end) return now;
    last = now;
  }
}

/** Without the scheduler's binding, and without the generator's creation and deletion where it wrote itself. */
function perPod(writes: Writes, pods: number, generator: boolean): number {
  return total(writes, ['POST pods/binding']) / pods - (generator ? 2 : 0);
}

/** Steps of a home pod's way, as seen from outside by both API servers' watches. */
export function phasesOf(sent: Map<string, number>, home: Tracker, lent: Tracker): Phases {
  const steps: Record<string, number[]> = { scheduled: [], accepted: [], placed: [], ready: [], shown: [] };
  for (const [key, created] of sent) {
    const here = home.times.get(key);
    const there = lent.times.get(key);
    if (!here?.bound || !here.ready || !there?.bound || !there.ready) continue;
    steps['scheduled']?.push(here.bound - created);
    steps['accepted']?.push(there.seen - here.bound);
    steps['placed']?.push(there.bound - there.seen);
    steps['ready']?.push(there.ready - there.bound);
    steps['shown']?.push(here.ready - there.ready);
  }
  return Object.fromEntries(
    Object.entries(steps).map(([step, values]) => {
      const sorted = values.map((ms) => ms / 1000).toSorted((a, b) => a - b);
      return [step, { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) }];
    }),
  );
}
