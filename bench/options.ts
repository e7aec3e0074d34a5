/** What `npm run bench` takes: the flags, their limits, and the sentence for everything it refuses. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { binFolder, kubeconfigPath, stateRoot } from '../e2e/clusters/paths.ts';

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
  kwok: string;
  output: string;
  /** What the output folder has of an earlier invocation stays, and is judged together with what is found now. */
  continues: boolean;
  profileSeconds: number;
  keep: boolean;
}

/** A command line that was refused; the message says why and what would be right. */
export class UsageError extends Error {
  override name = 'UsageError';
}

export const help = `How fast pods become Ready, how much that costs, against a direct write and against the limit.

usage: npm run bench -- [flags]        (clusters: npm run cluster -- up --nodes 1)

What is run
  --quick               short form for CI: 100 pods, one run of each mode, restart; fails on wide ratios only
  --full                the whole table: sizes 100 to 10,000, 10 and 100 nodes, 1 and 4 bindings, all scenarios;
                        hours: use --max-minutes
  --pods LIST           numbers of pods, 1 to 20000 (default 100,1000)
  --nodes LIST          numbers of hollow nodes on each side, 1 to 500 (default 10)
  --bindings LIST       numbers of bindings that share the nodes, 1 to 8 (default 1)
  --cases LIST          instead of the three: PODSxNODESxBINDINGS, such as 1000x10x1,1000x100x4
  --runs N              runs of each size and mode, interleaved, 1 to 20 (default 3)
  --modes LIST          of direct (generator to worker cluster), twin (the same load to both clusters at once),
                        through (home pods on vnodes) (default all)
  --scenarios LIST      of load, single (one pod at a time), idle, restart (with all pods there), storm (the status of
                        all pods changes within 10 s), tenants (one with all pods, ten with 10)
                        (default load,single,idle,restart)
  --creators N          parallel writers of the generator on each side, 1 to 200 (default 20)
  --idle-seconds N      length of the idle measurement, 5 to 3600 (default 120)
  --single N            pods, one at a time, of the single scenario, 1 to 1000 (default 30)
  --timeout-seconds N   longest a run may take to make or to delete its pods, 10 to 7200 (default 900)
  --max-minutes N       begin no run after so long, 1 to 1440 (default 600)

What is measured
  --computing FILE      kubeconfig of the computing cluster, an administrator's (default .local/computing.kubeconfig)
  --worker FILE         kubeconfig of the worker cluster (default .local/worker-1.kubeconfig)
  --system WHAT         charts: install the charts of this checkout (default); installed: use what is installed there
  --binding-prefix P    ClusterBindings and policies are made as P-1, P-2, ... (default bench)
  --mount-namespace N   namespace of the worker that receives the pods (default kubeocean-worker)
  --secret NS/NAME      Secret with the worker's kubeconfig (default kubeocean-system/bench-worker-kubeconfig; made when
                        --system is charts)
  --direct-scheduling   bindings with directScheduling: worker pods name their node instead of asking the scheduler there
  --processes NS,NS     namespaces whose pods are the measured processes, in the computing cluster and in the worker;
                        they must run on this machine (default kubeocean-system,kubeocean-agent)
  --restart-selector S  label selector of the pods that the restart scenario deletes (default kubeocean.io/component=syncer)
  --kwok FILE           program that plays the hollow nodes (default: built by "npm run cluster -- up --hollow 1")

Output
  --output FOLDER       latest.json (runs that count), details.json (everything), latency.svg (default .local/bench)
  --continue            keeps the runs that the folder has already: a long table in several goes. Ratios are of medians
                        of all of them, so let each size have its direct, twin and through in one go
  --profile-seconds N   takes a CPU profile of the leading syncer during the first N seconds of each "through" run
  --keep                leaves bindings, nodes and kwok for a look; the next run clears them away
  --help
`;

const FULL: Case[] = [
  ...[100, 1000, 5000, 10_000].map((pods) => ({ pods, nodes: 10, bindings: 1 })),
  { pods: 1000, nodes: 100, bindings: 1 },
  { pods: 1000, nodes: 10, bindings: 4 },
  { pods: 10_000, nodes: 100, bindings: 4 },
];

function wholeNumber(flag: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text)) throw new UsageError(`--${flag} wants a whole number, not "${text}"`);
  if (value < least || value > most) throw new UsageError(`--${flag} must be from ${least} to ${most}, not ${text}`);
  return value;
}

function listOf(flag: string, text: string): string[] {
  const items = text.split(',').map((item) => item.trim());
  if (items.includes('')) throw new UsageError(`--${flag} is a list parted by commas; "${text}" has an empty place`);
  const twice = items.find((item, at) => items.indexOf(item) !== at);
  if (twice !== undefined) throw new UsageError(`--${flag} names ${twice} twice`);
  return items;
}

function numbers(flag: string, text: string, least: number, most: number): number[] {
  return listOf(flag, text).map((item) => wholeNumber(flag, item, least, most));
}

function choices<T extends string>(flag: string, text: string, known: readonly T[]): T[] {
  return listOf(flag, text).map((item) => {
    if (!(known as readonly string[]).includes(item)) {
      throw new UsageError(`--${flag} takes ${known.join(', ')}, not "${item}"`);
    }
    return item as T;
  });
}

function pair(flag: string, text: string, separator: string): [string, string] {
  const parts = text.split(separator);
  if (parts.length !== 2 || parts.some((part) => !/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(part))) {
    throw new UsageError(`--${flag} wants two names parted by "${separator}", not "${text}"`);
  }
  return parts as [string, string];
}

function name(flag: string, text: string): string {
  if (!/^[a-z0-9]([-a-z0-9]{0,18}[a-z0-9])?$/.test(text)) {
    throw new UsageError(`--${flag} wants a name of at most 20 small letters, digits and "-", not "${text}"`);
  }
  return text;
}

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
    prefix: name('binding-prefix', values['binding-prefix'] ?? 'bench'),
    mountNamespace: name('mount-namespace', values['mount-namespace'] ?? 'kubeocean-worker'),
    secret: { namespace: secretNamespace, name: secretName },
    system,
    directScheduling: values['direct-scheduling'] ?? false,
    processes: { computing: home, worker: away },
    restartSelector: values['restart-selector'] ?? 'kubeocean.io/component=syncer',
    kwok: resolve(values.kwok ?? join(binFolder(), 'kwok')),
    output: resolve(values.output ?? join(stateRoot(), 'bench')),
    continues: values.continue ?? false,
    profileSeconds: number('profile-seconds', 1, 600, 0),
    keep: values.keep ?? false,
  };
  if (
    options.scenarios.includes('load') &&
    options.quick &&
    !['twin', 'through'].every((m) => options.modes.includes(m as Mode))
  ) {
    throw new UsageError('--quick compares through with twin: --modes must name both');
  }
  if (files) {
    for (const flag of ['computing', 'worker'] as const) {
      if (!existsSync(options[flag])) {
        throw new UsageError(
          `--${flag}: there is no file ${options[flag]}; "npm run cluster -- up --nodes 1" makes it`,
        );
      }
    }
    if (values.kwok !== undefined && !existsSync(options.kwok)) {
      throw new UsageError(`--kwok: there is no file ${options.kwok}`);
    }
  }
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
