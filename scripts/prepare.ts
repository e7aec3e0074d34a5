/**
 * Brings up what the end-to-end tests need, without running any: `npm test` does it while checks and unit tests run. So are
 * the programs that only some tests ask for: built in the middle of the run they would take the processor from the others.
 */
import type { ProgramName } from '../e2e/clusters/programs.ts';
import { prepare } from '../e2e/setup.ts';

const OF_TESTS: readonly ProgramName[] = [
  'metrics-server',
  'kubectl-newest',
  'kwok',
  'local-path',
  'csi',
  'exposition',
];

await prepare(OF_TESTS);
