import { describe, expect, it } from 'vitest';
import { stepsTable, table, verdictLine } from './report.ts';
import { sampleRun } from './samples.ts';

describe('the table', () => {
  it('says of a run that does not count why', () => {
    const text = table([
      sampleRun('direct', 1),
      sampleRun('twin', 1, { flaws: ['generator saturated (91 %)', 'profiled'] }),
      sampleRun('through', 1, { remarks: ['still writing 45 s after its pods'] }),
    ]);
    expect(text.split('\n')).toHaveLength(4);
    expect(text).toMatch(/twin.*does not count: generator saturated \(91 %\); profiled$/m);
    expect(text).not.toMatch(/direct.*does not count/);
    expect(text).toMatch(/through.* {2}still writing 45 s after its pods$/m);
  });

  it('tells what was not measured as that, not as 0', () => {
    const [, row] = table([sampleRun('through', 1, { measured: false })]).split('\n');
    expect(row?.match(/not measured/g)).toHaveLength(2);
  });
});

describe('the steps of a pod', () => {
  it('are told with how many pods they are of', () => {
    const step = { p50: 0.5, p99: 1.25 };
    const steps = { scheduled: step, accepted: step, placed: step, ready: step, shown: step };
    const runs = [sampleRun('twin', 1), sampleRun('through', 1, { phases: { pods: 97, steps } })];
    expect(stepsTable(runs)).toBe(
      '  100 pods, 10 nodes, 1 binding(s), 97 of 100:  scheduled 0.50/1.25  accepted 0.50/1.25  placed 0.50/1.25  ready 0.50/1.25  shown 0.50/1.25',
    );
  });

  it('of no pod are not told as 0', () =>
    expect(stepsTable([sampleRun('through', 1, { phases: { pods: 0, steps: {} } })])).toContain(
      'no pod was seen in all its steps',
    ));
});

it.each([
  [true, '✓'],
  [false, '✗'],
  [undefined, '–'],
])('a verdict that is %s has the mark %s', (good, mark) =>
  expect(verdictLine({ target: 't', measured: 'm', good })).toContain(`${mark} t`),
);
