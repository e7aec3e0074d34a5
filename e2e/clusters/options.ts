/** What `npm run cluster` takes: commands, flags, their limits, and the sentence for everything it refuses. */

import { parseArgs } from 'node:util';

export type Provider = 'local' | 'kind';

/** Sizes of a set of clusters. A size left out keeps what runs already, or else takes the default. */
export interface UpOptions {
  /** Number of worker clusters, 1 to 8; default 1. */
  workers?: number;
  /** Number of real nodes in each worker cluster, 1 to 8; default 2. */
  nodes?: number;
  /** Number of hollow nodes in each worker cluster, 0 to 1000; default 0. */
  hollow?: number;
  /** Storage classes in the worker clusters, by a provisioner; stays until `down`. */
  storage?: boolean;
  provider?: Provider;
}

export type Invocation =
  | { command: 'help' }
  | { command: 'up'; options: UpOptions }
  | { command: 'down' | 'status'; provider: Provider }
  | { command: 'logs'; provider: Provider; cluster: string | undefined; component: string | undefined; lines: number };

/** A command line that was refused; the message says why and what would be right. */
export class UsageError extends Error {
  override name = 'UsageError';
}

export const limits = {
  workers: { least: 1, most: 8, usual: 1 },
  nodes: { least: 1, most: 8, usual: 2 },
  hollow: { least: 0, most: 1000, usual: 0 },
} as const;

export const help = `Real Kubernetes clusters on this machine: one computing cluster and any number of worker clusters.

usage: npm run cluster -- <command> [flags]

  up       bring the clusters up, or repair and complete those that run
             --workers N    worker clusters, 1 to 8 (default 1)
             --nodes N      real nodes in each worker cluster, 1 to 8 (default 2)
             --hollow N     hollow nodes (kwok) in each worker cluster, 0 to 1000 (default 0)
             --storage      storage classes local-path and shared-path in the worker clusters, which stay until 'down'
  down     end every process and remove everything 'up' made; says what it could not remove
  status   clusters, components, nodes and kubeconfigs
  logs [cluster] [component]
           the last lines of the logs, for example: logs worker-1 kubelet-node1
             --lines N      lines of each log, 1 to 100000 (default 40)

  --provider local|kind   'local' (default) needs root and no container engine. 'kind' needs docker and kind;
                          it has not been tried where this repository is tested.

Kubeconfigs: .local/computing.kubeconfig, .local/worker-1.kubeconfig, ...
KUBEOCEAN_LOCAL=/another/folder keeps another set, with addresses of its own, beside the first.
`;

function wholeNumber(flag: string, text: string, least: number, most: number): number {
  if (!/^-?\d+$/.test(text)) throw new UsageError(`--${flag} wants a whole number, not "${text}"`);
  const value = Number(text);
  if (value < least || value > most) throw new UsageError(`--${flag} must be from ${least} to ${most}, not ${text}`);
  return value;
}

const flagsOf = new Map<string, readonly string[]>([
  ['up', ['workers', 'nodes', 'hollow', 'storage', 'provider']],
  ['down', ['provider']],
  ['status', ['provider']],
  ['logs', ['provider', 'lines']],
]);

/** Reads a command line (without the interpreter and file). Throws UsageError for anything it does not know. */
export function parseCommandLine(argv: readonly string[]): Invocation {
  let parsed;
  try {
    parsed = parseArgs({
      args: joinNegative(argv),
      allowPositionals: true,
      options: {
        workers: { type: 'string' },
        nodes: { type: 'string' },
        hollow: { type: 'string' },
        storage: { type: 'boolean' },
        provider: { type: 'string' },
        lines: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split('. ')[0]}; see --help`, { cause: error });
  }
  const { values, positionals } = parsed;
  const [command, ...rest] = positionals;
  if (values.help || command === 'help') return { command: 'help' };
  if (command === undefined) throw new UsageError('no command given: up, down, status or logs; see --help');
  const allowed = flagsOf.get(command);
  if (!allowed) throw new UsageError(`unknown command "${command}": up, down, status or logs; see --help`);
  for (const flag of Object.keys(values)) {
    if (!allowed.includes(flag)) throw new UsageError(`--${flag} does not belong to "${command}"; see --help`);
  }
  const most = command === 'logs' ? 2 : 0;
  if (rest.length > most) throw new UsageError(`"${command}" does not take "${rest[most]}"; see --help`);
  const provider = values.provider ?? 'local';
  if (provider !== 'local' && provider !== 'kind') {
    throw new UsageError(`--provider must be local or kind, not "${provider}"`);
  }
  if (command === 'up') {
    const options: UpOptions = { provider, ...(values.storage && { storage: true }) };
    for (const flag of ['workers', 'nodes', 'hollow'] as const) {
      const text = values[flag];
      if (text !== undefined) options[flag] = wholeNumber(flag, text, limits[flag].least, limits[flag].most);
    }
    return { command, options };
  }
  if (command === 'logs') {
    const lines = values.lines === undefined ? 40 : wholeNumber('lines', values.lines, 1, 100_000);
    return { command, provider, cluster: rest[0], component: rest[1], lines };
  }
  return { command: command as 'down' | 'status', provider };
}

// parseArgs takes `--nodes -1` for two flags and calls it ambiguous; the user meant a number, and is told its limits.
function joinNegative(argv: readonly string[]): string[] {
  const joined: string[] = [];
  for (const word of argv) {
    const last = joined.at(-1);
    if (/^-\d/.test(word) && last?.startsWith('--') && !last.includes('='))
      joined[joined.length - 1] = `${last}=${word}`;
    else joined.push(word);
  }
  return joined;
}

/** The sizes to bring up, from what is asked and what runs. Refuses to shrink: that wants `down` first. */
export function settleSizes(asked: UpOptions, running: Sizes | undefined): Sizes {
  const sizes = { workers: 0, nodes: 0, hollow: 0 };
  for (const key of ['workers', 'nodes', 'hollow'] as const) {
    const wanted = asked[key];
    const { least, most, usual } = limits[key];
    if (wanted !== undefined && (!Number.isInteger(wanted) || wanted < least || wanted > most)) {
      throw new UsageError(`${key} must be a whole number from ${least} to ${most}, not ${wanted}`);
    }
    const now = running?.[key];
    if (wanted !== undefined && now !== undefined && wanted < now) {
      throw new UsageError(
        `${now} ${key} run already and cannot become ${wanted}: run "npm run cluster -- down" first`,
      );
    }
    sizes[key] = wanted ?? now ?? usual;
  }
  return sizes;
}

export interface Sizes {
  workers: number;
  nodes: number;
  hollow: number;
}
