import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { claim, mount, node, pod, policy, run, written } from './allocate-fixtures.ts';
import { beyondCeiling, ceilingOf, fitsCeiling, shortage } from './ceiling.ts';
import type { Quantity } from './quantity.ts';
import { accumulate, parseResources } from './resources.ts';
import { requestsOf } from './usage.ts';

const labels = { 'kubeocean.io/cluster-binding': 'b1' };

function lentPod(name: string, cpu: string, second = 0) {
  const made = pod(name, 'node1', cpu, mount, labels);
  return {
    ...made,
    metadata: { ...made.metadata, creationTimestamp: `2026-01-01T00:00:${String(second).padStart(2, '0')}Z` },
  };
}

function beyond(cpu: string, ...pods: ReturnType<typeof lentPod>[]): string[] {
  return beyondCeiling(pods, parseResources({ cpu })).map(({ metadata }) => metadata.name);
}

describe('the ceiling of a lease', () => {
  const cpu = (value: string | undefined) => (value === undefined ? undefined : parseResources({ cpu: value }));
  it.each<[string, string, string | undefined, string, string]>([
    ['is what is lent', '4', '4', '3', '4'],
    ['goes up with what is lent', '6', '4', '3', '6'],
    ['stays at what is held when less is lent', '2', '4', '3', '3'],
    ['goes down as pods go', '2', '3', '2500m', '2500m'],
    ['never above what it was', '2', '3', '5', '3'],
    ['is what is held where nobody wrote one', '2', undefined, '5', '5'],
  ])('%s', (_, share, before, held, expected) => {
    expect(ceilingOf(parseResources({ cpu: share }), cpu(before), parseResources({ cpu: held }))).toEqual(
      parseResources({ cpu: expected }),
    );
  });

  it('counts no resource that nodes do not have', () => {
    expect(ceilingOf(parseResources({ cpu: '1' }), undefined, parseResources({ cpu: '1', gpu: '4' })).has('gpu')).toBe(
      false,
    );
  });
});

describe('pods beyond a ceiling', () => {
  it('are none while all fit', () => expect(beyond('4', lentPod('a', '2', 1), lentPod('b', '2', 2))).toEqual([]));
  it('are the newest', () => {
    expect(beyond('4', lentPod('c', '1', 3), lentPod('a', '2', 1), lentPod('b', '2', 2))).toEqual(['c']);
  });
  it('are not those that fit beside an older one that does not', () => {
    expect(beyond('4', lentPod('a', '3', 1), lentPod('b', '2', 2), lentPod('c', '1', 3))).toEqual(['b']);
  });
  it('are not those that ask for nothing', () => {
    expect(beyond('0', lentPod('a', '0', 1))).toEqual([]);
  });
  it('are the same while they end: no other goes in their place', () => {
    const ending = { ...lentPod('b', '2', 2).metadata, deletionTimestamp: '2026-01-01T00:01:00Z' };
    expect(beyond('3', lentPod('a', '2', 1), { ...lentPod('b', '2', 2), metadata: ending })).toEqual(['b']);
  });
  it('fit together once those beyond are gone, for any pods', () => {
    const pods = fc
      .array(fc.tuple(fc.nat(4000), fc.nat(59)), { maxLength: 20 })
      .map((list) => list.map(([milli, second], index) => lentPod(`p${index}`, `${milli}m`, second)));
    fc.assert(
      fc.property(pods, fc.nat(8000), (list, milli) => {
        const ceiling = parseResources({ cpu: `${milli}m` });
        const out = new Set(beyondCeiling(list, ceiling));
        const kept = list.filter((each) => !out.has(each));
        expect(beyondCeiling(kept, ceiling)).toEqual([]);
        const held = new Map<string, Quantity>();
        for (const each of list) accumulate(held, requestsOf(each));
        expect(fitsCeiling(held, ceiling)).toBe(out.size === 0);
        expect(beyondCeiling([...list].reverse(), ceiling).length).toBe(out.size);
      }),
    );
  });
});

describe('a shortage', () => {
  it('is told per resource', () => {
    const lent = parseResources({ cpu: '2', memory: '1Gi', pods: '5' });
    expect(shortage(lent, parseResources({ cpu: '4', memory: '1Gi', pods: '6' }))).toBe('cpu 4 of 2, pods 6 of 5');
    expect(shortage(lent, parseResources({ cpu: '2' }))).toBeUndefined();
  });
});

describe('less lent than pods hold', () => {
  const holding = [lentPod('a', '4', 1), lentPod('b', '2', 2)];
  const before = written(run({ pods: holding }).open);
  const native = pod('native', 'node1', '5');

  it('is said on the record; the ceiling stays at what is held, and goes down with it', () => {
    const shrunk = run({ pods: [...holding, native], records: before });
    expect(shrunk.open[0]?.status).toMatchObject({
      phase: 'Active',
      reason: 'Shrunk',
      message: expect.stringContaining('cpu 6 of 3') as string,
      allocatable: { cpu: '3' },
      ceiling: { cpu: '6' },
    });
    expect(shrunk.policies[0]?.shrunk).toEqual(new Map([['node1', 'cpu 6 of 3']]));
    const later = run({ pods: [lentPod('a', '4', 1), native], records: written(shrunk.open) });
    expect(later.open[0]?.status).toMatchObject({ reason: 'Shrunk', ceiling: { cpu: '4' } });
    const healed = run({ pods: [native], records: written(later.open) });
    expect(healed.open[0]?.status).toMatchObject({ allocatable: { cpu: '3' }, ceiling: { cpu: '3' } });
    expect(healed.open[0]?.status.reason).toBeUndefined();
    expect(healed.policies[0]?.shrunk.size).toBe(0);
  });

  it('is not lent to another binding meanwhile', () => {
    const both = {
      policies: [
        policy('p1', { resourceLimits: [{ resource: 'cpu', quantity: 2 }] }),
        policy('p2', { cluster: 'b2' }, '2026-02-01T00:00:00Z'),
      ],
      claims: [claim('b1'), claim('b2')],
    };
    const result = run({ ...both, pods: holding });
    expect(result.open.map(({ name, status }) => [name, status.allocatable?.['cpu']])).toEqual([
      ['b1.node1', '2'],
      ['b2.node1', '2'],
    ]);
    expect(result.policies[1]?.account.get('cpu')?.others).toEqual(parseResources({ x: '6' }).get('x'));
  });

  it('nor is what a later binding holds lent to an earlier one', () => {
    const theirs = pod('t', 'node1', '5', mount, { 'kubeocean.io/cluster-binding': 'b2' });
    const result = run({
      nodes: [node('node1')],
      policies: [policy('p1'), policy('p2', { cluster: 'b2' }, '2026-02-01T00:00:00Z')],
      claims: [claim('b1'), claim('b2')],
      pods: [theirs],
    });
    expect(result.open.map(({ status }) => [status.allocatable?.['cpu'], status.ceiling?.['cpu']])).toEqual([
      ['3', '3'],
      ['0', '5'],
    ]);
  });
});
