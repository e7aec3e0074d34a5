import { describe, expect, it } from 'vitest';
import type { ResourceLeasingPolicy } from '../api/policy.ts';
import type { AllocationInput, DesiredRecord } from './allocate.ts';
import { claim, lent, mount, node, pod, policy, run, written } from './allocate-fixtures.ts';

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

/** As it is while a finalizer keeps it. */
function deleted(one: ResourceLeasingPolicy): ResourceLeasingPolicy {
  return { ...one, metadata: { ...one.metadata, deletionTimestamp: '2026-11-20T11:00:00Z' } };
}

describe('what ends a lease', () => {
  const before = written(run({}).open);

  it.each([
    ['NodeGone', { nodes: [] }],
    ['NodeGone', { nodes: [node('node1', { uid: 'another' })] }],
    ['NodeGone', { nodes: [node('node1', { deletionTimestamp: '2026-11-20T11:00:00Z' })] }],
    ['NotSelected', { nodes: [node('node1', { labels: { type: 'virtual-kubelet' } })] }],
    ['NotSelected', { policies: [policy('p1', { nodeSelector: { nodeSelectorTerms: [{}] } })] }],
    ['PolicyGone', { policies: [] }],
    ['PolicyGone', { policies: [policy('p1', { cluster: 'b2' })] }],
    ['PolicyGone', { policies: [deleted(policy('p1'))] }],
    ['Released', { claims: [] }],
    ['Released', { claims: [claim('b1', mount, { 'kubeocean.io/release': 'true' })] }],
    ['Released', { tenants: [] }],
  ] as [string, Partial<AllocationInput>][])('%s: %j', (reason, change) => {
    const result = run({ records: before, ...change });
    expect(result.open).toEqual([]);
    expect(result.closed.map((closed) => closed.reason)).toEqual([reason]);
    expect(result.removable).toEqual([]);
  });

  const closed = before.map((record) => ({ ...record, status: { ...record.status, phase: 'Closed' as const } }));

  it('removes a released record once it is closed and no pod is left under it', () => {
    const label = { 'kubeocean.io/cluster-binding': 'b1' };
    const finished = pod('lent', 'node1', '1', mount, label, 'Succeeded');
    expect(run({ records: closed, claims: [], pods: [finished] }).removable).toEqual([]);
    expect(run({ records: closed, claims: [] }).removable).toEqual(closed);
  });

  it('keeps the closed record of a vanished node as the word that its vnode may go', () => {
    expect(run({ records: closed, nodes: [] }).removable).toEqual([]);
  });

  it('removes it when a new node of that name needs the record', () => {
    const nodes = [node('node1', { uid: 'another' })];
    expect(run({ records: closed, nodes }).removable).toEqual(closed);
    expect(lent(run({ records: [], nodes }))).not.toEqual({});
  });

  it('opens it again when the node is selected again', () => {
    const result = run({ records: closed });
    expect(result.closed).toEqual([]);
    expect(result.open[0]?.status.phase).toBe('Active');
  });

  it('takes what closed leases still use from the others', () => {
    const label = { 'kubeocean.io/cluster-binding': 'b1' };
    const result = run({
      records: before,
      policies: [policy('p2', { cluster: 'b2' })],
      claims: [claim('b1'), claim('b2', 'other')],
      pods: [pod('lent', 'node1', '3', mount, label)],
    });
    expect(lent(result)['b2.node1']?.['cpu']).toBe('5');
  });
});

