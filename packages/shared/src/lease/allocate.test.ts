import { describe, expect, it } from 'vitest';
import { claim, deleted, lent, mount, node, pod, policy, run, written } from './allocate-fixtures.ts';

describe('what is lent', () => {
  it('is all that native pods leave, without limits', () => {
    const pods = [
      pod('a', 'node1', '1500m'),
      pod('b', 'node2', '4'),
      pod('c', 'node1', '1', 'default', {}, 'Succeeded'),
    ];
    expect(lent(run({ pods }))).toEqual({ 'b1.node1': { cpu: '6500m', memory: '32Gi', pods: '109' } });
  });

  it('is the smaller of quantity and percent of what native pods leave', () => {
    const resourceLimits = [
      { resource: 'cpu', quantity: '4', percent: 80 },
      { resource: 'memory', percent: 90 },
    ];
    expect(lent(run({ policies: [policy('p1', { resourceLimits })], pods: [pod('a', 'node1', '4')] }))).toEqual({
      'b1.node1': { cpu: '3200m', memory: '29491Mi', pods: '109' },
    });
  });

  it('does not shrink by lent pods, whatever their labels hide or claim elsewhere', () => {
    const label = { 'kubeocean.io/cluster-binding': 'b1' };
    const pods = [pod('lent', 'node1', '2', mount, label), pod('liar', 'node1', '1', 'default', label)];
    expect(lent(run({ pods }))['b1.node1']?.['cpu']).toBe('7');
  });

  it('shrinks by pods in a mount namespace that belong to no lease of this node', () => {
    expect(lent(run({ pods: [pod('stray', 'node1', '2', mount)] }))['b1.node1']?.['cpu']).toBe('6');
  });

  it('is never negative when native pods ask for more than there is', () => {
    expect(lent(run({ pods: [pod('a', 'node1', '9')] }))['b1.node1']?.['cpu']).toBe('0');
  });

  it.each([
    ['type', 'virtual-kubelet'],
    ['node.kubernetes.io/instance-type', 'external'],
    ['beta.kubernetes.io/instance-type', 'eklet'],
    ['node.kubernetes.io/instance-type', 'vnode'],
  ])('is nothing of a node with %s=%s', (key, value) => {
    expect(run({ nodes: [node('node1', { labels: { [key]: value } })] }).open).toEqual([]);
  });

  it('is nothing by a policy that is being deleted, which stands in nobody’s way', () => {
    expect(run({ policies: [deleted(policy('p1'))] })).toMatchObject({ open: [], policies: [] });
    const policies = [deleted(policy('p1')), policy('p2', {}, '2026-02-01T00:00:00Z')];
    expect(run({ policies }).open[0]?.status.policy).toBe('p2');
  });

  it('goes by both selectors', () => {
    const nodes = [
      node('node1'),
      node('node2', { labels: { role: 'worker', zone: 'a' } }),
      node('node3', { labels: {} }),
    ];
    const roles = { nodeSelectorTerms: [{ matchExpressions: [{ key: 'role', operator: 'Exists' as const }] }] };
    const zones = { nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'Exists' as const }] }] };
    const claims = [claim('b1', mount, { 'kubeocean.io/node-selector': JSON.stringify(zones) })];
    expect(Object.keys(lent(run({ nodes, claims, policies: [policy('p1', { nodeSelector: roles })] })))).toEqual([
      'b1.node2',
    ]);
  });
});

describe('who is served', () => {
  it('nobody without a claim, and the policy says so', () => {
    const result = run({ claims: [] });
    expect(result.open).toEqual([]);
    expect(result.policies[0]?.claim.remark).toMatch(
      /no computing cluster claims "b1".*mountNamespace.*kubeocean-worker, other/,
    );
  });

  it('nobody by a claim in a namespace that may not claim the name', () => {
    const result = run({ claims: [claim('b1', 'other'), claim('b1', 'default')] });
    expect(result.open).toEqual([]);
    expect(result.policies[0]?.claim.remark).toMatch(/namespace default may not claim "b1".*tenants/);
  });

  it('the first claim of a name, and the next only once it is released', () => {
    const policies = [policy('p2', { cluster: 'b2' })];
    const first = claim('b2', 'other', {}, '2026-01-01T00:00:00Z');
    const second = claim('b2', mount, {}, '2026-02-01T00:00:00Z');
    const before = run({ policies, claims: [second, first] });
    expect(before.open.map((record) => record.namespace)).toEqual(['other']);
    const released = claim('b2', 'other', { 'kubeocean.io/release': 'true' }, '2026-01-01T00:00:00Z');
    const after = run({ policies, claims: [second, released], records: written(before.open) });
    expect(after.open.map((record) => record.namespace)).toEqual([mount]);
    expect(after.closed.map(({ record, reason }) => [record.metadata.namespace, reason])).toEqual([
      ['other', 'Released'],
    ]);
  });

  it('a node is not looked up for each policy that means others', () => {
    let looks = 0;
    const matchExpressions = [{ key: 'role', operator: 'In' as const, values: ['other'] }];
    const other = policy('p1', { nodeSelector: { nodeSelectorTerms: [{ matchExpressions }] } });
    Object.defineProperty(other.spec, 'cluster', {
      get() {
        looks++;
        return 'b1';
      },
    });
    const nodes = Array.from({ length: 50 }, (_, at) => node(`node${at}`));
    expect(run({ policies: [other], nodes }).open).toEqual([]);
    expect(looks).toBeLessThan(nodes.length);
  });

  it('the earliest policy of a binding; the later one says which', () => {
    const policies = [
      policy('late', {}, '2026-02-01T00:00:00Z'),
      policy('early', { resourceLimits: [{ resource: 'cpu', quantity: '1' }] }),
    ];
    const result = run({ policies });
    expect(lent(result)['b1.node1']?.['cpu']).toBe('1');
    expect(
      result.policies.map(({ policy: { metadata }, passedOver }) => [metadata.name, passedOver.get('node1')]),
    ).toEqual([
      ['early', undefined],
      ['late', 'early'],
    ]);
  });

  it('several bindings, oldest policy first, each from what is left', () => {
    const policies = [
      policy('second', { cluster: 'b2', resourceLimits: [{ resource: 'cpu', percent: 50 }] }, '2026-02-01T00:00:00Z'),
      policy('first', { cluster: 'b1', resourceLimits: [{ resource: 'cpu', quantity: '6' }] }),
    ];
    const result = lent(run({ policies, claims: [claim('b1'), claim('b2', 'other')] }));
    expect([result['b1.node1']?.['cpu'], result['b2.node1']?.['cpu']]).toEqual(['6', '1']);
    expect([result['b1.node1']?.['memory'], result['b2.node1']?.['memory']]).toEqual(['32Gi', '0']);
  });
});
