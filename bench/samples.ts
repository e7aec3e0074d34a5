/** Results as a session finds them, for tests. */
import type { LoadResult } from './load.ts';
import type { Mode } from './options.ts';
import type { RestartResult } from './scenarios/restart.ts';

/** A run of 100 pods, well but for what `more` says. */
export function sampleRun(mode: Mode, p99: number, more: Partial<LoadResult> = {}): LoadResult {
  return {
    mode,
    pods: 100,
    nodes: 10,
    bindings: 1,
    p50: p99 / 2,
    p90: p99 * 0.9,
    p99,
    max: p99,
    podsPerSecond: 100,
    deleteSeconds: 2,
    writes: { computing: {}, worker: {} },
    writesComputing: 4,
    writesWorker: 7,
    measured: true,
    usage: [
      { pod: 'a', component: 'syncer', pid: 1, cpuSeconds: 0.3, peakMiB: 80, ended: false },
      { pod: 'b', component: 'proxier', pid: 2, cpuSeconds: 0.1, peakMiB: 90, ended: false },
    ],
    generatorBusy: { creating: 0.2, deleting: 0.2 },
    cutWatches: 0,
    flaws: [],
    remarks: [],
    ...more,
  };
}

export const sampleRestart: RestartResult = {
  scenario: 'restart',
  pods: 100,
  nodes: 10,
  bindings: 1,
  replaced: 2,
  workingSeconds: 3,
  quietSeconds: 3,
  deletions: 0,
  recreations: 0,
  writes: {},
  needlessWrites: {},
  peakMiB: 80,
};
