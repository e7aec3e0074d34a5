import { describe, expect, it } from 'vitest';
import { sampleRestart, sampleRun } from './samples.ts';
import type { IdleResult } from './scenarios/present.ts';
import type { StormResult } from './scenarios/storm.ts';
import { type ScenarioResult, verdicts } from './verdicts.ts';

const size = { pods: 5000, nodes: 10, bindings: 1 };
const idle: IdleResult = {
  scenario: 'idle',
  ...size,
  seconds: 120,
  corePercent: 1.2,
  usage: [],
  writes: { 'worker: PUT leases': 900 },
  needlessWrites: {},
};
const lag = { p50: 1, p90: 1, p99: 1, max: 1 };
const storm: StormResult = {
  scenario: 'storm',
  ...size,
  changeSeconds: 9.6,
  shownSeconds: 1,
  lag,
  patchesPerPod: 1,
  generatorBusy: 0.3,
};

/** The verdict of a scenario whose target has these words. */
function judged(scenario: ScenarioResult, words: string) {
  const found = verdicts([], [scenario]).filter(({ target }) => target.includes(words));
  expect(found).toHaveLength(1);
  return found[0];
}

describe('verdicts', () => {
  it('compare with twin of the same size only', () => {
    const runs = [sampleRun('twin', 2), sampleRun('through', 2.5), sampleRun('twin', 0.1, { pods: 5 })];
    const p99 = verdicts(runs, []).filter(({ target }) => target.includes('p99 / twin'));
    expect(p99).toEqual([
      { target: '100 pods, 10 nodes, 1 binding(s): p99 / twin ≤ 1.3', measured: '1.25', good: true },
    ]);
  });

  it('leave out runs that do not count', () => {
    const runs = [sampleRun('twin', 2), sampleRun('through', 2.5, { flaws: ['profiled'] })];
    expect(verdicts(runs, [])).toEqual([]);
  });

  it('say what was not measured', () => {
    const cpu = verdicts([sampleRun('through', 1, { measured: false })], []).find(({ target }) =>
      target.includes('CPU per pod'),
    );
    expect(cpu).toMatchObject({ measured: 'not measured', good: undefined });
  });

  it.each([
    [idle, 'of a core', true],
    [{ ...idle, corePercent: 1.6 }, 'of a core', false],
    [{ ...idle, corePercent: null }, 'of a core', undefined],
    [idle, 'writes but Leases', true],
    [{ ...idle, needlessWrites: { 'worker: PATCH secrets': 2 } }, 'writes but Leases', false],
    [sampleRestart, 'needless writes', true],
    [{ ...sampleRestart, needlessWrites: { 'worker: on pods': 1 } }, 'needless writes', false],
    [sampleRestart, 'deletions', true],
    [{ ...sampleRestart, recreations: 1 }, 're-creations', false],
    [sampleRestart, 'peak memory', true],
    [{ ...sampleRestart, peakMiB: 88 }, 'peak memory', false],
    [storm, 'changes made within', true],
    [{ ...storm, patchesPerPod: 1.3 }, 'patches per pod', false],
  ])('judge %o by %s: %s', (scenario, words, good) => expect(judged(scenario, words)?.good).toBe(good));

  it('name the writes that were needless', () =>
    expect(judged({ ...idle, needlessWrites: { 'worker: PATCH secrets': 2 } }, 'writes')?.measured).toBe(
      '2: 2 × worker: PATCH secrets',
    ));

  it('say when the machine was too slow for the storm', () =>
    expect(judged({ ...storm, changeSeconds: 75.3 }, 'changes made within')).toMatchObject({
      measured: 'the machine was too slow: changes took 75.3 s',
      good: false,
    }));
});
