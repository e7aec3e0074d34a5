/** One tenant with many pods beside ten with few: how long the few wait. */
import { setTimeout as after } from 'node:timers/promises';
import { type KubeObject, Pods } from '@kubeocean/shared/kube';
import {
  createPods,
  deletePods,
  inParallel,
  latencies,
  type LoadSetup,
  type Phases,
  phasesOf,
  podNames,
  targetsOf,
  until,
} from '../load.ts';
import type { Case } from '../options.ts';
import { BENCH_LABEL, BENCH_NAMESPACE } from '../pods.ts';
import { summarize, type Summary } from '../statistics.ts';

/** So many small tenants, with so many pods each. */
const SMALL_TENANTS = 10;
const SMALL_PODS = 10;

export interface TenantsResult extends Case {
  scenario: 'tenants';
  /** Created → Ready of the small tenants' pods, alone and beside the big one. */
  alone: Summary & { phases: Phases };
  beside: Summary & { phases: Phases };
}

/** Ten namespaces with ten pods each: alone, and while another namespace gets all pods of the size. */
export async function runTenants(size: Case, namespaces: readonly string[], setup: LoadSetup): Promise<TenantsResult> {
  const [target] = targetsOf('through', size, setup);
  if (!target) throw new Error('there is nowhere to make pods');
  for (const tracker of [setup.home, setup.direct, setup.lent]) tracker.reset();
  const small = async (): Promise<TenantsResult['alone']> => {
    const all = new Map<string, number>();
    // One pod of each tenant at a time, all along the big one's load.
    for (let round = 0; round < SMALL_PODS; round++) {
      const made = await Promise.all(
        namespaces.slice(0, SMALL_TENANTS).map(async (namespace) => createPods(target, podNames(1), 1, namespace)),
      );
      const sent = new Map(made.flatMap((one) => [...one]));
      const ready = () => [...sent.keys()].every((key) => setup.home.times.get(key)?.ready !== undefined);
      await until("the small tenants' pods Ready", setup.timeoutMs, ready, () => 'not yet', setup.say);
      for (const [key, at] of sent) all.set(key, at);
    }
    return { ...summarize(latencies(all, setup.home)), phases: phasesOf(all, setup.home, setup.lent) };
  };
  const alone = await small();
  const names = podNames(size.pods);
  const big = createPods(target, names, setup.creators);
  // Awaited below; until then its failure is nobody's.
  big.catch(() => undefined);
  // The big one is under way.
  await after(1000);
  const beside = await small();
  await big;
  const all = size.pods + 2 * SMALL_TENANTS * SMALL_PODS;
  await until(
    'pods Ready',
    setup.timeoutMs,
    () => setup.home.readyCount >= all,
    () => `${setup.home.readyCount} of ${all}`,
    setup.say,
  );
  const { items } = await setup.computing.list<KubeObject>(Pods, { labelSelector: BENCH_LABEL });
  await inParallel(items, setup.creators, async ({ metadata }) =>
    deletePods(setup.computing, [metadata.name], 1, metadata.namespace ?? BENCH_NAMESPACE),
  );
  const left = () => setup.home.present + setup.lent.present;
  await until(
    'pods gone',
    setup.timeoutMs,
    () => left() === 0,
    () => `${left()} left`,
    setup.say,
  );
  return { scenario: 'tenants', ...size, alone, beside };
}
