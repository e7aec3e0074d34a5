/** The allocator on policies and claims that are not valid. */
import { describe, expect, it } from 'vitest';
import { claim, lent, mount, node, pod, policy, run, written } from './allocate-fixtures.ts';

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
