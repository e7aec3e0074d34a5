/** Runs as they are written to latest.json, and the middle one of each size. Pure. */
import { counts, type LoadResult } from './load.ts';
import { MODES, type Case, type Mode } from './options.ts';
import { median, rounded } from './statistics.ts';

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
  /** null: not measured, as the processes run on another machine. */
  cpuMsPerPod: number | null;
  peakMiB: number | null;
  writesComputing: number;
  writesWorker: number;
}

function cpuMsPerPod({ usage, pods }: LoadResult): number {
  return (usage.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0) * 1000) / pods;
}

/** Of the largest of the measured processes. */
function peakMiB({ usage }: LoadResult): number {
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
    cpuMsPerPod: run.measured ? rounded(cpuMsPerPod(run), 2) : null,
    peakMiB: run.measured ? rounded(peakMiB(run), 1) : null,
    writesComputing: rounded(run.writesComputing, 2),
    writesWorker: rounded(run.writesWorker, 2),
  };
}

export function sameSize(a: Case, b: Case): boolean {
  return a.pods === b.pods && a.nodes === b.nodes && a.bindings === b.bindings;
}

export function sizeText({ pods, nodes, bindings }: Case): string {
  return `${pods} pods, ${nodes} nodes, ${bindings} binding(s)`;
}

/** Field by field the median of the records; null where one has none. */
function middleOf(records: readonly RunRecord[]): RunRecord {
  const first = records[0] as RunRecord;
  const fields = Object.entries(first).map(([field, value]) => {
    const values = records.map((record) => record[field as keyof RunRecord]);
    if (values.includes(null)) return [field, null];
    return [field, typeof value === 'number' ? median(values.map(Number)) : value];
  });
  return Object.fromEntries(fields) as RunRecord;
}

/** Of each mode and size the middle of the runs that count, as a record. */
export function medians(runs: readonly LoadResult[]): RunRecord[] {
  const key = (run: LoadResult): string => `${run.pods} ${run.nodes} ${run.bindings} ${MODES.indexOf(run.mode)}`;
  const sizes = Map.groupBy(runs.filter(counts), key);
  return [...sizes.values()].map((same) => middleOf(same.map(recordOf)));
}
