/** Scenarios with all pods of a size present on vnodes: filling, emptying, and the cost of doing nothing. */
import { performance } from 'node:perf_hooks';
import { createPods, deletePods, type LoadSetup, podNames, throughTarget, trackersOf } from '../generator.ts';
import type { Case } from '../options.ts';
import { until } from '../parallel.ts';
import { meter, sidesWithout, type Usage } from '../processes.ts';
import { pause } from '../stop.ts';
import { readBoth, writtenBetween } from '../writes.ts';
import { idleBounds, needless } from './needless.ts';
import { changedRevisions, otherPods, readNodes } from './surroundings.ts';

/** Nothing was told of any pod for so long: it is over. */
const QUIET_MS = 5000;

/** Waits until nobody writes on pods any more; hollow nodes tell of some twice when their watch was cut. */
export async function untilSettled({ home, lent, timeoutMs, say }: LoadSetup): Promise<number> {
  const last = () => Math.max(home.lastEvent, lent.lastEvent);
  const done = () => performance.now() - last() > QUIET_MS;
  await until({ what: 'no more writes on pods', progress: () => 'not yet', done, timeoutMs, say });
  return last();
}

/** The pods that scenarios find. */
export interface Filling {
  names: string[];
  /** performance.now() of the first creation. */
  since: number;
}

/** Fills the vnodes; resolves when nothing more is told about the pods. */
export async function fill(size: Case, setup: LoadSetup): Promise<Filling> {
  for (const tracker of trackersOf(setup)) tracker.begin();
  const names = podNames(size.pods);
  const since = performance.now();
  await createPods(throughTarget(size, setup), names, setup.creators);
  const { home, timeoutMs, say } = setup;
  const progress = () => `${home.readyCount} of ${size.pods}`;
  await until({ what: 'pods Ready', progress, done: () => home.readyCount >= size.pods, timeoutMs, say });
  await untilSettled(setup);
  return { names, since };
}

export async function empty({ names }: Filling, setup: LoadSetup): Promise<void> {
  const { computing, creators, home, lent, timeoutMs, say } = setup;
  await deletePods(computing, names, creators);
  const left = () => home.present + lent.present;
  await until({ what: 'pods gone', progress: () => `${left()} left`, done: () => left() === 0, timeoutMs, say });
}

export interface IdleResult extends Case {
  scenario: 'idle';
  seconds: number;
  /** Percent of one core, of all measured processes together; null: they run on another machine. */
  corePercent: number | null;
  usage: Usage[];
  /** All writes by kind, Leases and Events too; those of Kubernetes' own are in it. */
  writes: Record<string, number>;
  /** What of it neither Leases nor Events nor Kubernetes' own reasons explain. */
  needlessWrites: Record<string, number>;
}

export async function runIdle(size: Case, seconds: number, { since }: Filling, setup: LoadSetup): Promise<IdleResult> {
  const nodes = await readNodes(setup);
  const others = await otherPods(setup);
  const before = await readBoth(setup);
  const processes = await setup.processes();
  const stop = meter(processes);
  const start = performance.now();
  await pause(seconds * 1000);
  const usage = stop();
  const measuredSeconds = (performance.now() - start) / 1000;
  const writes = writtenBetween(before, await readBoth(setup));
  const [missing] = setup.measured ? sidesWithout(processes) : [];
  if (missing) throw new Error(`idle: no process of the ${missing} cluster's side was found`);
  const ended = usage.find((each) => each.ended);
  if (ended) throw new Error(`idle: a measured process of ${ended.pod} ended meanwhile`);
  const cpu = usage.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
  const ageSeconds = (performance.now() - since) / 1000;
  const bounds = idleBounds({ pods: size.pods, ageSeconds, seconds: measuredSeconds, nodes, others });
  return {
    scenario: 'idle',
    ...size,
    seconds,
    corePercent: setup.measured ? (cpu / measuredSeconds) * 100 : null,
    usage,
    writes: Object.fromEntries(writes),
    needlessWrites: {
      ...needless(writes, bounds),
      ...changedRevisions(nodes.vnodes, (await readNodes(setup)).vnodes),
    },
  };
}
