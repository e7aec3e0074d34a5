/** `npm run bench`: see `--help`. Makes its nodes, bindings and policies, runs what is asked, and takes all away again. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeClient, kubeconfigFile, messageOf, Namespaces, Transport } from '@kubeocean/shared/kube';
import { stateRoot } from '../e2e/clusters/paths.ts';
import { ensureProgram } from '../e2e/clusters/programs.ts';
import type { Child } from '../e2e/harness/child.ts';
import { makeHollowNodes, removeHollowNodes, startKwok } from './hollow.ts';
import type { LoadSetup } from './load.ts';
import { type BenchOptions, type Case, help, parseOptions, UsageError } from './options.ts';
import { BENCH_LABEL, BENCH_NAMESPACE } from './pods.ts';
import { processesOf } from './processes.ts';
import { say } from './progress.ts';
import { clear, inTime, loads, scenarios, TENANTS } from './runs.ts';
import { beginSession, report, save, type Session } from './session.ts';
import { stopOnSignals } from './stop.ts';
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
import { track } from './tracker.ts';

function connect(kubeconfig: string): KubeClient {
  const source = kubeconfigFile(kubeconfig, { trust: 'trusted' });
  return new KubeClient(new Transport(source, { userAgent: 'kubeocean-bench', maxSockets: 256 }));
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
