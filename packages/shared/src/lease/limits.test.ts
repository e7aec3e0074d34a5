import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ResourceLimit } from '../api/policy.ts';
import { lentShare, limitsProblem } from './limits.ts';
import { parseQuantity, Zero } from './quantity.ts';
import { formatResources, parseResources } from './resources.ts';

const left = { cpu: '8', memory: '32Gi', pods: '101', 'nvidia.com/gpu': '3' };

const cases: [string, ResourceLimit[] | undefined, Record<string, string>][] = [
  ['none: all', undefined, left],
  ['quantity', [{ resource: 'cpu', quantity: '4' }], { ...left, cpu: '4' }],
  ['quantity above what is left', [{ resource: 'cpu', quantity: 40 }], left],
  ['percent', [{ resource: 'memory', percent: 50 }], { ...left, memory: '16Gi' }],
  ['percent that people can read', [{ resource: 'memory', percent: 33 }], { ...left, memory: '10813Mi' }],
  ['both: the smaller, quantity', [{ resource: 'cpu', quantity: '4', percent: 80 }], { ...left, cpu: '4' }],
  ['both: the smaller, percent', [{ resource: 'cpu', quantity: '7', percent: 80 }], { ...left, cpu: '6400m' }],
  [
    'zero is zero',
    [
      { resource: 'cpu', quantity: '0' },
      { resource: 'memory', percent: 0 },
    ],
    { ...left, cpu: '0', memory: '0' },
  ],
  [
    'whole things stay whole',
    [
      { resource: 'pods', percent: 50 },
      { resource: 'nvidia.com/gpu', percent: 50 },
    ],
    { ...left, pods: '50', 'nvidia.com/gpu': '1' },
  ],
  ['cpu goes to a thousandth', [{ resource: 'cpu', quantity: '1.23456' }], { ...left, cpu: '1234m' }],
  ['a resource the node lacks', [{ resource: 'amd.com/gpu', quantity: '4' }], left],
  [
    'named twice: the smallest',
    [
      { resource: 'cpu', quantity: '4' },
      { resource: 'cpu', quantity: '2' },
    ],
    { ...left, cpu: '2' },
  ],
];

describe('limits', () => {
  it.each(cases)('%s', (_, limits, expected) =>
    expect(formatResources(lentShare(parseResources(left), limits))).toEqual(expected),
  );

  it.each([
    [{ resource: 'cpu', percent: 101 }, /0 to 100/],
    [{ resource: 'cpu', percent: 1.5 }, /0 to 100/],
    [{ resource: 'cpu', quantity: '-1' }, /negative/],
    [{ resource: 'cpu', quantity: 'four' }, /not a quantity/],
    [{ resource: '', quantity: '4' }, /missing/],
    [{ resource: 'cpu', percent: -1 }, /from 0 to 100/],
  ])('%j is told to be wrong', (limit, problem) => expect(limitsProblem([limit])).toMatch(problem));

  it.each<ResourceLimit>([
    { resource: 'cpu', percent: 0 },
    { resource: 'cpu', percent: 100 },
    { resource: 'cpu', quantity: 0 },
  ])('%j is right', (limit) => expect(limitsProblem([limit])).toBeUndefined());

  it('never lend more than is left, than the quantity or than the percentage', () => {
    const resource = fc.constantFrom('cpu', 'memory', 'pods');
    const limit = fc.record(
      { resource, quantity: fc.nat(64).map(String), percent: fc.nat(100) },
      { requiredKeys: ['resource'] },
    );
    const amounts = fc.record({
      cpu: fc.nat(128_000).map((n) => `${n}m`),
      memory: fc.nat().map(String),
      pods: fc.nat(250).map(String),
    });
    fc.assert(
      fc.property(amounts, fc.array(limit, { maxLength: 4 }), (amount, limits) => {
        const all = parseResources(amount);
        for (const [name, lent] of lentShare(all, limits)) {
          const available = all.get(name) ?? Zero;
          expect(lent.nanos).toBeLessThanOrEqual(available.nanos);
          for (const { quantity, percent } of limits.filter((other) => other.resource === name)) {
            if (quantity !== undefined) expect(lent.nanos).toBeLessThanOrEqual(parseQuantity(quantity).nanos);
            if (percent !== undefined) expect(lent.nanos * 100n).toBeLessThanOrEqual(available.nanos * BigInt(percent));
          }
        }
      }),
    );
  });
});
