import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSumCounter, nodeExposition, nodeSummary, resourceFigures } from './node-figures.ts';

const names = (...all: string[]) => new Set(all);

describe('the sum of counters', () => {
  it('goes on from where it was when a part is gone, silent, or begins anew', () => {
    const counter = createSumCounter();
    expect(
      counter.add(
        new Map([
          ['a', 10],
          ['b', 5],
        ]),
        names('a', 'b'),
      ),
    ).toBe(15);
    expect(counter.add(new Map([['a', 12]]), names('a', 'b'))).toBe(17);
    expect(
      counter.add(
        new Map([
          ['a', 12],
          ['b', 6],
        ]),
        names('a', 'b'),
      ),
    ).toBe(18);
    expect(counter.add(new Map([['a', 12]]), names('a'))).toBe(18);
    expect(counter.add(new Map([['a', 1]]), names('a'))).toBe(19);
  });

  it('never falls', () => {
    const reading = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.double({ min: 0, max: 1e6, noNaN: true }));
    fc.assert(
      fc.property(fc.array(fc.tuple(reading, fc.subarray(['a', 'b', 'c']))), (steps) => {
        const counter = createSumCounter();
        let before = 0;
        for (const [readings, alive] of steps) {
          const sum = counter.add(new Map(Object.entries(readings)), new Set(alive));
          expect(sum).toBeGreaterThanOrEqual(before);
          before = sum;
        }
      }),
    );
  });
});

describe('figures of a vnode', () => {
  it('are those of its pods', () => {
    const text = [
      'pod_cpu_usage_seconds_total{namespace="n",pod="a"} 1.5 1000',
      'pod_cpu_usage_seconds_total{namespace="n",pod="b"} 2 3000',
      'pod_memory_working_set_bytes{namespace="n",pod="a"} 100 2000',
      'pod_memory_working_set_bytes{namespace="n",pod="b"} NaN 2000',
      'container_memory_working_set_bytes{namespace="n",pod="a",container="c"} 90 9000',
    ].join('\n');
    expect(resourceFigures(text)).toEqual({
      cpuSeconds: new Map([
        ['n/a', 1.5],
        ['n/b', 2],
      ]),
      memoryBytes: 100,
      timestamp: 3000,
    });
    expect(resourceFigures('')).toEqual({ cpuSeconds: new Map(), memoryBytes: 0, timestamp: undefined });
    expect(nodeExposition(1.5, 100, 7)).toContain('\nnode_cpu_usage_seconds_total 1.5 7\n');
  });

  it('in a summary leave what is not used of the lent memory', () => {
    const pod = (cpu: number, memory: number, time: string) => ({
      podRef: { name: 'x', namespace: 'y', uid: 'z' },
      cpu: { time, usageNanoCores: cpu },
      memory: { time, workingSetBytes: memory, usageBytes: memory + 1 },
    });
    const facts = { name: 'vnode-a', createdAt: '2026-01-01T00:00:00Z', memoryBytes: 1000 };
    const now = new Date('2026-01-03T00:00:00.123Z');
    const pods = [pod(10, 200, '2026-01-02T00:00:00Z'), pod(5, 300, '2026-01-02T00:00:01Z')];
    expect(nodeSummary(facts, pods, 77, now)).toMatchObject({
      nodeName: 'vnode-a',
      startTime: '2026-01-01T00:00:00Z',
      cpu: { time: '2026-01-02T00:00:01Z', usageNanoCores: 15, usageCoreNanoSeconds: 77 },
      memory: { availableBytes: 500, workingSetBytes: 500, usageBytes: 502 },
    });
    expect(nodeSummary({ ...facts, memoryBytes: 100 }, pods, 0, now).memory.availableBytes).toBe(0);
    expect(nodeSummary(facts, [], 0, now).cpu.time).toBe('2026-01-03T00:00:00Z');
  });
});
