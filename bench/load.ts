/** One run of the load: create all pods, wait until they are Ready, delete them, wait until they are gone. */
import { performance } from 'node:perf_hooks';
import {
  createPods,
  deletePods,
  latencies,
  type LoadSetup,
  loopMeter,
  podNames,
  type Target,
  targetsOf,
  trackersOf,
} from './generator.ts';
import type { Case, Mode } from './options.ts';
import { allOrNone, until } from './parallel.ts';
import { type Phases, phasesOf } from './phases.ts';
import { meter, type SideProcesses, sidesWithout, type Usage } from './processes.ts';
import { QUIET_MOST_MS, settle } from './quiet.ts';
import { summarize, type Summary } from './statistics.ts';
import { difference, type Readings, readBoth, restartedSides, total, type Writes } from './writes.ts';

/** Share of its time that the generator's event loop was busy, above which it may have been what held things up. */
const SATURATED = 0.85;

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
  /** False: the processes of a side run elsewhere, and nothing is said of CPU and memory. */
  measured: boolean;
  usage: Usage[];
  /** How busy the generator was while it sent creations, and deletions: 1 = it had no moment free. */
  generatorBusy: { creating: number; deleting: number };
  /** Watches that the API servers cut and the generator resumed. */
  cutWatches: number;
  /** Why the run does not count; empty: it does. */
  flaws: string[];
  /** What a reader of its figures has to know. */
  remarks: string[];
  /** Through: each step of a pod's way. */
  phases?: Phases;
}

/** Whether a run is part of latest.json and of ratios. */
export function counts({ flaws }: Pick<LoadResult, 'flaws'>): boolean {
  return flaws.length === 0;
}

export interface Evidence {
  generatorBusy: LoadResult['generatorBusy'];
  usage: readonly Usage[];
  /** CPU and memory are measured in this session. */
  measured: boolean;
  /** Found when the run began. */
  processes: SideProcesses;
  before: Readings;
  after: Readings;
  profiled: boolean;
}

function busiest({ creating, deleting }: LoadResult['generatorBusy']): number {
  return Math.max(creating, deleting);
}

/** Whether the generator may have been what held things up. */
function isSaturated(busy: LoadResult['generatorBusy']): boolean {
  return busiest(busy) > SATURATED;
}

/** Whether a run does not count for nothing but a generator that got too little of the machine. */
export function onlySaturated({ flaws, generatorBusy }: Pick<LoadResult, 'flaws' | 'generatorBusy'>): boolean {
  return flaws.length === 1 && isSaturated(generatorBusy);
}

/** What makes a run's figures look better, or worse, than the system is. */
export function flawsOf(evidence: Evidence): string[] {
  const { generatorBusy, usage, measured, processes, before, after, profiled } = evidence;
  const flaws: string[] = [];
  if (isSaturated(generatorBusy)) flaws.push(`generator saturated (${Math.round(busiest(generatorBusy) * 100)} %)`);
  const ended = usage.filter((each) => each.ended);
  if (ended.length > 0)
    flaws.push(`${ended.length} measured process(es) ended: ${ended.map(({ pod }) => pod).join(', ')}`);
  if (measured) {
    for (const side of sidesWithout(processes)) flaws.push(`no process of the ${side} cluster's side was found`);
  }
  for (const side of restartedSides(before, after)) flaws.push(`the API server of the ${side} cluster restarted`);
  if (profiled) flaws.push('profiled');
  return flaws;
}

export interface RunOptions {
  /** A profiler slows the system down meanwhile. */
  profiled?: boolean;
}

export async function runLoad(
  mode: Mode,
  size: Case,
  setup: LoadSetup,
  { profiled = false }: RunOptions = {},
): Promise<LoadResult> {
  const { creators, timeoutMs, say } = setup;
  const targets = targetsOf(mode, size, setup);
  const trackers = trackersOf(setup);
  for (const tracker of trackers) tracker.begin();
  const watches = trackers.map((tracker) => tracker.watches);
  const names = podNames(size.pods);
  const before = await readBoth(setup);
  const processes = await setup.processes();
  const stop = meter(processes);

  const creating = loopMeter();
  const start = performance.now();
  const sent = await allOrNone(targets.map((target) => (signal) => createPods(target, names, creators, { signal })));
  // To the answer of the last creation: no more pods than writers are sent in one turn of the loop, which is always busy.
  creating.mark();
  const ready = () => targets.reduce((sum, { tracker }) => sum + tracker.readyCount, 0);
  const all = size.pods * targets.length;
  const progress = (): string => `${ready()} of ${all}`;
  await until({ what: 'pods Ready', progress, done: () => ready() >= all, timeoutMs, say });
  const seconds = targets.flatMap(({ tracker }, at) => latencies(sent[at] ?? new Map(), tracker));
  const lastReady = lastReadyOf(targets, sent);
  const phases = mode === 'through' ? phasesOf(sent[0] ?? new Map(), setup.home.times, setup.lent.times) : undefined;

  const deleting = loopMeter();
  const deletion = performance.now();
  await allOrNone(
    targets.map(
      ({ client }) =>
        (signal) =>
          deletePods(client, names, creators, { signal }),
    ),
  );
  deleting.mark();
  const left = () => trackers.reduce((sum, { present }) => sum + present, 0);
  await until({ what: 'pods gone', progress: () => `${left()} left`, done: () => left() === 0, timeoutMs, say });
  const deleteSeconds = (performance.now() - deletion) / 1000;
  const { readings: after, quiet } = await settle(() => readBoth(setup));
  const usage = stop();
  const computing = difference(before.computing.writes, after.computing.writes);
  const worker = difference(before.worker.writes, after.worker.writes);
  const generatorBusy = { creating: creating.busy, deleting: deleting.busy };
  return {
    mode,
    ...size,
    ...summarize(seconds),
    podsPerSecond: size.pods / ((lastReady - start) / 1000),
    deleteSeconds,
    writes: { computing: Object.fromEntries(computing), worker: Object.fromEntries(worker) },
    writesComputing: perPod(computing, size.pods, mode !== 'direct'),
    writesWorker: perPod(worker, size.pods, mode !== 'through'),
    measured: setup.measured,
    usage,
    generatorBusy,
    cutWatches: trackers.reduce((sum, tracker, at) => sum + tracker.watches - (watches[at] ?? 0), 0),
    flaws: flawsOf({ generatorBusy, usage, measured: setup.measured, processes, before, after, profiled }),
    remarks: quiet ? [] : [`still writing ${QUIET_MOST_MS / 1000} s after its pods`],
    ...(phases && { phases }),
  };
}

/** When the last pod that was sent became Ready. */
function lastReadyOf(targets: readonly Target[], sent: readonly Map<string, number>[]): number {
  let last = 0;
  for (const [at, { tracker }] of targets.entries()) {
    for (const key of sent[at]?.keys() ?? []) last = Math.max(last, tracker.times.get(key)?.ready ?? 0);
  }
  return last;
}

/** Without the scheduler's binding, and without the generator's creation and deletion where it wrote itself. */
function perPod(writes: Writes, pods: number, generator: boolean): number {
  return total(writes, ['POST pods/binding']) / pods - (generator ? 2 : 0);
}
