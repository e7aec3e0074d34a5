/** Results as tables for people. Pure. */
import { counts, type LoadResult } from './load.ts';
import { phasesLine } from './phases.ts';
import { recordOf, type RunRecord, sizeText } from './records.ts';
import type { Verdict } from './verdicts.ts';

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

/** A line per run; those that do not count say why. */
export function table(runs: readonly LoadResult[]): string {
  const rows = runs.map((run) => {
    const record = recordOf(run);
    return [...COLUMNS.map(([field]) => String(record[field] ?? 'not measured')), remarkOf(run)];
  });
  const all = [[...COLUMNS.map(([, title]) => title), ''], ...rows];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  return all
    .map((row) =>
      row
        // The remark, last, begins where the figures end.
        .map((cell, at) => (at < COLUMNS.length ? cell.padStart(widths[at] ?? 0) : cell))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** What is to be said of a run beside its figures. */
export function remarkOf(run: Pick<LoadResult, 'flaws' | 'remarks'>): string {
  return [...(counts(run) ? [] : [`does not count: ${run.flaws.join('; ')}`]), ...run.remarks].join('; ');
}

/** Of each through run the steps of a pod, with how many pods they are of. */
export function stepsTable(runs: readonly LoadResult[]): string {
  return runs
    .flatMap((run) => {
      if (!run.phases) return [];
      return [`  ${sizeText(run)}, ${run.phases.pods} of ${run.pods}:  ${phasesLine(run.phases)}`];
    })
    .join('\n');
}

export function verdictLine({ target, measured, good }: Verdict): string {
  const mark = good === undefined ? '–' : good ? '✓' : '✗';
  return `  ${mark} ${target.padEnd(72)} ${measured}`;
}
