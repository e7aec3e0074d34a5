/** Scenarios with all pods of a size present on vnodes: idle cost and restart. */
import { performance } from 'node:perf_hooks';
import { setTimeout as after } from 'node:timers/promises';
import { type KubeClient, type KubeObject, Nodes, Pods } from '@kubeocean/shared/kube';
import { createPods, deletePods, type LoadSetup, podNames, targetsOf, until } from '../load.ts';
import type { BenchOptions, Case } from '../options.ts';
import { meter, type Usage } from '../processes.ts';
import { difference, readWrites } from '../writes.ts';

/** Nothing was told of any pod for so long: it is over. */
const QUIET_MS = 5000;

/** Waits until nobody writes on pods any more; hollow nodes tell of some twice when their watch was cut. */
async function quiet({ home, lent, timeoutMs, say }: LoadSetup): Promise<number> {
  const last = () => Math.max(home.lastEvent, lent.lastEvent);
  const over = () => performance.now() - last() > QUIET_MS;
  await until('no more writes on pods', timeoutMs, over, () => 'not yet', say);
  return last();
}

/** Fills the vnodes; gives the names of the pods, about which nothing more is told. */
export async function fill(size: Case, setup: LoadSetup): Promise<string[]> {
  const [target] = targetsOf('through', size, setup);
  if (!target) throw new Error('there is nowhere to make pods');
  for (const tracker of [setup.home, setup.direct, setup.lent]) tracker.reset();
  const names = podNames(size.pods);
  await createPods(target, names, setup.creators);
  const { home } = setup;
  await until(
    'pods Ready',
    setup.timeoutMs,
    () => home.readyCount >= size.pods,
    () => `${home.readyCount} of ${size.pods}`,
    setup.say,
  );
  await quiet(setup);
  return names;
}

export async function empty(names: readonly string[], setup: LoadSetup): Promise<void> {
  await deletePods(setup.computing, names, setup.creators);
  const left = () => setup.home.present + setup.lent.present;
  await until(
    'pods gone',
    setup.timeoutMs,
    () => left() === 0,
    () => `${left()} left`,
    setup.say,
  );
}

export interface IdleResult extends Case {
  scenario: 'idle';
  seconds: number;
  /** Percent of one core, of all measured processes together. */
  corePercent: number;
  usage: Usage[];
  /** Writes that are neither Leases nor Events; those of Kubernetes' own are in it. */
  writes: { computing: Record<string, number>; worker: Record<string, number> };
}

export async function runIdle(size: Case, seconds: number, setup: LoadSetup): Promise<IdleResult> {
  const before = await Promise.all([readWrites(setup.computing), readWrites(setup.worker)]);
  const stop = meter(await setup.processes());
  await after(seconds * 1000);
  const usage = stop();
  const now = await Promise.all([readWrites(setup.computing), readWrites(setup.worker)]);
  const cpu = usage.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
  return {
    scenario: 'idle',
    ...size,
    seconds,
    corePercent: (cpu / seconds) * 100,
    usage,
    writes: {
      computing: Object.fromEntries(difference(before[0], now[0])),
      worker: Object.fromEntries(difference(before[1], now[1])),
    },
  };
}

export interface RestartResult extends Case {
  scenario: 'restart';
  /** From the deletion of the old processes until a new pod, made at that moment, is Ready. */
  workingSeconds: number;
  /** From the deletion until the last write on any pod. */
  quietSeconds: number;
  /** Pods of either side that vanished, and that came back under another UID. */
  deletions: number;
  recreations: number;
  /** Writes on either side beyond those of the new pod, Leases, Events, and what replaces the deleted processes. */
  needlessWrites: Record<string, number>;
  peakMiB: number;
}

