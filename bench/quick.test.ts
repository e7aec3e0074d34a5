import { describe, expect, it } from 'vitest';
import type { LoadResult } from './load.ts';
import { exitCodeOf, judgeQuick } from './quick.ts';
import { sampleRestart, sampleRun } from './samples.ts';

const SIZE = { pods: 100, nodes: 10, bindings: 1 };
const LARGE = { pods: 1000, nodes: 10, bindings: 1 };
const writes = (computing: Record<string, number>, worker: Record<string, number>): Partial<LoadResult> => ({
  writes: { computing, worker },
});

describe('the short form', () => {
  it('passes within wide ratios', () => {
    const judgement = judgeQuick([SIZE], [sampleRun('twin', 1), sampleRun('through', 2.9)], [sampleRestart]);
    expect(judgement).toEqual({ failures: [], slow: [] });
    expect(exitCodeOf(judgement)).toBe(0);
  });

  it('tells a missed ratio of p99 apart: a second try may go well', () => {
    const judgement = judgeQuick([SIZE], [sampleRun('twin', 1), sampleRun('through', 3.1)], [sampleRestart]);
    expect(judgement.slow).toEqual([expect.stringContaining('p99 3.1 s is more than 3 × twin (1 s)')]);
    expect(exitCodeOf(judgement)).toBe(3);
  });

  it('does not take a missed ratio for an excuse of what else failed', () => {
    const runs = [sampleRun('twin', 1), sampleRun('through', 3.1)];
    expect(exitCodeOf(judgeQuick([SIZE], runs, [{ ...sampleRestart, deletions: 1 }]))).toBe(1);
  });

  it('says of a generator that got too little of the machine the same', () => {
    const busy = { flaws: ['generator saturated (91 %)'], generatorBusy: { creating: 0.1, deleting: 0.91 } };
    const saturated = judgeQuick([SIZE], [sampleRun('twin', 1, busy), sampleRun('through', 1)], [sampleRestart]);
    expect(exitCodeOf(saturated)).toBe(3);
    const restarted = { ...busy, flaws: [...busy.flaws, 'the API server of the worker cluster restarted'] };
    const more = judgeQuick([SIZE], [sampleRun('twin', 1, restarted), sampleRun('through', 1)], [sampleRestart]);
    expect(exitCodeOf(more)).toBe(1);
  });

  it.each([
    ['writes a pod in the computing', [sampleRun('through', 1, writes({ 'PATCH pods/status': 1100 }, {}))], {}],
    [
      'writes a pod in the worker',
      [sampleRun('through', 1, writes({}, { 'POST secrets': 1300, 'PATCH nodes': 9999 }))],
      {},
    ],
    ['deleted 1 pod', [sampleRun('through', 1)], { deletions: 1 }],
    ['made 1 pod', [sampleRun('through', 1)], { recreations: 1 }],
    ['no run of through that counts (profiled)', [sampleRun('through', 1, { flaws: ['profiled'] })], {}],
    ['no run of through that counts', [], {}],
    ['no run of through that counts', [sampleRun('through', 1, { bindings: 4 })], {}],
  ])('fails for %s', (words, through, restart) => {
    const judgement = judgeQuick([SIZE], [sampleRun('twin', 1), ...through], [{ ...sampleRestart, ...restart }]);
    expect(judgement.failures).toEqual([expect.stringContaining(words)]);
    expect(exitCodeOf(judgement)).toBe(1);
  });

  it('judges every size by its own twin and its own restart', () => {
    const runs = [
      sampleRun('twin', 1),
      sampleRun('through', 1),
      sampleRun('twin', 10, LARGE),
      sampleRun('through', 31, LARGE),
    ];
    const { failures, slow } = judgeQuick([SIZE, LARGE], runs, [sampleRestart]);
    expect(slow).toEqual([expect.stringMatching(/^1000 pods.*p99 31 s/)]);
    expect(failures).toEqual(['1000 pods, 10 nodes, 1 binding(s): the restart scenario has no result']);
  });

  it('fails when a size has no twin, whatever other sizes have', () => {
    const runs = [sampleRun('twin', 1), sampleRun('through', 1), sampleRun('through', 5, LARGE)];
    const restarts = [sampleRestart, { ...sampleRestart, ...LARGE }];
    expect(judgeQuick([SIZE, LARGE], runs, restarts).failures).toEqual([
      '1000 pods, 10 nodes, 1 binding(s): there is no run of twin that counts',
    ]);
  });
});
