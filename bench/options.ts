/** What `npm run bench` takes: the flags, their limits, and the sentence for everything it refuses. */
import { existsSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { kubeconfigPath, stateRoot } from '../e2e/clusters/paths.ts';
import { choices, labelName, listOf, numbers, pair, selector, UsageError, wholeNumber } from './flags.ts';

export const MODES = ['direct', 'twin', 'through'] as const;
export type Mode = (typeof MODES)[number];

export const SCENARIOS = ['load', 'single', 'idle', 'restart', 'storm', 'tenants'] as const;
export type Scenario = (typeof SCENARIOS)[number];

/** One size: so many pods on so many hollow nodes, lent by so many bindings. */
export interface Case {
  pods: number;
  nodes: number;
  bindings: number;
}

export interface BenchOptions {
  cases: Case[];
  runs: number;
  modes: readonly Mode[];
  scenarios: readonly Scenario[];
  quick: boolean;
  creators: number;
  idleSeconds: number;
  singlePods: number;
  timeoutSeconds: number;
  maxMinutes: number;
  computing: string;
  worker: string;
  /** Bindings are named `<prefix>-1`, `<prefix>-2`, ... */
  prefix: string;
  mountNamespace: string;
  /** Secret of the computing cluster with the worker's kubeconfig. */
  secret: { namespace: string; name: string };
  /** `charts`: install this checkout's; `installed`: use what is there. */
  system: 'charts' | 'installed';
  /** Bindings are made with `directScheduling`. */
  directScheduling: boolean;
  /** Namespaces whose pods are the measured processes, in the computing cluster and in the worker. */
  processes: { computing: string; worker: string };
  /** Selects, in `processes.computing`, the pods that the restart scenario deletes. */
  restartSelector: string;
  /** undefined: the one that this checkout builds. */
  kwok: string | undefined;
  output: string;
  /** What the output folder has of an earlier invocation stays, and is judged together with what is found now. */
  continues: boolean;
  profileSeconds: number;
  keep: boolean;
}

/** Bindings have it in their names, which vnodes, Leases and labels are named after. */
const PREFIX_MAX = 20;

const FULL: Case[] = [
  ...[100, 1000, 5000, 10_000].map((pods) => ({ pods, nodes: 10, bindings: 1 })),
  { pods: 1000, nodes: 100, bindings: 1 },
  { pods: 1000, nodes: 10, bindings: 4 },
  { pods: 10_000, nodes: 100, bindings: 4 },
];

function caseOf(text: string): Case {
  const parts = /^(\d+)x(\d+)x(\d+)$/.exec(text);
  if (!parts) throw new UsageError(`--cases wants PODSxNODESxBINDINGS, such as 1000x10x1, not "${text}"`);
  return {
    pods: wholeNumber('cases', parts[1] as string, 1, 20_000),
    nodes: wholeNumber('cases', parts[2] as string, 1, 500),
    bindings: wholeNumber('cases', parts[3] as string, 1, 8),
  };
}

const FLAGS = {
  quick: { type: 'boolean' },
  full: { type: 'boolean' },
  pods: { type: 'string' },
  nodes: { type: 'string' },
  bindings: { type: 'string' },
  cases: { type: 'string' },
  runs: { type: 'string' },
  modes: { type: 'string' },
  scenarios: { type: 'string' },
  creators: { type: 'string' },
  'idle-seconds': { type: 'string' },
  single: { type: 'string' },
  'timeout-seconds': { type: 'string' },
  'max-minutes': { type: 'string' },
  computing: { type: 'string' },
  worker: { type: 'string' },
  system: { type: 'string' },
  'binding-prefix': { type: 'string' },
  'mount-namespace': { type: 'string' },
  secret: { type: 'string' },
  'direct-scheduling': { type: 'boolean' },
  processes: { type: 'string' },
  'restart-selector': { type: 'string' },
  kwok: { type: 'string' },
  output: { type: 'string' },
  continue: { type: 'boolean' },
  'profile-seconds': { type: 'string' },
  keep: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

function flagsOf(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: FLAGS, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split('. ')[0]}; see --help`, { cause: error });
  }
}

/**
 * Reads a command line (without interpreter and file); `files: false` does not look whether files exist.
 * @throws UsageError for anything it does not know, cannot take, or that does not go together.
 */
export function parseOptions(argv: readonly string[], { files = true } = {}): BenchOptions | 'help' {
  const values = flagsOf(argv);
  if (values.help) return 'help';
  const sized = ['pods', 'nodes', 'bindings', 'cases'] as const;
  if (values.quick && values.full) throw new UsageError('--quick and --full exclude each other');
  if (values.quick && values.continue)
    throw new UsageError('--quick judges its own runs: --continue does not go with it');
  for (const flag of sized) {
    if (values[flag] === undefined) continue;
    if (values.full) throw new UsageError(`--full has its own sizes: --${flag} does not go with it`);
    if (flag !== 'cases' && values.cases !== undefined)
      throw new UsageError(`--cases replaces --${flag}: give only one`);
  }
  const cases = casesOf();
  for (const { nodes, bindings } of cases) {
    if (nodes < bindings) throw new UsageError(`${bindings} bindings cannot share ${nodes} node(s): each needs one`);
  }
  const number = (flag: keyof typeof values, least: number, most: number, usual: number): number =>
    values[flag] === undefined ? usual : wholeNumber(flag, String(values[flag]), least, most);
  const system = values.system ?? 'charts';
  if (system !== 'charts' && system !== 'installed') {
    throw new UsageError(`--system is charts or installed, not "${system}"`);
  }
  const [secretNamespace, secretName] = pair(
    'secret',
    values.secret ?? 'kubeocean-system/bench-worker-kubeconfig',
    '/',
  );
  const [home, away] = pair('processes', values.processes ?? 'kubeocean-system,kubeocean-agent', ',');
  const usual: Scenario[] = values.quick
    ? ['load', 'restart']
    : values.full
      ? [...SCENARIOS]
      : ['load', 'single', 'idle', 'restart'];
  const options: BenchOptions = {
    cases,
    runs: number('runs', 1, 20, values.quick ? 1 : 3),
    modes: values.modes === undefined ? MODES : choices('modes', values.modes, MODES),
    scenarios: values.scenarios === undefined ? usual : choices('scenarios', values.scenarios, SCENARIOS),
    quick: values.quick ?? false,
    creators: number('creators', 1, 200, 20),
    idleSeconds: number('idle-seconds', 5, 3600, 120),
    singlePods: number('single', 1, 1000, 30),
    timeoutSeconds: number('timeout-seconds', 10, 7200, values.quick ? 90 : 900),
    maxMinutes: number('max-minutes', 1, 1440, 600),
    computing: resolve(values.computing ?? kubeconfigPath('computing')),
    worker: resolve(values.worker ?? kubeconfigPath('worker-1')),
    prefix: labelName('binding-prefix', values['binding-prefix'] ?? 'bench', PREFIX_MAX),
    mountNamespace: labelName('mount-namespace', values['mount-namespace'] ?? 'kubeocean-worker', 63),
    secret: { namespace: secretNamespace, name: secretName },
    system,
    directScheduling: values['direct-scheduling'] ?? false,
    processes: { computing: home, worker: away },
    restartSelector: selector('restart-selector', values['restart-selector'] ?? 'kubeocean.io/component=syncer'),
    kwok: values.kwok === undefined ? undefined : resolve(values.kwok),
    output: resolve(values.output ?? join(stateRoot(), 'bench')),
    continues: values.continue ?? false,
    profileSeconds: number('profile-seconds', 1, 600, 0),
    keep: values.keep ?? false,
  };
  refuseConflicts(options);
  if (files) needFiles(options);
  return options;

  function casesOf(): Case[] {
    if (values.full) return FULL;
    if (values.cases !== undefined) return listOf('cases', values.cases).map(caseOf);
    const pods = numbers('pods', values.pods ?? (values.quick ? '100' : '100,1000'), 1, 20_000);
    const nodes = numbers('nodes', values.nodes ?? '10', 1, 500);
    const bindings = numbers('bindings', values.bindings ?? '1', 1, 8);
    return bindings.flatMap((b) => nodes.flatMap((n) => pods.map((p) => ({ pods: p, nodes: n, bindings: b }))));
  }
}

/** Options that are right one by one and cannot succeed together. */
function refuseConflicts(options: BenchOptions): void {
  const { cases, modes, scenarios, quick, keep, profileSeconds } = options;
  if (quick) {
    if (!modes.includes('twin') || !modes.includes('through')) {
      throw new UsageError('--quick compares through with twin: --modes must name both');
    }
    if (!scenarios.includes('load') || !scenarios.includes('restart')) {
      throw new UsageError('--quick judges load and restart: --scenarios must name both');
    }
    if (profileSeconds > 0) {
      throw new UsageError(
        '--quick judges runs that count, and profiled ones do not: give --profile-seconds without it',
      );
    }
  }
  if (profileSeconds > 0 && !(scenarios.includes('load') && modes.includes('through'))) {
    throw new UsageError(
      '--profile-seconds profiles the runs of through: --modes must name through and --scenarios load',
    );
  }
  const groups = new Set(cases.map(({ nodes, bindings }) => `${nodes} ${bindings}`));
  if (keep && groups.size > 1) {
    throw new UsageError(
      `--keep leaves one set of nodes and bindings: give one number of each, not ${groups.size} pairs of them`,
    );
  }
}

function needFiles(options: BenchOptions): void {
  for (const flag of ['computing', 'worker'] as const) {
    if (!existsSync(options[flag])) {
      throw new UsageError(`--${flag}: there is no file ${options[flag]}; "npm run cluster -- up --nodes 1" makes it`);
    }
  }
  if (realpathSync(options.computing) === realpathSync(options.worker)) {
    throw new UsageError(`--computing and --worker are the same file, ${options.computing}: they are two clusters`);
  }
  if (options.kwok !== undefined && !existsSync(options.kwok)) {
    throw new UsageError(`--kwok: there is no file ${options.kwok}`);
  }
}
