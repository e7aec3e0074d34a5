/** The runs and scenarios on one set of nodes and bindings, one after the other; one that fails does not end the rest. */
import { join } from 'node:path';
import { type KubeObject, Leases, messageOf } from '@kubeocean/shared/kube';
import { bindingName } from './bindings.ts';
import type { LoadSetup } from './generator.ts';
import { type LoadResult, runLoad } from './load.ts';
import { clearLoad } from './namespaces.ts';
import type { Case, Mode, Scenario } from './options.ts';
import { TENANTS } from './pods.ts';
import { profileProcess } from './profile.ts';
import { say } from './progress.ts';
import { sizeText } from './records.ts';
import { remarkOf } from './report.ts';
import { empty, fill, runIdle } from './scenarios/present.ts';
import { nothingToRestart, restartedPods, runRestart } from './scenarios/restart.ts';
import { runSingle } from './scenarios/single.ts';
import { runStorm } from './scenarios/storm.ts';
import { runTenants } from './scenarios/tenants.ts';
import { save, type Session } from './session.ts';
import { rotated } from './statistics.ts';
import { stopping } from './stop.ts';
import type { ScenarioResult } from './verdicts.ts';

/** A session, and the nodes and bindings that it is at. */
export interface Bench {
  session: Session;
  setup: LoadSetup;
}

/** Why nothing more is begun; undefined: there is time. */
export function whyNotNow({ options }: Session, elapsedMs = performance.now()): string | undefined {
  if (stopping.aborted) return messageOf(stopping.reason);
  return elapsedMs >= options.maxMinutes * 60_000 ? `${options.maxMinutes} minutes are over` : undefined;
}

/** Tells what went wrong and keeps it. */
export function problem({ problems }: Session, words: string): void {
  problems.push(words);
  say(`  FAILED ${words}`);
}

/** Runs one piece; a failure is told and kept, and the next piece goes on after a clearing. */
async function piece({ session, setup }: Bench, what: string, work: () => Promise<void>): Promise<void> {
  const over = whyNotNow(session);
  if (over !== undefined) {
    session.problems.push(`${what}: left out, ${over}`);
    return;
  }
  try {
    await work();
  } catch (error) {
    problem(session, `${what}: ${messageOf(error)}`);
    await clearLoad(setup, session.options.mountNamespace).catch((cause: unknown) =>
      problem(session, `clearing after ${what}: ${messageOf(cause)}`),
    );
  } finally {
    save(session);
  }
}

/** Most pods of the load in each mode that no figure tells of. */
const WARM_UP_PODS = 300;
/** Scenarios that measure how fast pods become Ready. */
const WARMED: readonly Scenario[] = ['load', 'single', 'tenants'];

/** What runs for the first time is slow, the generator, too: not compiled, not cached, not connected. */
async function warmUp(bench: Bench, sizes: readonly Case[]): Promise<void> {
  const { scenarios, modes } = bench.session.options;
  if (!scenarios.some((each) => WARMED.includes(each))) return;
  const pods = Math.min(WARM_UP_PODS, Math.max(...sizes.map((size) => size.pods)));
  await piece(bench, 'warming up', async () => {
    say(`  warming up: ${pods} pods in each mode`);
    for (const mode of modes) await runLoad(mode, { ...(sizes[0] as Case), pods }, bench.setup);
  });
}

export async function loads(bench: Bench, sizes: readonly Case[]): Promise<void> {
  await warmUp(bench, sizes);
  const { options } = bench.session;
  if (!options.scenarios.includes('load')) return;
  for (const size of sizes) {
    for (let run = 1; run <= options.runs; run++) {
      // Each run begins with another mode: who is always first, or always last, has it easier or harder than the others.
      for (const mode of rotated(options.modes, run - 1)) {
        const what = `${mode}, ${sizeText(size)}, run ${run}`;
        await piece(bench, what, () => measure(bench, mode, size, run));
      }
    }
  }
}

