import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { claim, lent, mount, pod, policy, run } from './allocate-fixtures.ts';
import { lentShare } from './limits.ts';
import { parseQuantity, type Quantity } from './quantity.ts';
import { formatResources, parseResources } from './resources.ts';
import { shareOut, type Stake } from './sharing.ts';

interface Given {
  held?: number;
  limit?: number;
  keeps?: boolean;
}

function stake({ held = 0, limit = 100, keeps = true }: Given): Stake {
  return {
    held: parseResources({ cpu: held }),
    due: (left) => lentShare(left, [{ resource: 'cpu', quantity: String(limit) }]),
    keeps,
  };
}

function shares(free: number, given: readonly Given[]): string[] {
  return shareOut(parseResources({ cpu: free }), given.map(stake)).map(
    ({ share }) => formatResources(share)['cpu'] ?? '',
  );
}

const cases: [string, Given[], string[]][] = [
  ['one has all', [{}], ['8']],
  ['the first comes first', [{ limit: 5 }, {}], ['5', '3']],
  [
    'what pods of the first hold is promised once',
    [{ held: 6, keeps: false }, { limit: 4 }, { limit: 4 }],
    ['8', '2', '0'],
  ],
  ['what they hold beyond their share too', [{ held: 6, limit: 4 }, { limit: 2 }, { limit: 2 }], ['4', '2', '0']],
  ['one that keeps nothing leaves all but what its pods hold', [{ held: 3, keeps: false }, {}], ['8', '5']],
  ['what pods of later ones hold is not given to earlier ones', [{ limit: 6 }, { held: 5, limit: 2 }], ['3', '2']],
  [
    'but is not given to the later ones anew, so that the first gets it as they go',
    [{ limit: 6 }, { held: 5 }],
    ['3', '2'],
  ],
  ['pods of one in the middle', [{ limit: 3 }, { held: 4, limit: 1 }, {}], ['3', '1', '1']],
  ['no more than is due where pods hold more than there is', [{ held: 6 }, { held: 6 }, {}], ['2', '0', '0']],
];

describe('a node of 8 cpu that several share', () => {
  it.each(cases)('%s', (_, given, expected) => expect(shares(8, given)).toEqual(expected));
});

it('is shared by many without adding up for each of them what all after it hold', () => {
  let looks = 0;
  class Counted extends Map<string, Quantity> {
    override [Symbol.iterator]() {
      looks++;
      return super[Symbol.iterator]();
    }
  }
  const many = Array.from({ length: 50 }, () => ({
    ...stake({ limit: 1 }),
    held: new Counted(parseResources({ cpu: 1 })),
  }));
  looks = 0;
  expect(
    shareOut(parseResources({ cpu: 60 }), many)
      .at(-1)
      ?.share.get('cpu'),
  ).toEqual(parseQuantity('1'));
  expect(looks).toBeLessThan(5 * many.length);
});

it('promises nothing twice, whoever holds what', () => {
  const amount = fc.integer({ min: 0, max: 12 });
  const one = fc.record({ held: amount, limit: amount, keeps: fc.boolean() });
  fc.assert(
    fc.property(amount, fc.array(one, { maxLength: 5 }), (free, given) => {
      const shared = shares(free, given).map((share) => Number(parseQuantity(share).nanos / 1_000_000_000n));
      const held = given.reduce((sum, each) => sum + each.held, 0);
      const promised = given.reduce((sum, each, index) => {
        return sum + (each.keeps ? Math.max(shared[index] ?? 0, each.held) : each.held);
      }, 0);
      expect(promised).toBeLessThanOrEqual(Math.max(free, held));
    }),
  );
});

it.each([
  ['whose window is closed', { timeWindows: [{ start: '18:00', end: '08:00' }] }],
  ['that is lent less by now', { resourceLimits: [{ resource: 'cpu', quantity: '1' }] }],
])('a node lends two younger bindings together only what pods of an older one leave, %s', (_, spec) => {
  const four = [{ resource: 'cpu', quantity: '4' }];
  const result = run({
    policies: [
      policy('a', { cluster: 'b1', ...spec }, '2026-01-01T00:00:00Z'),
      policy('b', { cluster: 'b2', resourceLimits: four }, '2026-02-01T00:00:00Z'),
      policy('c', { cluster: 'b3', resourceLimits: four }, '2026-03-01T00:00:00Z'),
    ],
    claims: [claim('b1'), claim('b2'), claim('b3')],
    pods: [pod('held', 'node1', '6', mount, { 'kubeocean.io/cluster-binding': 'b1' })],
  });
  expect(lent(result)).toMatchObject({ 'b2.node1': { cpu: '2' }, 'b3.node1': { cpu: '0' } });
});
