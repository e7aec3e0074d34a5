/**
 * Two projects: `unit` needs nothing but Node; `e2e` runs on the real clusters of `npm run cluster`, one file at a time
 * in each lane (e2e/lanes.ts). Files share a process (`isolate: false`), so that what they import is read once and not for
 * each: whatever a file leaves behind in a module's variables, the next one finds.
 */
import { availableParallelism } from 'node:os';
import { relative } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { laneCount } from './e2e/lanes.ts';
import { knownDurations, longestFirst } from './e2e/order.ts';

/** The longest file first, so that no lane and no processor is idle at the end. */
class LongestFirst extends BaseSequencer {
  override sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const root = import.meta.dirname;
    return Promise.resolve(longestFirst(files, ({ moduleId }) => relative(root, moduleId), knownDurations(root)));
  }
}

/** These machines are shared and noisy: a test that fails once is tried once more; `npm test` tells which, and why. */
const retry = 1;

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            'packages/*/src/**/*.test.ts',
            'e2e/clusters/**/*.test.ts',
            'e2e/harness/**/*.test.ts',
            'e2e/figures/**/*.test.ts',
            'scripts/**/*.test.ts',
            'bench/**/*.test.ts',
          ],
          testTimeout: 30_000,
          retry,
          isolate: false,
          // Vitest's own choice leaves a processor for itself: of two that would be half.
          maxWorkers: availableParallelism(),
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['e2e/*.test.ts'],
          testTimeout: 120_000,
          retry,
          hookTimeout: 300_000,
          // A worker process is a lane.
          isolate: false,
          maxWorkers: laneCount(),
          // Projects that differ in the number of their workers run one after the other.
          sequence: { groupOrder: 1 },
          setupFiles: ['e2e/lane.ts'],
          globalSetup: ['e2e/setup.ts'],
        },
      },
    ],
  },
});