async function measure(bench: Bench, mode: Mode, size: Case, run: number): Promise<void> {
  const { session, setup } = bench;
  const profiled = mode === 'through' && session.options.profileSeconds > 0;
  // It never rejects, whatever becomes of the run meanwhile.
  const profile = profiled ? takeProfile(bench, size, run) : undefined;
  try {
    const result = await runLoad(mode, size, setup, { profiled });
    session.runs.push(result);
    say(`  ${mode}, ${sizeText(size)}, run ${run}: ${summaryOf(result)}`);
  } finally {
    await profile;
  }
}

function summaryOf(result: LoadResult): string {
  const { p50, p99, podsPerSecond, deleteSeconds } = result;
  const remark = remarkOf(result);
  return `p50 ${p50.toFixed(2)} s, p99 ${p99.toFixed(2)} s, ${podsPerSecond.toFixed(0)} pods/s, deleted in ${deleteSeconds.toFixed(1)} s${remark && `; ${remark}`}`;
}

/** @throws Error when it cannot be told, or is not on this machine */
async function leadingSyncer({ options }: Session, setup: LoadSetup): Promise<number> {
  const lease = await setup.computing.get<KubeObject & { spec: { holderIdentity?: string } }>(
    Leases,
    options.processes.computing,
    `kubeocean-syncer-${bindingName(options, 0)}`,
  );
  const { computing } = await setup.processes();
  const leader = computing.find(({ pod, main }) => main && lease.spec.holderIdentity?.startsWith(pod));
  if (!leader) throw new Error('the leading syncer was not found on this machine');
  return leader.pid;
}

/** Takes a profile of the leading syncer and says where it is; a failure is a problem of the session and no more. */
async function takeProfile({ session, setup }: Bench, size: Case, run: number): Promise<void> {
  const { options } = session;
  const file = join(options.output, `syncer-${size.pods}-${run}.cpuprofile`);
  try {
    await profileProcess(await leadingSyncer(session, setup), options.profileSeconds, file, stopping);
    say(`  profile: ${file}`);
  } catch (error) {
    problem(session, `no profile of run ${run} with ${size.pods} pods: ${messageOf(error)}`);
  }
}

/** @param restarts there is something to restart, see {@link canRestart} */
export async function scenarios(bench: Bench, sizes: readonly Case[], restarts: boolean): Promise<void> {
  const { session, setup } = bench;
  const { options } = session;
  const asked = (name: Scenario): boolean => options.scenarios.includes(name);
  const keep = (result: ScenarioResult): void => {
    session.scenarios.push(result);
    say(`  ${JSON.stringify(result)}`);
  };
  const bySize = sizes.toSorted((a, b) => a.pods - b.pods);
  const first = bySize[0] as Case;
  if (asked('single'))
    await piece(bench, 'single', async () => keep(await runSingle(options.singlePods, first, setup)));
  const notAbove = (most: number): Case => bySize.findLast(({ pods }) => pods <= most) ?? first;
  for (const size of bySize) {
    const parts = [
      ...(asked('idle') && size === notAbove(1000) ? (['idle'] as const) : []),
      ...(restarts ? (['restart'] as const) : []),
      ...(asked('storm') && size === notAbove(5000) ? (['storm'] as const) : []),
    ];
    if (parts.length === 0) continue;
    await piece(bench, `scenarios with ${sizeText(size)}`, async () => {
      say(`  ${size.pods} pods present: ${parts.join(', ')}`);
      const filling = await fill(size, setup);
      for (const part of parts) {
        if (part === 'idle') keep(await runIdle(size, options.idleSeconds, filling, setup));
        else if (part === 'restart') keep(await runRestart(size, options, filling, setup));
        else keep(await runStorm(size, setup));
      }
      await empty(filling, setup);
    });
  }
  if (asked('tenants')) {
    const size = notAbove(5000);
    await piece(bench, `tenants beside ${sizeText(size)}`, async () => keep(await runTenants(size, TENANTS, setup)));
  }
}

/** Whether there is anything to restart; tells when not. */
export async function canRestart({ session, setup }: Bench): Promise<boolean> {
  const there = (await restartedPods(setup, session.options)).length > 0;
  if (!there) problem(session, nothingToRestart(session.options));
  return there;
}
