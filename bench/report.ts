/** Results as a table, as latest.json, and against the targets. Pure. */
import type { LoadResult } from './load.ts';
import { MODES, type Mode } from './options.ts';
import type { IdleResult, RestartResult } from './scenarios/present.ts';
import type { SingleResult } from './scenarios/single.ts';
import type { StormResult } from './scenarios/storm.ts';
import type { TenantsResult } from './scenarios/tenants.ts';
import { median, rounded } from './statistics.ts';

export type ScenarioResult = SingleResult | IdleResult | RestartResult | StormResult | TenantsResult;

/** One object of latest.json: these fields and no others. */
export interface RunRecord {
  mode: Mode;
  pods: number;
  nodes: number;
  bindings: number;
  p50: number;
  p90: number;
  p99: number;
  max: number;
  podsPerSecond: number;
  deleteSeconds: number;
  cpuMsPerPod: number;
  peakMiB: number;
  writesComputing: number;
  writesWorker: number;
}

export function cpuMsPerPod({ usage, pods }: LoadResult): number {
  return (usage.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0) * 1000) / pods;
}

/** Of the largest of the measured processes. */
export function peakMiB({ usage }: LoadResult): number {
  return Math.max(0, ...usage.map((process) => process.peakMiB));
}

export function recordOf(run: LoadResult): RunRecord {
  const { mode, pods, nodes, bindings } = run;
  return {
    mode,
    pods,
    nodes,
    bindings,
    p50: rounded(run.p50),
    p90: rounded(run.p90),
    p99: rounded(run.p99),
    max: rounded(run.max),
    podsPerSecond: rounded(run.podsPerSecond, 1),
    deleteSeconds: rounded(run.deleteSeconds, 2),
    cpuMsPerPod: rounded(cpuMsPerPod(run), 2),
    peakMiB: rounded(peakMiB(run), 1),
    writesComputing: rounded(run.writesComputing, 2),
    writesWorker: rounded(run.writesWorker, 2),
  };
}

const COLUMNS: [keyof RunRecord, string][] = [
  ['mode', 'mode'],
  ['pods', 'pods'],
  ['nodes', 'nodes'],
  ['bindings', 'bind.'],
  ['p50', 'p50 s'],
  ['p90', 'p90 s'],
  ['p99', 'p99 s'],
  ['max', 'max s'],
  ['podsPerSecond', 'pods/s'],
  ['deleteSeconds', 'delete s'],
  ['cpuMsPerPod', 'CPU ms/pod'],
  ['peakMiB', 'peak MiB'],
  ['writesComputing', 'writes home'],
  ['writesWorker', 'writes worker'],
];

