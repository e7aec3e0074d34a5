import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { planSet } from './plan.ts';

const sizes = fc.record({
  workers: fc.integer({ min: 1, max: 8 }),
  nodes: fc.integer({ min: 1, max: 8 }),
  hollow: fc.constant(0),
});
const indexes = fc.integer({ min: 0, max: 15 });

/** First and last address of a range, as numbers. */
function bounds(range: string): [number, number] {
  const [address = '', bits = '32'] = range.split('/');
  const first = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  return [first, first + 2 ** (32 - Number(bits)) - 1];
}

function rangesOf(index: number, wanted: { workers: number; nodes: number; hollow: number }): string[] {
  const plan = planSet(index, wanted);
  const nodes = plan.clusters.flatMap((cluster) => cluster.nodes);
  return [
    plan.hostAddress,
    ...nodes.flatMap(({ address, podRange }) => [address, podRange]),
    ...plan.clusters.flatMap(({ serviceRange, hollowPodRange, loadBalancer }) => [
      serviceRange,
      hollowPodRange,
      ...(loadBalancer ? [loadBalancer] : []),
    ]),
  ];
}

describe('planSet', () => {
  it('gives the addresses that the documentation names', () => {
    const [computing, worker] = planSet(0, { workers: 1, nodes: 2, hollow: 0 }).clusters;
    expect(computing).toMatchObject({
      name: 'computing',
      apiServer: 'https://10.200.0.11:6443',
      dnsService: '10.216.0.10',
      loadBalancer: '10.200.0.10',
    });
    expect(worker).toMatchObject({
      name: 'worker-1',
      apiServer: 'https://10.200.0.21:6443',
      dnsService: '10.216.16.10',
      loadBalancer: undefined,
    });
    expect(worker!.nodes.map(({ name, address, podRange, netns }) => [name, address, podRange, netns])).toEqual([
      ['node1', '10.200.0.21', '10.200.33.0/24', 'kube0-w1-node1'],
      ['node2', '10.200.0.22', '10.200.34.0/24', 'kube0-w1-node2'],
    ]);
  });

  it('never uses an address twice, in one set or in two', () => {
    fc.assert(
      fc.property(indexes, indexes, sizes, sizes, (a, b, first, second) => {
        const ranges = [...rangesOf(a, first), ...(a === b ? [] : rangesOf(b, second))].map(bounds);
        ranges.sort(([x], [y]) => x - y);
        for (let i = 1; i < ranges.length; i++) expect(ranges[i]![0]).toBeGreaterThan(ranges[i - 1]![1]);
      }),
    );
  });

  it('makes valid addresses and names that the kernel takes', () => {
    fc.assert(
      fc.property(indexes, sizes, (index, wanted) => {
        const plan = planSet(index, wanted);
        const nodes = plan.clusters.flatMap((cluster) => cluster.nodes);
        for (const { hostLink, address, podRange } of nodes) {
          expect(hostLink.length).toBeLessThanOrEqual(15);
          for (const part of [...address.split('.'), ...podRange.split(/[./]/)]) expect(Number(part)).toBeLessThan(256);
        }
        for (const key of ['hostLink', 'netns', 'cgroup', 'address', 'podRange'] as const) {
          expect(new Set(nodes.map((node) => node[key])).size).toBe(nodes.length);
        }
      }),
    );
  });

  it('keeps every address of a set that grows', () => {
    fc.assert(
      fc.property(indexes, sizes, sizes, (index, small, large) => {
        fc.pre(small.workers <= large.workers && small.nodes <= large.nodes);
        const before = planSet(index, small).clusters.flatMap((cluster) => cluster.nodes);
        expect(planSet(index, large).clusters.flatMap((cluster) => cluster.nodes)).toEqual(
          expect.arrayContaining(before),
        );
      }),
    );
  });

  it.each([-1, 16, 1.5])('refuses index %s', (index) => {
    expect(() => planSet(index, { workers: 1, nodes: 1, hollow: 0 })).toThrow(RangeError);
  });
});
