import { parseExactly, type PodSummary } from '@kubeocean/shared/stats';
import { describe, expect, it } from 'vitest';
import { nodeExposition, nodeSummary, resourceFigures, scrapeFailed, summaryCpu } from './node-figures.ts';

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
        ['n/a', { value: 1.5, at: 1000 }],
        ['n/b', { value: 2, at: 3000 }],
      ]),
      memoryBytes: 100,
      timestamp: 3000,
    });
    expect(resourceFigures('')).toEqual({ cpuSeconds: new Map(), memoryBytes: 0, timestamp: undefined });
    const exposition = nodeExposition({ cpuSeconds: 1.5, memoryBytes: 100, timestamp: 7 });
    expect(exposition).toContain('\nnode_cpu_usage_seconds_total 1.5 7\n');
    expect(exposition).toContain('\nresource_scrape_error 0\n');
  });

  it.each([
    ['# TYPE resource_scrape_error gauge\nresource_scrape_error 1\n', true],
    ['# TYPE resource_scrape_error gauge\nresource_scrape_error 0\n', false],
    ['pod_memory_working_set_bytes{namespace="n",pod="a"} 100 2000\n', false],
  ])('are left out when the kubelet says that it could not tell: %s', (text, failed) => {
    expect(scrapeFailed(text)).toBe(failed);
    expect(nodeExposition()).toMatch(/^# HELP resource_scrape_error .*\n# TYPE .*\nresource_scrape_error 1\n$/);
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

  it('in a summary are never more than a reader with 64 bits can read', () => {
    const text = `[{"podRef":{"name":"x","namespace":"y","uid":"z"},
      "cpu":{"usageCoreNanoSeconds":18446744073709551615},"memory":{"usageBytes":18446744073709551615,"workingSetBytes":5}}]`;
    const pods = parseExactly(text) as PodSummary[];
    const [, reading] = [...summaryCpu(pods)][0] ?? [];
    const facts = { name: 'vnode-a', createdAt: '2026-01-01T00:00:00Z', memoryBytes: 1000 };
    const summary = JSON.stringify(nodeSummary(facts, [...pods, ...pods], (reading?.value ?? 0) * 2, new Date(0)));
    const numbers = [...summary.matchAll(/"(?:usageCoreNanoSeconds|usageBytes)":(\d+)/g)].map(([, digits]) => digits);
    expect(numbers.length).toBe(2);
    for (const digits of numbers) expect(BigInt(digits ?? '')).toBeLessThan(2n ** 64n);
  });
});