export async function runRestart(size: Case, options: BenchOptions, setup: LoadSetup): Promise<RestartResult> {
  const { home, lent, computing } = setup;
  const [target] = targetsOf('through', size, setup);
  if (!target) throw new Error('there is nowhere to make pods');
  const before = await readOwnWrites(setup);
  const vnodesBefore = await vnodeRevisions(computing);
  const namespace = options.processes.computing;
  const { items } = await computing.list<KubeObject>(Pods, { namespace, labelSelector: options.restartSelector });
  if (items.length === 0)
    throw new Error(
      `no pod of ${namespace} has the label ${options.restartSelector}: name another by --restart-selector`,
    );
  const known = new Map([...home.times, ...prefixed(lent.times)].map(([key, times]) => [key, { ...times }]));
  const start = performance.now();
  await Promise.all(items.map(({ metadata }) => computing.delete(Pods, namespace, metadata.name)));
  const probe = podNames(1);
  const sent = await createPods(target, probe, 1);
  const ready = () => [...sent.keys()].every((key) => home.times.get(key)?.ready !== undefined);
  await until('a pod made during the restart Ready', setup.timeoutMs, ready, () => 'not yet', setup.say);
  const workingSeconds = (performance.now() - start) / 1000;
  const quietSeconds = ((await quiet(setup)) - start) / 1000;
  const now = await readOwnWrites(setup);
  const vnodesNow = await vnodeRevisions(computing);
  const peakMiB = Math.max(...meter(await setup.processes())().map((each) => each.peakMiB));
  let deletions = 0;
  let recreations = 0;
  const needlessWrites = beyond(before, now);
  const changed = [...vnodesNow].filter(([name, revision]) => vnodesBefore.get(name) !== revision).length;
  if (changed > 0) needlessWrites['computing: on vnodes'] = changed;
  const current = new Map([...home.times, ...prefixed(lent.times)]);
  for (const [key, earlier] of known) {
    const times = current.get(key);
    if (!times || times.uid !== earlier.uid) recreations++;
    else if (times.gone !== undefined) deletions++;
    else if (times.revisions > earlier.revisions) {
      const what = key.startsWith('worker/') ? 'worker: on pods' : 'computing: on pods';
      needlessWrites[what] = (needlessWrites[what] ?? 0) + times.revisions - earlier.revisions;
    }
  }
  await deletePods(computing, probe, 1);
  const gone = () =>
    [...sent.keys()].every((key) => (home.times.get(key)?.gone ?? lent.times.get(key)?.gone) !== undefined);
  await until('the new pod gone', setup.timeoutMs, gone, () => 'not yet', setup.say);
  return {
    scenario: 'restart',
    ...size,
    workingSeconds,
    quietSeconds,
    deletions,
    recreations,
    needlessWrites,
    peakMiB,
  };
}

function prefixed<T>(times: Map<string, T>): [string, T][] {
  return [...times].map(([key, value]) => [`worker/${key}`, value]);
}

async function vnodeRevisions(computing: KubeClient): Promise<Map<string, string | undefined>> {
  const { items } = await computing.list<KubeObject>(Nodes, { labelSelector: 'type=virtual-kubelet' });
  return new Map(items.map(({ metadata }) => [metadata.name, metadata.resourceVersion]));
}

/** Writes on what a lent pod consists of. */
async function readOwnWrites(setup: LoadSetup): Promise<Map<string, number>> {
  const sides = await Promise.all([readWrites(setup.computing), readWrites(setup.worker)]);
  const all = new Map<string, number>();
  for (const [at, side] of sides.entries()) {
    for (const [what, count] of side) all.set(`${at === 0 ? 'computing' : 'worker'}: ${what}`, count);
  }
  return all;
}

/**
 * What the new pod and the processes' own pods explain, the binding's words of them too, and the signs of life of nodes
 * that are none of ours. Writes on the pods and vnodes that were there are counted one by one, by their revisions.
 */
const EXPLAINED =
  /^computing: (?:POST|DELETE|PATCH|PUT|APPLY) (?:pods|pods\/binding|pods\/status|serviceaccounts\/token|deployments\/status|replicasets\/status|endpoints|endpointslices|clusterbindings\/status|leases|events)$|(?:leases|events|nodes\/status)$|refused/;
const ONE_POD: Record<string, number> = {
  'worker: POST pods': 1,
  'worker: POST pods/binding': 1,
  'worker: PATCH pods/status': 2,
  'worker: POST secrets': 1,
};

function beyond(before: Map<string, number>, after: Map<string, number>): Record<string, number> {
  const result: Record<string, number> = {};
  for (const [what, count] of difference(before, after)) {
    const more = count - (ONE_POD[what] ?? 0);
    if (more > 0 && !EXPLAINED.test(what)) result[what] = more;
  }
  return result;
}
