/** What a session of the bench finds: kept on disk after every run, printed at its end. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '@kubeocean/shared/kube';
import type { LoadResult } from './load.ts';
import { type BenchOptions, UsageError } from './options.ts';
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

/** What a folder has of earlier invocations, as `details.json`. */
type Found = Pick<Session, 'runs' | 'scenarios' | 'problems'> & { directScheduling?: boolean };

/**
 * A session that begins with nothing, or with what the output folder has when it is to go on.
 * @throws UsageError when there is nothing to go on from, or when it was measured in another way.
 */
export function beginSession(options: BenchOptions, sides: Sides): Session {
  if (!options.continues) return { options, sides, runs: [], scenarios: [], problems: [] };
  const file = join(options.output, 'details.json');
  let found: Partial<Found> | null;
  try {
    found = JSON.parse(readFileSync(file, 'utf8')) as Partial<Found> | null;
  } catch (error) {
    throw new UsageError(`--continue: ${file} cannot be read (${messageOf(error)}); the first go is without it`, {
      cause: error,
    });
  }
  const { runs, scenarios, problems, directScheduling = false } = found ?? {};
  if (!Array.isArray(runs) || !Array.isArray(scenarios) || !Array.isArray(problems)) {
    throw new UsageError(`--continue: ${file} is not what the bench writes; use another --output folder`);
  }
  if (directScheduling !== options.directScheduling) {
    const how = directScheduling ? 'with' : 'without';
    throw new UsageError(`--continue: ${file} was measured ${how} --direct-scheduling; use another --output folder`);
  }
  return { options, sides, runs, scenarios, problems };
}

/** Writes all that was found so far. */
export function save({ options, runs, scenarios, problems }: Session): void {
  mkdirSync(options.output, { recursive: true });
  const counted = runs.filter(({ saturated }) => !saturated);
  const write = (file: string, value: unknown): void =>
    writeFileSync(join(options.output, file), `${JSON.stringify(value, undefined, 1)}\n`);
  write('latest.json', counted.map(recordOf));
  write('details.json', { runs, scenarios, problems, directScheduling: options.directScheduling });
  writeFileSync(join(options.output, 'latency.svg'), latencyPlot(medians(counted), 'A pod, created → Ready'));
}

/** Prints everything; gives the exit code. */
export function report(session: Session): number {
  const { options, runs, problems } = session;
  if (runs.length > 0) console.log(`\n${table(runs)}`);
  const all = verdicts(runs, session.scenarios);
  if (all.length > 0) console.log('\nAgainst the targets (medians of the runs above):');
  for (const { target, measured, good } of all) console.log(`  ${good ? '✓' : '✗'} ${target.padEnd(72)} ${measured}`);
  for (const problem of problems) console.log(`problem: ${problem}`);
  console.log(`\n${join(options.output, 'latest.json')}, details.json, latency.svg`);
  if (!options.quick) return problems.length > 0 ? 1 : 0;
  const failures = [...quickFailures(runs, session.scenarios), ...problems];
  for (const failure of failures) console.log(`FAILED: ${failure}`);
  console.log(failures.length === 0 ? 'bench --quick: passed' : `bench --quick: ${failures.length} failed`);
  return failures.length === 0 ? 0 : 1;
}
