import { expect, it } from 'vitest';
import { node, pod, policy, run } from './allocate-fixtures.ts';
import { formatQuantity } from './quantity.ts';

it('the account of a policy adds up its nodes', () => {
  const limited = policy('p1', { resourceLimits: [{ resource: 'cpu', quantity: '2' }] });
  const result = run({ nodes: [node('node1'), node('node2')], policies: [limited], pods: [pod('a', 'node1', '1')] });
  const parts = Object.entries(result.policies[0]?.account.get('cpu') ?? {});
  expect(Object.fromEntries(parts.map(([part, amount]) => [part, formatQuantity(amount)]))).toEqual({
    has: '16',
    native: '1',
    others: '0',
    kept: '11',
    closed: '0',
    lent: '4',
  });
});
