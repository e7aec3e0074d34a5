import { describe, expect, it } from 'vitest';
import { counts, type Evidence, flawsOf, onlySaturated } from './load.ts';
import type { Proc, Usage } from './processes.ts';
import type { Readings } from './writes.ts';

function readings(computing: number, worker = 2): Readings {
  return { computing: { writes: new Map(), started: computing }, worker: { writes: new Map(), started: worker } };
}

const proc: Proc = { pid: 1, pod: 'syncer-1', component: 'syncer', main: true, started: 1 };
const usage: Usage = { pid: 1, pod: 'syncer-1', component: 'syncer', cpuSeconds: 1, peakMiB: 80, ended: false };
const fine: Evidence = {
  generatorBusy: { creating: 0.5, deleting: 0.5 },
  usage: [usage],
  measured: true,
  processes: { computing: [proc], worker: [proc] },
  before: readings(1),
  after: readings(1),
  profiled: false,
};

describe('a run counts', () => {
  it('when nothing speaks against it', () => {
    expect(flawsOf(fine)).toEqual([]);
    expect(counts({ flaws: [] })).toBe(true);
  });

  it.each([
    ['generator saturated (86 %)', { generatorBusy: { creating: 0.86, deleting: 0.1 } }],
    ['generator saturated (90 %)', { generatorBusy: { creating: 0.1, deleting: 0.9 } }],
    ['1 measured process(es) ended: syncer-1', { usage: [usage, { ...usage, ended: true }] }],
    [
      "no process of the computing cluster's side was found",
      { processes: { computing: [], worker: [proc] }, usage: [usage] },
    ],
    ["no process of the worker cluster's side was found", { processes: { computing: [proc], worker: [] } }],
    ['the API server of the computing cluster restarted', { after: readings(9) }],
    ['the API server of the worker cluster restarted', { after: readings(1, 9) }],
    ['profiled', { profiled: true }],
  ] satisfies [string, Partial<Evidence>][])('not when: %s', (flaw, evidence) => {
    const flaws = flawsOf({ ...fine, ...evidence });
    expect(flaws).toEqual([flaw]);
    expect(counts({ flaws })).toBe(false);
  });

  it('without processes when they run on another machine', () =>
    expect(flawsOf({ ...fine, measured: false, processes: { computing: [], worker: [] } })).toEqual([]));

  it('not for the generator alone only when nothing else is wrong', () => {
    const generatorBusy = { creating: 0.9, deleting: 0.1 };
    expect(onlySaturated({ generatorBusy, flaws: flawsOf({ ...fine, generatorBusy }) })).toBe(true);
    expect(onlySaturated({ generatorBusy, flaws: flawsOf({ ...fine, generatorBusy, profiled: true }) })).toBe(false);
    expect(onlySaturated({ generatorBusy: fine.generatorBusy, flaws: ['profiled'] })).toBe(false);
  });
});