describe('a policy that is not valid', () => {
  const valid = policy('p1', { resourceLimits: [{ resource: 'cpu', quantity: '4' }] });
  const before = written(run({ policies: [valid] }).open);
  const broken = policy('p1', { timeZone: 'Mars/Olympus' });

  it('lends nothing new', () => {
    const result = run({ policies: [broken] });
    expect(result.open).toEqual([]);
    expect(result.policies[0]?.problem).toMatch(/Mars\/Olympus/);
  });

  it('keeps what it lends, never more than is left', () => {
    expect(lent(run({ policies: [broken], records: before }))['b1.node1']?.['cpu']).toBe('4');
    const pods = [pod('a', 'node1', '6')];
    expect(lent(run({ policies: [broken], records: before, pods }))['b1.node1']?.['cpu']).toBe('2');
  });

  it('still closes when its window was due to close', () => {
    const windowed = written(
      run({ policies: [policy('p1', { timeWindows: [{ start: '11:00', end: '12:29' }] })] }).open,
    );
    const later = new Date('2026-11-20T12:30:00Z');
    expect(run({ policies: [broken], records: windowed }).open[0]?.status.phase).toBe('Active');
    expect(run({ policies: [broken], records: windowed, now: later }).open[0]?.status.phase).toBe('Closing');
  });

  it('goes on with a taking back that was announced', () => {
    const closing = policy('p1', { timeWindows: [{ start: '18:00', end: '08:00' }], forceReclaim: true });
    const records = written(run({ policies: [closing] }).open);
    const status = { phase: 'Closing', reason: 'WindowClosed', reclaimAt: '2026-11-20T12:00:00Z' };
    expect(records[0]?.status).toMatchObject(status);
    const pods = [pod('lent', 'node1', '1', mount, { 'kubeocean.io/cluster-binding': 'b1' })];
    const later = run({ policies: [broken], records, pods, now: new Date('2026-11-20T12:01:40Z') });
    expect(later.open[0]?.status).toMatchObject({ ...status, reclaimStage: 'Evicting' });
  });

  it('opens no lease again that is closed', () => {
    const records = written(run({ policies: [valid] }).open);
    const after = records.map((record) => ({ ...record, status: { ...record.status, phase: 'Closed' as const } }));
    const result = run({ policies: [broken], records: after });
    expect(result.open).toEqual([]);
    expect(result.closed.map(({ status }) => status.phase)).toEqual(['Closed']);
  });

  it('does not freeze the lease of a later one that is', () => {
    const later = policy('p2', { resourceLimits: [{ resource: 'cpu', quantity: '3' }] }, '2026-02-01T00:00:00Z');
    const records = written(run({ policies: [later] }).open);
    const more = { ...later, spec: { ...later.spec, resourceLimits: [{ resource: 'cpu', quantity: '5' }] } };
    const result = run({ policies: [broken, more], records });
    expect(result.open[0]?.status).toMatchObject({ policy: 'p2', allocatable: { cpu: '5' } });
    expect(result.policies.map(({ nodes }) => nodes)).toEqual([[], ['node1']]);
  });

  it('goes on as its last valid spec says while somebody remembers it', () => {
    const lastValid = new Map([['uid-p1', valid.spec]]);
    const result = run({ policies: [broken], nodes: [node('node1'), node('node2')], lastValid });
    expect(Object.keys(lent(result))).toEqual(['b1.node1', 'b1.node2']);
  });

  it('does not stand in the way of a later one', () => {
    const result = run({ policies: [broken, policy('p2', {}, '2026-02-01T00:00:00Z')] });
    expect(result.open[0]?.status.policy).toBe('p2');
  });

  it('of a claim whose selector cannot be read ends nothing and begins nothing', () => {
    const claims = [claim('b1', mount, { 'kubeocean.io/node-selector': '{' })];
    const result = run({ claims, policies: [valid], records: before, nodes: [node('node1'), node('node2')] });
    expect(Object.keys(lent(result))).toEqual(['b1.node1']);
    expect(result.policies[0]?.claim.remark).toMatch(/not JSON/);
  });
});

describe('windows', () => {
  const closedNow = policy('p1', {
    timeWindows: [{ start: '18:00', end: '08:00' }],
    forceReclaim: true,
    gracefulReclaimPeriodSeconds: 600,
  });

  it('outside them the lease is closing, with the taint, the times and the notice', () => {
    const { status } = run({ policies: [closedNow] }).open[0] as DesiredRecord;
    expect(status).toMatchObject({
      phase: 'Closing',
      reason: 'WindowClosed',
      taints: [{ key: 'kubeocean.io/out-of-time-windows', value: 'true', effect: 'NoSchedule' }],
      window: { opensAt: '2026-11-20T18:00:00Z', closesAt: '2026-11-21T08:01:00Z' },
      reclaimAt: '2026-11-20T12:10:00Z',
    });
  });

  describe('of an older policy, outside of them,', () => {
    const day = policy(
      'day',
      { cluster: 'b2', timeWindows: [{ start: '08:00', end: '18:00' }] },
      '2026-02-01T00:00:00Z',
    );
    const both = { policies: [closedNow, day], claims: [claim('b1'), claim('b2', 'other')] };
    const cpuOf = (result: ReturnType<typeof run>) => lent(result)['b2.node1']?.['cpu'];

    it('keep nothing from a younger one', () => {
      expect(cpuOf(run(both))).toBe('8');
      const night = new Date('2026-11-20T20:00:00Z');
      expect(lent(run({ ...both, now: night }))).toMatchObject({ 'b1.node1': { cpu: '8' }, 'b2.node1': { cpu: '0' } });
    });

    it('keep what pods still hold', () => {
      const pods = [pod('leaving', 'node1', '3', mount, { 'kubeocean.io/cluster-binding': 'b1' })];
      expect(cpuOf(run({ ...both, pods }))).toBe('5');
    });

    it('keep all that the owner takes back', () => {
      const { metadata } = closedNow;
      const taken = { ...closedNow, metadata: { ...metadata, annotations: { 'kubeocean.io/reclaim': 'now' } } };
      expect(cpuOf(run({ ...both, policies: [taken, day] }))).toBe('0');
    });
  });

  it('the notice is not begun again by the next look', () => {
    const records = written(run({ policies: [closedNow] }).open);
    const later = new Date('2026-11-20T12:05:00Z');
    expect(run({ policies: [closedNow], records, now: later }).open[0]?.status.reclaimAt).toBe('2026-11-20T12:10:00Z');
  });

  it('the next change is the earliest of all policies', () => {
    const other = policy('p2', { timeWindows: [{ start: '11:00', end: '12:29' }] }, '2026-02-01T00:00:00Z');
    const late = policy('p1', { timeWindows: [{ start: '11:00', end: '14:00' }] });
    expect(run({ policies: [late, other] }).nextChange?.toISOString()).toBe('2026-11-20T12:30:00.000Z');
    expect(run({ policies: [closedNow] }).nextChange?.toISOString()).toBe('2026-11-20T12:10:00.000Z');
    expect(run({}).nextChange).toBeUndefined();
  });
});
