/** The allocator on what ends a lease, and what becomes of its record. */
import { describe, expect, it } from 'vitest';
import type { AllocationInput } from './allocate.ts';
import { claim, deleted, lent, mount, node, pod, policy, run, written } from './allocate-fixtures.ts';

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

  it('says of a node that is virtual by now that it is never lent', () => {
    const [ended] = run({ records: before, nodes: [node('node1', { labels: { type: 'virtual-kubelet' } })] }).closed;
    expect(ended?.status.message).toBe('node node1 is never lent: its labels say that it is virtual itself');
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

  it('is what the policy says of the new node until then', () => {
    const nodes = [node('node1', { uid: 'another' })];
    const [first] = run({ records: before, nodes }).closed;
    const [outcome] = run({
      records: before.map((record) => ({ ...record, ...(first && { status: first.status }) })),
      nodes,
    }).policies;
    expect(outcome?.nodes).toEqual(['node1']);
    expect(outcome?.closing.get('node1')).toMatchObject({ reason: 'NodeGone', reclaimAt: '2026-11-20T12:00:00Z' });
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
