/** One tenant with many pods beside ten with few: how long the few wait. */
import {
  createPods,
  deletePods,
  latencies,
  type LoadSetup,
  loopMeter,
  podNames,
  throughTarget,
  trackersOf,
} from '../generator.ts';
import type { Case } from '../options.ts';
import { allOrNone, inParallel, until } from '../parallel.ts';
import { type Phases, phasesOf } from '../phases.ts';
import { BENCH_NAMESPACE } from '../pods.ts';
import { summarize, type Summary } from '../statistics.ts';
import { pause } from '../stop.ts';

/** Each small tenant has so many pods, one after the other. */
const SMALL_PODS = 10;

export interface TenantsResult extends Case {
  scenario: 'tenants';
  /** Created → Ready of the small tenants' pods, alone and beside the big one. */
  alone: Summary & { phases: Phases };
  beside: Summary & { phases: Phases };
  /** How busy the generator was while it sent the big one's pods: 1 = it had no moment free. */
  generatorBusy: number;
}

/** Namespaces with ten pods each: alone, and while another namespace gets all pods of the size. */
export async function runTenants(size: Case, namespaces: readonly string[], setup: LoadSetup): Promise<TenantsResult> {
  const { computing, home, lent, creators, timeoutMs, say } = setup;
  const target = throughTarget(size, setup);
  for (const tracker of trackersOf(setup)) tracker.begin();
  const made: string[] = [];
  const small = async (signal: AbortSignal): Promise<TenantsResult['alone']> => {
    const all = new Map<string, number>();
    // One pod of each tenant at a time, all along the big one's load.
    for (let round = 0; round < SMALL_PODS; round++) {
      const sent = new Map<string, number>();
      await allOrNone(
        namespaces.map((namespace) => async (ending) => {
          const options = { namespace, signal: ending };
          for (const [key, at] of await createPods(target, podNames(1), 1, options)) sent.set(key, at);
        }),
        signal,
      );
      const done = () => [...sent.keys()].every((key) => home.times.get(key)?.ready !== undefined);
      await until({ what: "the small tenants' pods Ready", progress: () => 'not yet', done, timeoutMs, say, signal });
      for (const [key, at] of sent) all.set(key, at);
    }
    made.push(...all.keys());
    return { ...summarize(latencies(all, home)), phases: phasesOf(all, home.times, lent.times) };
  };
  const [alone] = await allOrNone([small]);
  const names = podNames(size.pods);
  const loop = loopMeter();
  const big = async (signal: AbortSignal): Promise<undefined> => {
    await createPods(target, names, creators, { signal });
    loop.mark();
    return undefined;
  };
  const [, beside] = await allOrNone<TenantsResult['beside'] | undefined>([
    big,
    async (signal) => {
      // The big one is under way.
      await pause(1000, signal);
      return small(signal);
    },
  ]);
  if (!alone || !beside) throw new Error('tenants: nothing was measured');
  made.push(...names.map((name) => `${BENCH_NAMESPACE}/${name}`));
  const progress = () => `${home.readyCount} of ${made.length}`;
  await until({ what: 'pods Ready', progress, done: () => home.readyCount >= made.length, timeoutMs, say });
  await inParallel(made, creators, async (key, _, signal) => {
    const [namespace = '', name = ''] = key.split('/');
    await deletePods(computing, [name], 1, { namespace, signal });
  });
  const left = () => home.present + lent.present;
  await until({ what: 'pods gone', progress: () => `${left()} left`, done: () => left() === 0, timeoutMs, say });
  return { scenario: 'tenants', ...size, alone, beside, generatorBusy: loop.busy };
}
