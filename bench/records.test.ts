import { describe, expect, it } from 'vitest';
import { medians, recordOf } from './records.ts';
import { sampleRun } from './samples.ts';

describe('a record of latest.json', () => {
  it('has exactly the fields that are promised', () => {
    expect(recordOf(sampleRun('through', 2))).toEqual({
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

  it('says nothing of CPU and memory that were not measured', () => {
    expect(recordOf(sampleRun('through', 2, { measured: false, usage: [] }))).toMatchObject({
      cpuMsPerPod: null,
      peakMiB: null,
    });
  });
});

describe('medians', () => {
  it('are of the runs that count, by mode and size', () => {
    const runs = [
      sampleRun('twin', 1),
      sampleRun('twin', 9),
      sampleRun('twin', 2),
      sampleRun('twin', 50, { flaws: ['profiled'] }),
      sampleRun('direct', 1),
      sampleRun('direct', 4),
      sampleRun('direct', 7, { nodes: 100 }),
    ];
    expect(medians(runs).map(({ mode, nodes, p99 }) => [mode, nodes, p99])).toEqual([
      ['twin', 10, 2],
      ['direct', 10, 2.5],
      ['direct', 100, 7],
    ]);
  });

  it('of runs of which one was not measured are not measured', () => {
    const [record] = medians([sampleRun('twin', 1), sampleRun('twin', 1, { measured: false })]);
    expect(record).toMatchObject({ p99: 1, cpuMsPerPod: null });
  });
});
