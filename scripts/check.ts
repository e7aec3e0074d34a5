/** `npm run check`: types, lint, format, dead code, generated files. Everything that needs no cluster and no run. */
import { parseArgs } from 'node:util';
import { reportStep, runStep, type StepResult } from './steps.ts';

const BIN = 'node_modules/.bin';

/** The checks, by name. */
const CHECKS: Record<string, string[]> = {
  types: [`${BIN}/tsc`, '-b'],
  lint: [`${BIN}/oxlint`, '--type-aware', '--quiet'],
  format: [`${BIN}/biome`, 'format', '.'],
  'dead code': [`${BIN}/knip`, '--no-progress'],
  'generated files up to date': [process.execPath, 'scripts/generate.ts', '--check'],
};

/** Runs all checks, two at a time, and reports each as it ends. */
export async function runChecks(): Promise<StepResult[]> {
  const results: StepResult[] = [];
  const waiting = Object.entries(CHECKS);
  async function worker(): Promise<void> {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const result = await runStep(`check: ${next[0]}`, next[1]);
      reportStep(result);
      results.push(result);
    }
  }
  await Promise.all([worker(), worker()]);
  return results;
}

if (import.meta.main) {
  parseArgs({ options: {}, strict: true });
  const results = await runChecks();
  process.exit(results.every((result) => result.ok) ? 0 : 1);
}
