/** `npm run bench`: see `--help`. Makes its nodes, bindings and policies, runs what is asked, and takes all away again. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import {
  KubeClient,
  kubeconfigFile,
  Leases,
  messageOf,
  Namespaces,
  Transport,
  type KubeObject,
} from '@kubeocean/shared/kube';
import { stateRoot } from '../e2e/clusters/paths.ts';
import { ensureProgram } from '../e2e/clusters/programs.ts';
import type { Child } from '../e2e/harness/child.ts';
import { makeHollowNodes, removeHollowNodes, startKwok } from './hollow.ts';
import { type LoadSetup, runLoad } from './load.ts';
import { type BenchOptions, type Case, help, parseOptions, UsageError } from './options.ts';
import { BENCH_LABEL, BENCH_NAMESPACE } from './pods.ts';
import { processesOf } from './processes.ts';
import { profileProcess } from './profile.ts';
import type { ScenarioResult } from './report.ts';
import { empty, fill, runIdle, runRestart } from './scenarios/present.ts';
import { runSingle } from './scenarios/single.ts';
import { runStorm } from './scenarios/storm.ts';
import { runTenants } from './scenarios/tenants.ts';
import {
  bind,
  bindingName,
  installCharts,
  makeNamespaces,
  needSecret,
  removeLoad,
  type Sides,
  unbind,
} from './system.ts';
import { beginSession, report, save, type Session } from './session.ts';
import { stopOnSignals, stopping } from './stop.ts';
import { track } from './tracker.ts';

const started = performance.now();

function say(line: string): void {
  console.log(`[${((performance.now() - started) / 1000).toFixed(1).padStart(7)}s] ${line}`);
}

function connect(kubeconfig: string): KubeClient {
  const source = kubeconfigFile(kubeconfig, { trust: 'trusted' });
  return new KubeClient(new Transport(source, { userAgent: 'kubeocean-bench', maxSockets: 256 }));
}

const TENANTS = Array.from({ length: 10 }, (_, n) => `${BENCH_NAMESPACE}-tenant-${n}`);

/** True while there is time for another run. */
function inTime({ options }: Session): boolean {
  return !stopping.aborted && performance.now() - started < options.maxMinutes * 60_000;
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

async function clear({ sides }: Session, setup: LoadSetup): Promise<void> {
  await removeLoad(sides).catch((error: unknown) => say(`  clearing: ${messageOf(error)}`));
  const left = (): number => setup.home.present + setup.direct.present + setup.lent.present;
  for (let waited = 0; left() > 0 && waited < 300; waited++) await after(1000);
}

/** Pods of the load in each mode that no figure tells of. */
const WARM_UP_PODS = 50;

async function loads(session: Session, sizes: Case[], setup: LoadSetup): Promise<void> {
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

async function scenarios(session: Session, sizes: Case[], setup: LoadSetup): Promise<void> {
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

/** One pair of numbers of nodes and bindings: makes them, runs all sizes on them, takes them away. */
async function configuration(
  session: Session,
  sizes: Case[],
  trackers: Pick<LoadSetup, 'home' | 'direct' | 'lent'>,
): Promise<void> {
  const { options, sides } = session;
  const { nodes, bindings } = sizes[0] as Case;
  say(`${nodes} hollow nodes on each side, ${bindings} binding(s)`);
  await makeHollowNodes(sides.computing, nodes, 0);
  await makeHollowNodes(sides.worker, nodes, bindings);
  await bind(options, sides, bindings, nodes, say);
  const setup: LoadSetup = {
    ...sides,
    ...trackers,
    bindingName: (group) => bindingName(options, group),
    creators: options.creators,
    timeoutMs: options.timeoutSeconds * 1000,
    processes: async () =>
      (
        await Promise.all([
          processesOf(sides.computing, options.processes.computing),
          processesOf(sides.worker, options.processes.worker),
        ])
      ).flat(),
    say,
  };
  if ((await setup.processes()).length === 0) {
    session.problems.push('no process of the system was found on this machine: CPU and memory are not measured');
  }
  if (options.scenarios.includes('load')) await loads(session, sizes, setup);
  await scenarios(session, sizes, setup);
  if (options.keep) return;
  await clear(session, setup);
  await unbind(sides, say);
  for (const client of [sides.computing, sides.worker]) await removeHollowNodes(client);
}

async function main(options: BenchOptions): Promise<number> {
  const sides: Sides = { computing: connect(options.computing), worker: connect(options.worker) };
  const session = beginSession(options, sides);
  const folder = mkdtempSync(join(tmpdir(), 'kubeocean-bench-'));
  const kwoks: Child[] = [];
  const program = process.argv.some((arg) => arg.startsWith('--kwok'))
    ? options.kwok
    : await ensureProgram('kwok', stateRoot(), say);
  if (options.system === 'charts') {
    say('installing the charts of this checkout');
    await installCharts(options, sides, say);
  } else await needSecret(options, sides);
  await clearEarlier(session);
  await makeNamespaces(sides);
  for (const name of options.scenarios.includes('tenants') ? TENANTS : []) await makeNamespace(sides.computing, name);
  kwoks.push(await startKwok(program, options.computing, folder, '10.252.0.1/16'));
  kwoks.push(await startKwok(program, options.worker, folder, '10.253.0.1/16'));
  const trackers = {
    home: await track(sides.computing, '', `${BENCH_LABEL}=pod`),
    direct: await track(sides.worker, BENCH_NAMESPACE),
    lent: await track(sides.worker, options.mountNamespace),
  };
  try {
    const groups = Map.groupBy(options.cases, ({ nodes, bindings }) => `${nodes} ${bindings}`);
    for (const sizes of groups.values()) {
      if (!inTime(session)) continue;
      try {
        await configuration(session, sizes, trackers);
      } catch (error) {
        // The next sizes are on nodes and bindings of their own.
        const { nodes, bindings } = sizes[0] as Case;
        session.problems.push(`${nodes} nodes, ${bindings} binding(s): ${messageOf(error)}`);
        say(`  FAILED: ${messageOf(error)}`);
        await takeAwayBindings(session);
      }
      const ended = kwoks.find(({ exit }) => exit !== undefined);
      if (ended) throw new Error(`kwok ended: ${ended.lines.slice(-3).join(' | ')}`);
    }
  } finally {
    save(session);
    if (!options.keep) await takeAway(session).catch((error: unknown) => say(`taking away: ${messageOf(error)}`));
    await Promise.all(Object.values(trackers).map((tracker) => tracker.stop()));
    await Promise.all(kwoks.map((kwok) => kwok.stop()));
    rmSync(folder, { recursive: true, force: true });
  }
  return report(session);
}

async function makeNamespace(client: KubeClient, name: string): Promise<void> {
  await client.create(Namespaces, { metadata: { name, labels: { [BENCH_LABEL]: 'tenant' } } }).catch(() => undefined);
}

async function takeAwayBindings(session: Session): Promise<void> {
  await clearEarlier(session).catch((error: unknown) => say(`  clearing: ${messageOf(error)}`));
}

/** What an earlier run left that was killed. */
async function clearEarlier({ sides }: Session): Promise<void> {
  await removeLoad(sides);
  await unbind(sides, say);
  for (const client of [sides.computing, sides.worker]) await removeHollowNodes(client);
}

async function takeAway(session: Session): Promise<void> {
  const { options, sides } = session;
  say('taking everything away');
  await clearEarlier(session);
  for (const client of [sides.computing, sides.worker]) {
    for (const name of client === sides.computing ? [BENCH_NAMESPACE, ...TENANTS] : [BENCH_NAMESPACE]) {
      await client.delete(Namespaces, '', name).catch(() => undefined);
    }
  }
  if (options.system === 'charts') {
    const { namespace, name } = options.secret;
    await sides.computing.transport.call({ method: 'DELETE', path: `/api/v1/namespaces/${namespace}/secrets/${name}` });
  }
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === 'help') {
    process.stdout.write(help);
    process.exit(0);
  }
  stopOnSignals(say);
  process.exit(await main(options));
} catch (error) {
  console.error(`bench: ${messageOf(error)}`);
  process.exit(error instanceof UsageError ? 2 : 1);
}
