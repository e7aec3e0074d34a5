/** The runs and scenarios on one set of nodes and bindings, one after the other; one that fails does not end the rest. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { type KubeObject, Leases, messageOf } from '@kubeocean/shared/kube';
import { type LoadSetup, runLoad } from './load.ts';
import type { Case } from './options.ts';
import { BENCH_NAMESPACE } from './pods.ts';
import { processesOf } from './processes.ts';
import { profileProcess } from './profile.ts';
import { say } from './progress.ts';
import type { ScenarioResult } from './report.ts';
import { empty, fill, runIdle, runRestart } from './scenarios/present.ts';
import { runSingle } from './scenarios/single.ts';
import { runStorm } from './scenarios/storm.ts';
import { runTenants } from './scenarios/tenants.ts';
import { save, type Session } from './session.ts';
import { stopping } from './stop.ts';
import { bindingName, removeLoad } from './system.ts';

/** Namespaces of the small tenants beside the large one. */
export const TENANTS: readonly string[] = Array.from({ length: 10 }, (_, n) => `${BENCH_NAMESPACE}-tenant-${n}`);

/** True while there is time for another run. */
export function inTime({ options }: Session): boolean {
  return !stopping.aborted && performance.now() < options.maxMinutes * 60_000;
}

/** Runs one piece; a failure is told and kept, and the next piece goes on after a clearing. */
async function piece<T>(
  session: Session,
  what: string,
  setup: LoadSetup,
  work: () => Promise<T>,
): Promise<T | undefined> {
  if (!inTime(session)) {
    session.problems.push(
      `${what}: left out, ${stopping.aborted ? 'ended by a signal' : `${session.options.maxMinutes} minutes are over`}`,
    );
    return undefined;
  }
  try {
    return await work();
  } catch (error) {
    const problem = `${what}: ${messageOf(error)}`;
    session.problems.push(problem);
    say(`  FAILED ${problem}`);
    await clear(session, setup);
    return undefined;
  } finally {
    save(session);
  }
}

export async function clear({ sides }: Session, setup: LoadSetup): Promise<void> {
  await removeLoad(sides).catch((error: unknown) => say(`  clearing: ${messageOf(error)}`));
  const left = (): number => setup.home.present + setup.direct.present + setup.lent.present;
  for (let waited = 0; left() > 0 && waited < 300; waited++) await after(1000);
}

/** Pods of the load in each mode that no figure tells of. */
const WARM_UP_PODS = 50;

export async function loads(session: Session, sizes: Case[], setup: LoadSetup): Promise<void> {
  const { options, runs } = session;
  // What runs for the first time is slow, the generator, too: not compiled, not cached, not connected.
  await piece(session, 'warming up', setup, async () => {
    say(`  warming up: ${WARM_UP_PODS} pods in each mode`);
    const size = { ...(sizes[0] as Case), pods: WARM_UP_PODS };
    for (const mode of options.modes) await runLoad(mode, size, setup);
  });
  for (const size of sizes) {
    for (let run = 1; run <= options.runs; run++) {
      for (const mode of options.modes) {
        const what = `${mode}, ${size.pods} pods, ${size.nodes} nodes, ${size.bindings} binding(s), run ${run}`;
        await piece(session, what, setup, async () => {
          const profile =
            mode === 'through' && options.profileSeconds > 0 ? takeProfile(session, size, run) : undefined;
          const result = await runLoad(mode, size, setup);
          runs.push(result);
          const { p50, p99, podsPerSecond, deleteSeconds, saturated } = result;
          say(
            `  ${what}: p50 ${p50.toFixed(2)} s, p99 ${p99.toFixed(2)} s, ${podsPerSecond.toFixed(0)} pods/s, deleted in ${deleteSeconds.toFixed(1)} s${saturated ? '; the generator was saturated: does not count' : ''}`,
          );
          if (profile) say(`  profile: ${await profile}`);
        });
      }
    }
  }
}

async function takeProfile({ options, sides }: Session, size: Case, run: number): Promise<string> {
  const namespace = options.processes.computing;
  const lease = await sides.computing.get<KubeObject & { spec: { holderIdentity?: string } }>(
    Leases,
    namespace,
    `kubeocean-syncer-${bindingName(options, 0)}`,
  );
  const leader = (await processesOf(sides.computing, namespace)).find(({ pod }) =>
    lease.spec.holderIdentity?.startsWith(pod),
  );
  if (!leader) return 'the leading syncer was not found';
  const file = join(options.output, `syncer-${size.pods}-${run}.cpuprofile`);
  mkdirSync(options.output, { recursive: true });
  return (await profileProcess(leader.pid, options.profileSeconds, file)) || file;
}

export async function scenarios(session: Session, sizes: Case[], setup: LoadSetup): Promise<void> {
  const { options } = session;
  const asked = (name: (typeof options.scenarios)[number]): boolean => options.scenarios.includes(name);
  const keep = (result: ScenarioResult): void => {
    session.scenarios.push(result);
    say(`  ${JSON.stringify(result)}`);
  };
  const bySize = sizes.toSorted((a, b) => a.pods - b.pods);
  const first = bySize[0] as Case;
  if (asked('single'))
    await piece(session, 'single', setup, async () => keep(await runSingle(options.singlePods, first, setup)));
  const notAbove = (most: number): Case => bySize.findLast(({ pods }) => pods <= most) ?? first;
  for (const size of bySize) {
    const parts = {
      idle: asked('idle') && size === notAbove(1000),
      restart: asked('restart'),
      storm: asked('storm') && size === notAbove(5000),
    };
    if (!Object.values(parts).some(Boolean)) continue;
    await piece(session, `scenarios with ${size.pods} pods`, setup, async () => {
      say(
        `  ${size.pods} pods present: ${Object.keys(parts)
          .filter((part) => parts[part as keyof typeof parts])
          .join(', ')}`,
      );
      const names = await fill(size, setup);
      if (parts.idle) keep(await runIdle(size, options.idleSeconds, setup));
      if (parts.restart) keep(await runRestart(size, options, setup));
      if (parts.storm) keep(await runStorm(size, setup));
      await empty(names, setup);
    });
  }
  if (asked('tenants')) {
    const size = notAbove(5000);
    await piece(session, `tenants beside ${size.pods} pods`, setup, async () =>
      keep(await runTenants(size, TENANTS, setup)),
    );
  }
}
