/** `npm run bench`: see `--help`. Makes its nodes, bindings and policies, runs what is asked, and takes all away again. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '@kubeocean/shared/kube';
import { stateRoot } from '../e2e/clusters/paths.ts';
import { ensureProgram } from '../e2e/clusters/programs.ts';
import type { Child } from '../e2e/harness/child.ts';
import { bind, bindingName, unbind } from './bindings.ts';
import { installCharts, makeImages, removeSecret } from './charts.ts';
import { EXIT } from './exit.ts';
import { UsageError } from './flags.ts';
import type { LoadSetup } from './generator.ts';
import { help } from './help.ts';
import { makeHollowNodes, removeHollowNodes, startKwok } from './hollow.ts';
import { clearLoad, makeNamespaces, removeNamespaces } from './namespaces.ts';
import { type BenchOptions, type Case, parseOptions } from './options.ts';
import { BENCH_LABEL, BENCH_NAMESPACE } from './pods.ts';
import { needMountNamespace, needSecret } from './preflight.ts';
import { findProcesses, sidesWithout } from './processes.ts';
import { say } from './progress.ts';
import { sizeText } from './records.ts';
import { canRestart, loads, problem, scenarios, whyNotNow } from './runs.ts';
import { beginSession, needOutput, report, type Session } from './session.ts';
import { settingsOf } from './settings.ts';
import { connect, type Sides } from './sides.ts';
import { stopOnSignals, stopping } from './stop.ts';
import { track } from './tracker.ts';

type Trackers = Pick<LoadSetup, 'home' | 'direct' | 'lent'>;

/** What is to be ended or taken away, whatever happens; the last one first. */
type Ends = (() => Promise<unknown>)[];

/** One pair of numbers of nodes and bindings: makes them, runs all sizes on them, takes them away. */
async function configuration(
  session: Session,
  sides: Sides,
  sizes: readonly Case[],
  trackers: Trackers,
): Promise<void> {
  const { options } = session;
  const { nodes, bindings } = sizes[0] as Case;
  say(`${nodes} hollow nodes on each side, ${bindings} binding(s)`);
  await makeHollowNodes(sides.computing, nodes, 0);
  await makeHollowNodes(sides.worker, nodes, bindings);
  await bind(options, sides, bindings, nodes, say);
  const processes = () => findProcesses(sides, options.processes);
  const missing = sidesWithout(await processes());
  if (missing.length > 0) {
    session.problems.push(
      `no process of the ${missing.join(' and the ')} cluster's side was found on this machine: CPU and memory are not measured`,
    );
  }
  const setup: LoadSetup = {
    ...sides,
    ...trackers,
    bindingName: (group) => bindingName(options, group),
    creators: options.creators,
    timeoutMs: options.timeoutSeconds * 1000,
    processes,
    measured: missing.length === 0,
    say,
  };
  const bench = { session, setup };
  // Told before hours of load are over.
  const restarts = options.scenarios.includes('restart') && (await canRestart(bench));
  await loads(bench, sizes);
  await scenarios(bench, sizes, restarts);
  if (!options.keep) await clearEarlier(options, sides);
}

/**
 * What is left of the load, its bindings and its nodes: of the configuration before, or of a session that was killed. Each
 * is taken away even when another cannot be. @throws the first error, when all have been tried
 */
async function clearEarlier({ mountNamespace }: BenchOptions, sides: Sides): Promise<void> {
  await inTurn([
    () => clearLoad(sides, mountNamespace),
    () => unbind(sides, say),
    () => removeHollowNodes(sides.computing),
    () => removeHollowNodes(sides.worker),
  ]);
}

async function inTurn(steps: readonly (() => Promise<void>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const step of steps) await step().catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}

async function takeAway(options: BenchOptions, sides: Sides): Promise<void> {
  if (options.keep) return;
  say('taking everything away');
  await inTurn([
    () => clearEarlier(options, sides),
    () => removeNamespaces(sides),
    async () => (options.system === 'charts' ? removeSecret(options, sides) : undefined),
  ]);
}

/** Follows the pods of the load, until the session ends. */
async function trackAll({ mountNamespace }: BenchOptions, sides: Sides, ends: Ends): Promise<Trackers> {
  const trackers = {
    home: await track(sides.computing, '', `${BENCH_LABEL}=pod`),
    direct: await track(sides.worker, BENCH_NAMESPACE),
    lent: await track(sides.worker, mountNamespace),
  };
  for (const tracker of Object.values(trackers)) ends.push(() => tracker.stop());
  return trackers;
}

/** kwok on both sides; it also has to play along while all is taken away. @returns what tells that one has ended */
async function startHollowNodes(options: BenchOptions, ends: Ends): Promise<() => void> {
  const program = options.kwok ?? (await ensureProgram('kwok', stateRoot(), say));
  const folder = mkdtempSync(join(tmpdir(), 'kubeocean-bench-'));
  ends.push(async () => rmSync(folder, { recursive: true, force: true }));
  const kwoks: Child[] = [];
  for (const [kubeconfig, cidr] of [
    [options.computing, '10.252.0.1/16'],
    [options.worker, '10.253.0.1/16'],
  ] as const) {
    const kwok = await startKwok(program, kubeconfig, folder, cidr);
    ends.push(() => kwok.stop());
    kwoks.push(kwok);
  }
  return () => {
    const ended = kwoks.find(({ exit }) => exit !== undefined);
    if (ended) throw new Error(`kwok ended: ${ended.lines.slice(-3).join(' | ')}`);
  };
}

async function run(session: Session, sides: Sides, imagesAt: number, ends: Ends): Promise<void> {
  const { options } = session;
  const needKwok = await startHollowNodes(options, ends);
  ends.push(() => takeAway(options, sides));
  if (options.system === 'charts') {
    say('installing the charts of this checkout');
    await installCharts(options, sides, imagesAt, say);
  }
  await clearEarlier(options, sides);
  stopping.throwIfAborted();
  await makeNamespaces(sides, options.scenarios.includes('tenants'), say);
  const trackers = await trackAll(options, sides, ends);
  const groups = Map.groupBy(options.cases, ({ nodes, bindings }) => `${nodes} ${bindings}`);
  for (const sizes of groups.values()) {
    const over = whyNotNow(session);
    if (over !== undefined) {
      for (const size of sizes) session.problems.push(`${sizeText(size)}: left out, ${over}`);
      continue;
    }
    try {
      await configuration(session, sides, sizes, trackers);
    } catch (error) {
      // The next sizes are on nodes and bindings of their own.
      const { nodes, bindings } = sizes[0] as Case;
      problem(session, `${nodes} nodes, ${bindings} binding(s): ${messageOf(error)}`);
      if (!options.keep) await clearEarlier(options, sides);
    }
    needKwok();
  }
}

async function main(options: BenchOptions): Promise<number> {
  needOutput(options.output);
  const sides: Sides = { computing: connect(options.computing), worker: connect(options.worker) };
  if (options.system === 'installed') await needSecret(options, sides);
  await needMountNamespace(options, sides);
  if (options.system === 'charts') await makeImages(say);
  const imagesAt = Date.now();
  const session = beginSession(options, await settingsOf(options, sides));
  const ends: Ends = [];
  try {
    stopping.throwIfAborted();
    await run(session, sides, imagesAt, ends);
  } catch (error) {
    problem(session, messageOf(error));
  }
  for (const end of ends.toReversed()) {
    await end().catch((error: unknown) => problem(session, `taking away: ${messageOf(error)}`));
  }
  return report(session);
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
  process.exit(error instanceof UsageError ? EXIT.usage : EXIT.failed);
}
