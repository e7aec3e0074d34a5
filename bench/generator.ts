/** What makes and deletes the pods of the load: the only thing here that writes while something is measured. */
import { performance } from 'node:perf_hooks';
import { type KubeClient, Pods } from '@kubeocean/shared/kube';
import type { Case, Mode } from './options.ts';
import { inParallel } from './parallel.ts';
import { BENCH_NAMESPACE, benchPod, type Placement } from './pods.ts';
import type { SideProcesses } from './processes.ts';
import { gone } from './sides.ts';
import { stopping } from './stop.ts';
import type { Tracker } from './tracker.ts';

/** What runs and scenarios work with. */
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
  processes: () => Promise<SideProcesses>;
  /** Processes of both sides were found on this machine: CPU and memory are measured. */
  measured: boolean;
  say: (line: string) => void;
}

export interface Target {
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

/** Where home pods on vnodes are made. */
export function throughTarget(size: Case, setup: LoadSetup): Target {
  return targetsOf('through', size, setup)[0] as Target;
}

export function trackersOf({ home, direct, lent }: LoadSetup): Tracker[] {
  return [home, direct, lent];
}

let series = 0;

/** Names of the pods of one filling; no two are equal in the life of this process. */
export function podNames(count: number): string[] {
  const prefix = `b${process.pid.toString(36)}-${(series++).toString(36)}`;
  return Array.from({ length: count }, (_, n) => `${prefix}-${n}`);
}

export interface Writing {
  namespace?: string;
  signal?: AbortSignal;
}

/** Makes pods on a target; gives when each creation was sent. */
export async function createPods(
  target: Target,
  names: readonly string[],
  creators: number,
  { namespace = BENCH_NAMESPACE, signal = stopping }: Writing = {},
): Promise<Map<string, number>> {
  const sent = new Map<string, number>();
  target.tracker.expect(names.map((name) => `${namespace}/${name}`));
  const create = async (name: string, at: number, ending: AbortSignal): Promise<void> => {
    const pod = benchPod(namespace, name, target.place(at));
    sent.set(`${namespace}/${name}`, performance.now());
    await target.client.create(Pods, pod, { timeoutMs: 120_000, signal: ending });
  };
  await inParallel(names, creators, create, signal);
  return sent;
}

export async function deletePods(
  client: KubeClient,
  names: readonly string[],
  creators: number,
  { namespace = BENCH_NAMESPACE, signal = stopping }: Writing = {},
): Promise<void> {
  const remove = async (name: string, _at: number, ending: AbortSignal): Promise<void> => {
    await gone(client.delete(Pods, namespace, name, { timeoutMs: 120_000, signal: ending }));
  };
  await inParallel(names, creators, remove, signal);
}

/**
 * Seconds from creation to Ready of each pod.
 * @throws Error when one has none: a figure of the others would look better than it was.
 */
export function latencies(sent: Map<string, number>, tracker: Pick<Tracker, 'times'>): number[] {
  return [...sent].map(([key, at]) => {
    const seconds = ((tracker.times.get(key)?.ready ?? Number.NaN) - at) / 1000;
    if (!Number.isFinite(seconds)) throw new Error(`pod ${key} was Ready, and now nothing tells when: it was replaced`);
    return seconds;
  });
}

/** How busy the event loop was from the making of the meter to the last mark: 1 = it had no moment free. */
export interface LoopMeter {
  mark(): void;
  readonly busy: number;
}

export function loopMeter(): LoopMeter {
  const from = performance.eventLoopUtilization();
  let busy = 0;
  return {
    mark() {
      const { utilization } = performance.eventLoopUtilization(from);
      busy = Number.isFinite(utilization) ? utilization : 0;
    },
    get busy() {
      return busy;
    },
  };
}
