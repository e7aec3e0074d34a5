/** What a session of the bench finds: kept on disk after every run, printed at its end. */
import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '@kubeocean/shared/kube';
import { EXIT } from './exit.ts';
import { UsageError } from './flags.ts';
import { counts, type LoadResult } from './load.ts';
import { type BenchOptions, MODES, SCENARIOS } from './options.ts';
import { latencyPlot } from './plot.ts';
import { exitCodeOf, judgeQuick } from './quick.ts';
import { medians, recordOf } from './records.ts';
import { stepsTable, table, verdictLine } from './report.ts';
import { type Settings, settingsMismatch } from './settings.ts';
import { type ScenarioResult, verdicts } from './verdicts.ts';

/** What one invocation has found so far; written to disk after every run, so that nothing is lost. */
export interface Session {
  options: BenchOptions;
  settings: Settings;
  runs: LoadResult[];
  scenarios: ScenarioResult[];
  problems: string[];
}

/** What a folder has of earlier invocations, as `details.json`. */
type Found = Pick<Session, 'settings' | 'runs' | 'scenarios' | 'problems'>;

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isRun(value: unknown): boolean {
  if (!isObject(value)) return false;
  const numbers = ['pods', 'nodes', 'bindings', 'p50', 'p90', 'p99', 'max', 'podsPerSecond', 'deleteSeconds'];
  return (
    (MODES as readonly unknown[]).includes(value['mode']) &&
    numbers.every((field) => Number.isFinite(value[field])) &&
    [value['usage'], value['flaws'], value['remarks']].every(Array.isArray) &&
    isObject(value['writes'])
  );
}

function isScenario(value: unknown): boolean {
  return isObject(value) && (SCENARIOS as readonly unknown[]).includes(value['scenario']);
}

function isFound(value: unknown): value is Found {
  if (!isObject(value)) return false;
  const { settings, runs, scenarios, problems } = value;
  return (
    isObject(settings) &&
    Array.isArray(runs) &&
    runs.every(isRun) &&
    Array.isArray(scenarios) &&
    scenarios.every(isScenario) &&
    Array.isArray(problems) &&
    problems.every((problem) => typeof problem === 'string')
  );
}

/** Makes the output folder. @throws UsageError when nothing can be written there: better now than after hours. */
export function needOutput(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw new UsageError(`--output: ${folder} cannot be written to (${messageOf(error)})`, { cause: error });
  }
}

/**
 * A session that begins with nothing, or with what the output folder has when it is to go on.
 * @throws UsageError when there is nothing to go on from, or when it was measured in another way.
 */
export function beginSession(options: BenchOptions, settings: Settings): Session {
  if (!options.continues) return { options, settings, runs: [], scenarios: [], problems: [] };
  const file = join(options.output, 'details.json');
  let found: unknown;
  try {
    found = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new UsageError(`--continue: ${file} cannot be read (${messageOf(error)}); the first go is without it`, {
      cause: error,
    });
  }
  if (!isFound(found)) {
    throw new UsageError(`--continue: ${file} is not what this bench writes; use another --output folder`);
  }
  const differences = settingsMismatch(found.settings, settings);
  if (differences.length > 0) {
    throw new UsageError(
      `--continue: ${file} was measured in another way: ${differences.join('; ')}; use another --output folder`,
    );
  }
  const { runs, scenarios, problems } = found;
  return { options, settings, runs, scenarios, problems };
}

/** Writes all that was found so far. What cannot be written is a problem, told once, and ends nothing. */
export function save(session: Session): void {
  const { options, settings, runs, scenarios, problems } = session;
  const counted = runs.filter(counts);
  const latest = join(options.output, 'latest.json');
  const write = (file: string, value: unknown): void =>
    writeFileSync(join(options.output, file), `${JSON.stringify(value, undefined, 1)}\n`);
  try {
    mkdirSync(options.output, { recursive: true });
    write('details.json', { settings, runs, scenarios, problems });
    // Figures of an earlier session are worth more than none.
    if (counted.length === 0 && existsSync(latest)) return;
    write('latest.json', counted.map(recordOf));
    writeFileSync(join(options.output, 'latency.svg'), latencyPlot(medians(counted), 'A pod, created → Ready'));
  } catch (error) {
    const problem = `the results cannot be saved: ${messageOf(error)}`;
    if (!problems.includes(problem)) problems.push(problem);
  }
}

/** Prints everything; gives the exit code. */
export function report(session: Session, print: (line: string) => void = (line) => console.log(line)): number {
  const { options, runs, scenarios, problems } = session;
  save(session);
  if (runs.length > 0) print(`\n${table(runs)}`);
  const steps = stepsTable(runs);
  if (steps) print(`\nSteps of a pod through Kubeocean, p50/p99 in seconds:\n${steps}`);
  const all = verdicts(runs, scenarios);
  if (all.length > 0) print('\nAgainst the targets (medians of the runs above that count):');
  for (const each of all) print(verdictLine(each));
  for (const problem of problems) print(`problem: ${problem}`);
  if (runs.length > 0 && !runs.some(counts)) print('no run counts: an earlier latest.json stays as it is');
  print(`\n${join(options.output, 'latest.json')}, details.json, latency.svg`);
  if (!options.quick) return problems.length > 0 ? EXIT.failed : EXIT.fine;
  const judged = judgeQuick(options.cases, runs, scenarios);
  const judgement = { ...judged, failures: [...judged.failures, ...problems] };
  const lines = [...judgement.failures, ...judgement.slow];
  for (const line of lines) print(`FAILED: ${line}`);
  print(lines.length === 0 ? 'bench --quick: passed' : `bench --quick: ${lines.length} failed`);
  return exitCodeOf(judgement);
}