/** A line per run; those that do not count are marked. */
export function table(runs: readonly LoadResult[]): string {
  const rows = runs.map((run) => {
    const record = recordOf(run);
    return [...COLUMNS.map(([field]) => String(record[field])), remarkOf(run)];
  });
  const all = [[...COLUMNS.map(([, title]) => title), ''], ...rows];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  return all
    .map((row) =>
      row
        .map((cell, at) => cell.padStart(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function remarkOf({ saturated, restarted }: LoadResult): string {
  if (saturated) return 'generator saturated: does not count';
  return restarted > 0 ? `${restarted} process(es) ended: CPU and memory incomplete` : '';
}

/** The middle run of each mode of one size, as a record. */
export function medians(runs: readonly LoadResult[]): RunRecord[] {
  const sizes = new Map<string, LoadResult[]>();
  for (const run of runs) {
    if (run.saturated) continue;
    const key = `${run.pods} ${run.nodes} ${run.bindings} ${MODES.indexOf(run.mode)}`;
    sizes.set(key, [...(sizes.get(key) ?? []), run]);
  }
  return [...sizes.values()].map((same) => {
    const records = same.map(recordOf);
    const first = records[0] as RunRecord;
    return Object.fromEntries(
      Object.entries(first).map(([field, value]) => [
        field,
        typeof value === 'number' ? median(records.map((record) => Number(record[field as keyof RunRecord]))) : value,
      ]),
    ) as unknown as RunRecord;
  });
}

export interface Verdict {
  target: string;
  measured: string;
  good: boolean;
}

function verdict(target: string, value: number, limit: number, unit = '', most = true): Verdict {
  const good = most ? value <= limit : value >= limit;
  return { target: `${target} ${most ? '≤' : '≥'} ${limit}${unit}`, measured: `${rounded(value, 2)}${unit}`, good };
}

/** How what was measured stands to the targets of the project. Ratios are of medians of the same session. */
export function verdicts(runs: readonly LoadResult[], scenarios: readonly ScenarioResult[]): Verdict[] {
  const result: Verdict[] = [];
  const middle = medians(runs);
  for (const through of middle.filter(({ mode }) => mode === 'through')) {
    const same = ({ pods, nodes, bindings }: RunRecord): boolean =>
      pods === through.pods && nodes === through.nodes && bindings === through.bindings;
    const size = `${through.pods} pods, ${through.nodes} nodes, ${through.bindings} binding(s):`;
    const twin = middle.find((record) => record.mode === 'twin' && same(record));
    if (twin) {
      result.push(
        verdict(`${size} p99 / twin`, through.p99 / twin.p99, 1.3),
        verdict(`${size} throughput / twin`, through.podsPerSecond / twin.podsPerSecond, 0.85, '', false),
        verdict(`${size} deletion / twin`, through.deleteSeconds / twin.deleteSeconds, 1.3),
      );
    }
    result.push(
      verdict(`${size} CPU per pod`, through.cpuMsPerPod, 4, ' ms'),
      verdict(`${size} peak memory`, through.peakMiB, rounded((90e6 + 8192 * through.pods) / 2 ** 20, 0), ' MiB'),
    );
  }
  for (const each of scenarios) result.push(...ofScenario(each));
  return result;
}

function ofScenario(result: ScenarioResult): Verdict[] {
  switch (result.scenario) {
    case 'single':
      return [
        verdict('single pod, p50 above direct', (result.through.p50 - result.direct.p50) * 1000, 60, ' ms'),
        verdict('single pod, p99 above direct', (result.through.p99 - result.direct.p99) * 1000, 150, ' ms'),
      ];
    case 'idle':
      return [verdict(`idle, ${result.nodes} vnodes, ${result.pods} pods: of a core`, result.corePercent, 1.5, ' %')];
    case 'restart':
      return [
        verdict(`restart with ${result.pods} pods: new pod Ready`, result.workingSeconds, 15, ' s'),
        verdict(`restart with ${result.pods} pods: deletions`, result.deletions, 0),
        verdict(`restart with ${result.pods} pods: re-creations`, result.recreations, 0),
        verdict(`restart with ${result.pods} pods: needless writes`, sum(result.needlessWrites), 0),
      ];
    case 'storm':
      return [
        verdict(`storm over ${result.pods} pods: shown after the last change`, result.shownSeconds, 5, ' s'),
        verdict(`storm over ${result.pods} pods: patches per pod`, result.patchesPerPod, 1.2),
      ];
    case 'tenants':
      return [
        verdict(`ten small tenants beside ${result.pods} pods: p99 / alone`, result.beside.p99 / result.alone.p99, 2),
      ];
  }
}

function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((all, count) => all + count, 0);
}

/** Writes a pod that the short form allows on each side: those of an ordinary pod and a margin for what Kubernetes adds. */
const QUICK_WRITES = { computing: 8, worker: 12 };

/** Writes a pod on pods and what they refer to; those on nodes and bindings grow with time, not with pods. */
function podWrites({ writes, pods }: LoadResult, side: 'computing' | 'worker'): number {
  let sum = 0;
  for (const [what, count] of Object.entries(writes[side])) {
    if (/^[A-Z]+ (?:pods|secrets|configmaps|serviceaccounts)(?:\/|$)/.test(what) && what !== 'POST pods/binding')
      sum += count;
  }
  return rounded(sum / pods - (side === 'computing' ? 2 : 0), 2);
}

/** What the short form fails for: wide ratios only, so that a busy machine does not matter. */
export function quickFailures(runs: readonly LoadResult[], scenarios: readonly ScenarioResult[]): string[] {
  const failures: string[] = [];
  const middle = medians(runs);
  const through = middle.find(({ mode }) => mode === 'through');
  const twin = middle.find(({ mode }) => mode === 'twin');
  if (!through || !twin) return ['there is no run of through or of twin that counts'];
  if (through.p99 > 3 * twin.p99) failures.push(`p99 ${through.p99} s is more than 3 × twin (${twin.p99} s)`);
  for (const side of ['computing', 'worker'] as const) {
    for (const run of runs) {
      const writes = run.mode === 'through' ? podWrites(run, side) : 0;
      if (writes > QUICK_WRITES[side]) {
        failures.push(`${writes} writes a pod in the ${side} cluster, more than ${QUICK_WRITES[side]}`);
      }
    }
  }
  for (const each of scenarios) {
    if (each.scenario !== 'restart') continue;
    if (each.deletions > 0) failures.push(`a restart deleted ${each.deletions} pod(s)`);
    if (each.recreations > 0) failures.push(`a restart made ${each.recreations} pod(s) anew`);
  }
  return failures;
}
