/**
 * `npm run conformance -- [--focus REGEX] [--skip REGEX] [--plain] …`: Kubernetes' own conformance cases on vnodes, or on
 * the plain local node for comparison. docs/conformance.md says what passes.
 */
import { spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensureProgram, up } from '../e2e/clusters/index.ts';
import { run } from '../e2e/clusters/local/run.ts';
import { allowNodes, bind, vnodesReady } from './conformance/clusters.ts';
import { ensureImages } from './conformance/images.ts';
import { type ConformanceOptions, parseOptions, usage, UsageError } from './conformance/options.ts';
import { type Outcome, outcomeOf, type SuiteReport, summary, withNotRun } from './conformance/report.ts';
import { focusOn, sharesOf } from './conformance/shares.ts';
import { reportStep, runStep } from './steps.ts';
import { LOCAL } from './tutorial.ts';

const FOLDER = join(LOCAL, 'conformance');

function say(line: string): void {
  console.log(`conformance: ${line}`);
}

async function step(name: string, command: readonly string[]): Promise<void> {
  const result = await runStep(name, command, { live: true });
  reportStep(result, true);
  if (!result.ok) throw new Error(`${name} failed`);
}

/** Names of the cases that would run, without any cluster. @throws UsageError when the expressions are refused */
async function casesOf(program: string, { focus, skip }: ConformanceOptions): Promise<string[]> {
  const report = join(FOLDER, 'chosen.json');
  rmSync(report, { force: true });
  const args = [...chosen(focus, skip), '--ginkgo.dry-run', `--ginkgo.json-report=${report}`];
  // It is read before anything else, and not needed yet.
  const kubeconfig = `--kubeconfig=${join(LOCAL, 'computing.kubeconfig')}`;
  const { status, stdout, stderr } = await run([program, kubeconfig, '--provider=skeleton', ...args], {
    anyExit: true,
  });
  if (!existsSync(report)) {
    const lines = `${stdout}${stderr}`.trim().split('\n');
    const words = lines.find((line) => line.startsWith('panic:')) ?? lines.slice(-5).join('\n');
    throw new UsageError(`the test program refused --focus or --skip (exit code ${status}): ${words}`);
  }
  return outcomeOf(JSON.parse(readFileSync(report, 'utf8')) as SuiteReport[]).passed;
}

function chosen(focus: string, skip: string | undefined): string[] {
  return [`--ginkgo.focus=${focus}`, ...(skip === undefined ? [] : [`--ginkgo.skip=${skip}`]), '--ginkgo.no-color'];
}

/** Everything that the cases need. */
async function prepare(plain: boolean): Promise<void> {
  await up();
  const agnhost = await ensureProgram('agnhost', LOCAL, say);
  const nonewprivs = await ensureProgram('nonewprivs', LOCAL, say);
  const { stdout } = await run(['/usr/bin/busybox', '--list']);
  const applets = stdout.split('\n').filter((name) => name !== '' && name !== 'busybox');
  say('making images');
  await ensureImages(join(FOLDER, 'images'), applets, { agnhost, nonewprivs });
  if (plain) {
    allowNodes('own');
    return;
  }
  await step('image', [process.execPath, 'scripts/image.ts']);
  say('binding worker-1');
  await bind();
  allowNodes('vnodes');
}

/** Runs these cases one after the other. @throws Error when the program ended without a report. */
async function runShare(
  program: string,
  cases: readonly string[],
  name: string,
  untilMs: number,
): Promise<SuiteReport[]> {
  const [report, log] = [join(FOLDER, `${name}.json`), join(FOLDER, `${name}.log`)];
  rmSync(report, { force: true });
  const child = spawn(
    program,
    [
      `--kubeconfig=${join(LOCAL, 'computing.kubeconfig')}`,
      `--kubectl-path=${join(LOCAL, 'bin/kubectl')}`,
      '--provider=skeleton',
      '--disable-log-dump',
      // Nodes that the cases must not use are cordoned, which is not a fault.
      '--allowed-not-ready-nodes=-1',
      ...chosen(focusOn(cases), undefined),
      '--ginkgo.v',
      `--ginkgo.timeout=${Math.max(1, Math.round((untilMs - performance.now()) / 1000))}s`,
      `--ginkgo.json-report=${report}`,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const output = createWriteStream(log);
  for (const stream of [child.stdout, child.stderr]) stream.pipe(output, { end: false });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  child.on('error', reject);
  child.on('close', () => resolve());
  await promise;
  output.end();
  if (!existsSync(report)) {
    const words = readFileSync(log, 'utf8').trim().split('\n').slice(-5).join('\n');
    throw new Error(`the test program made no report; its last words:\n${words}`);
  }
  return JSON.parse(readFileSync(report, 'utf8')) as SuiteReport[];
}

/** Runs all cases to their end. */
async function runCases(program: string, cases: readonly string[], options: ConformanceOptions): Promise<Outcome> {
  const name = options.plain ? 'plain' : 'vnodes';
  say(`running; the output is in ${join(FOLDER, name)}-*.log`);
  const untilMs = performance.now() + (options.minutes ?? 1440) * 60_000;
  const reports: SuiteReport[] = [];
  for (const [round, shares] of sharesOf(cases, options.procs).entries()) {
    const made = await Promise.all(
      shares.map((share, index) =>
        runShare(program, share, `${name}-${round === 0 ? '' : 'serial-'}${index + 1}`, untilMs),
      ),
    );
    reports.push(...made.flat());
  }
  return withNotRun(outcomeOf(reports), cases);
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (!options) {
    console.log(usage);
    return 0;
  }
  const started = performance.now();
  mkdirSync(FOLDER, { recursive: true });
  const program = await ensureProgram('conformance', LOCAL, say);
  const cases = await casesOf(program, options);
  if (cases.length === 0) {
    const besides = options.skip === undefined ? '' : ` that --skip ${options.skip} leaves in`;
    throw new UsageError(`no case matches --focus ${options.focus}${besides}`);
  }
  say(`${cases.length} cases`);
  if (!options.prepared) await prepare(options.plain);
  else {
    allowNodes(options.plain ? 'own' : 'vnodes');
    if (!options.plain) await vnodesReady();
  }
  let outcome: Outcome;
  try {
    outcome = await runCases(program, cases, options);
  } finally {
    allowNodes('all');
  }
  const { passed, failed, notRun, broken } = outcome;
  console.log(passed.map((name) => `passed: ${name}`).join('\n'));
  say(`${((performance.now() - started) / 60_000).toFixed(1)} min`);
  console.log(summary(outcome));
  return failed.length + notRun.length + broken.length > 0 ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`conformance: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 2;
}
