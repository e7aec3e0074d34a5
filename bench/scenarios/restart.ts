/** All processes of a kind are deleted at once with all pods there: how long until new pods run, and what it costs. */
import { performance } from 'node:perf_hooks';
import { type KubeObject, Pods } from '@kubeocean/shared/kube';
import { createPods, deletePods, type LoadSetup, podNames, throughTarget } from '../generator.ts';
import type { BenchOptions, Case } from '../options.ts';
import { until } from '../parallel.ts';
import { lifePeakMiB } from '../processes.ts';
import { type Sides, waitTelling } from '../sides.ts';
import { stopping } from '../stop.ts';
import type { Times } from '../tracker.ts';
import { readBoth, writtenBetween } from '../writes.ts';
import { needless, restartBounds } from './needless.ts';
import { type Filling, untilSettled } from './present.ts';
import { changedRevisions, otherPods, readNodes } from './surroundings.ts';

export interface RestartResult extends Case {
  scenario: 'restart';
  /** Processes' pods that were deleted, all of which others took the place of. */
  replaced: number;
  /** From the deletion of the old processes until a new pod on each binding, made at that moment, is Ready. */
  workingSeconds: number;
  /** From the deletion until the last write on any pod. */
  quietSeconds: number;
  /** Pods of either side that vanished, and that came back under another UID. */
  deletions: number;
  recreations: number;
  /** All writes of both sides by kind, with those of the new pods and processes. */
  writes: Record<string, number>;
  /** What of it the new pods, the new processes and Kubernetes' own reasons do not explain. */
  needlessWrites: Record<string, number>;
  /** Of the largest of the new processes, over its whole life; null: they run on another machine. */
  peakMiB: number | null;
}

type PodState = Pick<Times, 'uid' | 'revisions' | 'gone'>;

export interface Changes {
  deletions: number;
  recreations: number;
  /** Writes on pods that are still the same. */
  rewritten: number;
}

/** What became of the pods that were there. Those that only came meanwhile are left out. */
export function changesOf(known: ReadonlyMap<string, PodState>, now: ReadonlyMap<string, PodState>): Changes {
  const changes: Changes = { deletions: 0, recreations: 0, rewritten: 0 };
  for (const [key, earlier] of known) {
    if (earlier.gone !== undefined) continue;
    const current = now.get(key);
    if (!current || current.uid !== earlier.uid) changes.recreations++;
    else if (current.gone !== undefined) changes.deletions++;
    else changes.rewritten += current.revisions - earlier.revisions;
  }
  return changes;
}

/** What is still missing until others have taken the place of these pods; undefined: nothing. */
export function notReplaced(deleted: readonly KubeObject[], now: readonly KubeObject[]): string | undefined {
  const old = new Set(deleted.map(({ metadata }) => metadata.uid));
  const remaining = now.filter(({ metadata }) => old.has(metadata.uid));
  const [first] = remaining;
  if (first) return `${first.metadata.name} is still there`;
  const ready = now.filter(isReady).length;
  return ready < deleted.length ? `${ready} of ${deleted.length} new pods are Ready` : undefined;
}

function isReady(pod: KubeObject): boolean {
  const { conditions = [] } = (pod['status'] ?? {}) as { conditions?: { type: string; status: string }[] };
  return conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
}

/** The pods that the scenario deletes. */
export async function restartedPods({ computing }: Sides, options: BenchOptions): Promise<KubeObject[]> {
  const { restartSelector: labelSelector, processes } = options;
  const { items } = await computing.list<KubeObject>(Pods, { namespace: processes.computing, labelSelector });
  return items;
}

export function nothingToRestart({ processes, restartSelector }: BenchOptions): string {
  return `restart: no pod of ${processes.computing} has the label ${restartSelector}; name another by --restart-selector`;
}

function copied(times: ReadonlyMap<string, Times>): Map<string, PodState> {
  return new Map([...times].map(([key, each]) => [key, { ...each }]));
}

export async function runRestart(
  size: Case,
  options: BenchOptions,
  { since }: Filling,
  setup: LoadSetup,
): Promise<RestartResult> {
  const { home, lent, computing, timeoutMs, say } = setup;
  const namespace = options.processes.computing;
  const others = await otherPods(setup);
  const nodes = await readNodes(setup);
  const before = await readBoth(setup);
  const deleted = await restartedPods(setup, options);
  if (deleted.length === 0) throw new Error(nothingToRestart(options));
  const known = { home: copied(home.times), lent: copied(lent.times) };
  const start = performance.now();
  await Promise.all(deleted.map(({ metadata }) => computing.delete(Pods, namespace, metadata.name)));
  // One on each binding: every one of them has lost its processes.
  const probes = podNames(size.bindings);
  const sent = await createPods(throughTarget(size, setup), probes, size.bindings);
  const ready = () => [...sent.keys()].filter((key) => home.times.get(key)?.ready !== undefined).length;
  const progress = () => `${ready()} of ${sent.size}`;
  await until({
    what: 'pods made during the restart Ready',
    progress,
    done: () => ready() === sent.size,
    timeoutMs,
    say,
  });
  const workingSeconds = (performance.now() - start) / 1000;
  await waitTelling({
    what: 'the deleted processes are replaced',
    say,
    probe: async () => notReplaced(deleted, await restartedPods(setup, options)),
    mostMs: timeoutMs,
    signal: stopping,
  });
  const quietSeconds = ((await untilSettled(setup)) - start) / 1000;
  const writes = writtenBetween(before, await readBoth(setup));
  const nodesNow = await readNodes(setup);
  const changes = { home: changesOf(known.home, home.times), lent: changesOf(known.lent, lent.times) };
  const now = performance.now();
  const bounds = restartBounds({
    pods: size.pods,
    ageSeconds: (now - since) / 1000,
    seconds: (now - start) / 1000,
    nodes,
    others,
    deleted: deleted.length,
    probes: probes.length,
  });
  const newPods = new Set((await restartedPods(setup, options)).map(({ metadata }) => metadata.name));
  const processes = setup.measured ? (await setup.processes()).computing.filter(({ pod }) => newPods.has(pod)) : [];
  await deletePods(computing, probes, size.bindings);
  const gone = () =>
    [...sent.keys()].every((key) => home.times.get(key)?.gone !== undefined && lent.times.get(key)?.gone !== undefined);
  await until({ what: 'the new pods gone', progress: () => 'not yet', done: gone, timeoutMs, say });
  return {
    scenario: 'restart',
    ...size,
    replaced: deleted.length,
    workingSeconds,
    quietSeconds,
    deletions: changes.home.deletions + changes.lent.deletions,
    recreations: changes.home.recreations + changes.lent.recreations,
    writes: Object.fromEntries(writes),
    needlessWrites: {
      ...needless(writes, bounds),
      ...changedRevisions(nodes.vnodes, nodesNow.vnodes),
      ...(changes.home.rewritten > 0 && { 'computing: on pods': changes.home.rewritten }),
      ...(changes.lent.rewritten > 0 && { 'worker: on pods': changes.lent.rewritten }),
    },
    peakMiB: setup.measured ? lifePeakMiB(processes) : null,
  };
}
