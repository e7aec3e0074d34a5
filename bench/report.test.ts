import { describe, expect, it } from 'vitest';
import type { LoadResult } from './load.ts';
import type { Mode } from './options.ts';
import { latencyPlot } from './plot.ts';
import { selfTimes } from './profile.ts';
import { medians, quickFailures, recordOf, table, verdicts } from './report.ts';
import type { RestartResult } from './scenarios/present.ts';

function run(mode: Mode, p99: number, more: Partial<LoadResult> = {}): LoadResult {
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
    usage: [
      { pod: 'a', component: 'syncer', pid: 1, cpuSeconds: 0.3, peakMiB: 80 },
      { pod: 'b', component: 'proxier', pid: 2, cpuSeconds: 0.1, peakMiB: 90 },
    ],
    generatorBusy: 0.2,
    saturated: false,
    restarted: 0,
    cutWatches: 0,
    ...more,
  };
}

const restart: RestartResult = {
  scenario: 'restart',
  pods: 100,
  nodes: 10,
  bindings: 1,
  workingSeconds: 3,
  quietSeconds: 3,
  deletions: 0,
  recreations: 0,
  needlessWrites: {},
  peakMiB: 90,
};

describe('a record of latest.json', () => {
  it('has exactly the fields that are promised', () => {
    expect(recordOf(run('through', 2))).toEqual({
      mode: 'through',
      pods: 100,
      nodes: 10,
      bindings: 1,
      p50: 1,
      p90: 1.8,
      p99: 2,
      max: 2,
      podsPerSecond: 100,
      deleteSeconds: 2,
      cpuMsPerPod: 4,
      peakMiB: 90,
      writesComputing: 4,
      writesWorker: 7,
    });
  });
});

describe('medians', () => {
  it('are of the runs that count, by mode and size', () => {
    const runs = [
      run('twin', 1),
      run('twin', 9),
      run('twin', 2),
      run('twin', 50, { saturated: true }),
      run('direct', 1),
    ];
    expect(medians(runs).map(({ mode, p99 }) => [mode, p99])).toEqual([
      ['twin', 2],
      ['direct', 1],
    ]);
  });
});

describe('the table', () => {
  it('marks a run whose generator was saturated', () => {
    const text = table([run('direct', 1), run('twin', 1, { saturated: true })]);
    expect(text.split('\n')).toHaveLength(3);
    expect(text).toMatch(/twin.*does not count$/m);
    expect(text).not.toMatch(/direct.*does not count/);
  });
});

describe('verdicts', () => {
  it('compare with twin of the same size only', () => {
    const all = verdicts([run('twin', 2), run('through', 2.5), run('twin', 0.1, { pods: 5 })], [restart]);
    const p99 = all.filter(({ target }) => target.includes('p99 / twin'));
    expect(p99).toEqual([
      { target: '100 pods, 10 nodes, 1 binding(s): p99 / twin ≤ 1.3', measured: '1.25', good: true },
    ]);
    expect(all.find(({ target }) => target.includes('deletions'))).toMatchObject({ good: true });
  });
});

describe('the short form', () => {
  it('passes within wide ratios', () =>
    expect(quickFailures([run('twin', 1), run('through', 2.9)], [restart])).toEqual([]));

  it.each([
    ['p99', [run('twin', 1), run('through', 3.1)], restart],
    [
      'writes a pod in the computing',
      [run('twin', 1), run('through', 1, { writes: { computing: { 'PATCH pods/status': 1100 }, worker: {} } })],
      restart,
    ],
    [
      'writes a pod in the worker',
      [
        run('twin', 1),
        run('through', 1, { writes: { computing: {}, worker: { 'POST secrets': 1300, 'PATCH nodes': 9999 } } }),
      ],
      restart,
    ],
    ['deleted 1 pod', [run('twin', 1), run('through', 1)], { ...restart, deletions: 1 }],
    ['made 1 pod', [run('twin', 1), run('through', 1)], { ...restart, recreations: 1 }],
    ['no run of through', [run('twin', 1), run('through', 1, { saturated: true })], restart],
  ])('fails for %s', (words, runs, scenario) => {
    const failures = quickFailures(runs, [scenario]);
    expect(failures).toHaveLength(1);
    expect(failures[0]).toContain(words);
  });
});

describe('the plot', () => {
  it('draws a line of p50 and of p99 for each mode', () => {
    const runs = [run('twin', 1), run('twin', 5, { pods: 1000 }), run('through', 2), run('through', 7, { pods: 1000 })];
    const svg = latencyPlot(medians(runs), 'a < b');
    expect(svg.match(/<polyline/g)).toHaveLength(4);
    expect(svg).toContain('a &lt; b');
    expect(svg).not.toContain('NaN');
  });

  it('joins sizes of the same nodes and bindings only; others are rings beside the lines', () => {
    const runs = [
      run('twin', 1),
      run('twin', 5, { pods: 1000 }),
      run('twin', 9, { pods: 1000, nodes: 100 }),
      run('twin', 8, { pods: 1000, bindings: 4 }),
    ];
    const svg = latencyPlot(medians(runs), 'x');
    const lines = [...svg.matchAll(/<polyline points="([^"]*)"/g)].map(([, points]) => points?.split(' ').length);
    expect(lines).toEqual([2, 2]);
    expect(svg.match(/fill="none" stroke="[^"]*"><title>twin p(?:50|99)/g)).toHaveLength(4);
    expect(svg).toContain('<title>twin p99, 100 nodes, 1 binding(s)</title>');
    expect(svg).toContain('lines: 10 nodes, 1 binding(s)');
  });

  it('says when nothing counts', () => expect(latencyPlot([], 'x')).toContain('no run counts'));

  it('of one size has no line of no length that is not a number', () =>
    expect(latencyPlot(medians([run('twin', 1)]), 'x')).not.toContain('NaN'));
});

describe('a profile', () => {
  it('is summed by function', () => {
    const frame = (functionName: string) => ({ functionName, url: 'file:///app/main.js', lineNumber: 4 });
    const profile = {
      nodes: [
        { id: 1, callFrame: frame('a') },
        { id: 2, callFrame: frame('b') },
      ],
      samples: [1, 2, 1],
      timeDeltas: [1000, 500, 2000],
    };
    expect(selfTimes(profile)).toEqual([
      ['a (main.js:5)', 3],
      ['b (main.js:5)', 0.5],
    ]);
  });
});
