/** What a session of the bench finds: kept on disk after every run, printed at its end. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LoadResult } from './load.ts';
import type { BenchOptions } from './options.ts';
import { latencyPlot } from './plot.ts';
import { medians, quickFailures, recordOf, type ScenarioResult, table, verdicts } from './report.ts';
import type { Sides } from './system.ts';

/** What one invocation has found so far; written to disk after every run, so that nothing is lost. */
export interface Session {
  options: BenchOptions;
  sides: Sides;
  runs: LoadResult[];
  scenarios: ScenarioResult[];
  problems: string[];
}

/** Writes all that was found so far. */
export function save({ options, runs, scenarios, problems }: Session): void {
  mkdirSync(options.output, { recursive: true });
  const counted = runs.filter(({ saturated }) => !saturated);
  const write = (file: string, value: unknown): void =>
    writeFileSync(join(options.output, file), `${JSON.stringify(value, undefined, 1)}\n`);
  write('latest.json', counted.map(recordOf));
  write('details.json', { runs, scenarios, problems });
  writeFileSync(join(options.output, 'latency.svg'), latencyPlot(medians(counted), 'A pod, created → Ready'));
}

/** Prints everything; gives the exit code. */
export function report(session: Session): number {
  const { options, runs, problems } = session;
  if (runs.length > 0) console.log(`\n${table(runs)}`);
  const all = verdicts(runs, session.scenarios);
  if (all.length > 0) console.log('\nAgainst the targets (medians of this session):');
  for (const { target, measured, good } of all) console.log(`  ${good ? '✓' : '✗'} ${target.padEnd(72)} ${measured}`);
  for (const problem of problems) console.log(`problem: ${problem}`);
  console.log(`\n${join(options.output, 'latest.json')}, details.json, latency.svg`);
  if (!options.quick) return problems.length > 0 ? 1 : 0;
  const failures = [...quickFailures(runs, session.scenarios), ...problems];
  for (const failure of failures) console.log(`FAILED: ${failure}`);
  console.log(failures.length === 0 ? 'bench --quick: passed' : `bench --quick: ${failures.length} failed`);
  return failures.length === 0 ? 0 : 1;
}
