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
    const held = pod('lent', 'node1', '3', mount, { 'kubeocean.io/cluster-binding': 'b1' });
    const [short] = run({ policies: [broken], records: before, pods: [...pods, held] }).open;
    expect(short?.status).toMatchObject({ reason: 'Shrunk', allocatable: { cpu: '2' }, ceiling: { cpu: '3' } });
  });

  it('still closes when its window was due to close', () => {
    const windowed = written(
      run({ policies: [policy('p1', { timeWindows: [{ start: '11:00', end: '12:29' }] })] }).open,
    );
    const later = new Date('2026-11-20T12:30:00Z');
    expect(run({ policies: [broken], records: windowed }).open[0]?.status.phase).toBe('Active');
    const [closed] = run({ policies: [broken], records: windowed, now: later }).open;
    expect(closed?.status).toMatchObject({
      phase: 'Closing',
      reason: 'WindowClosed',
      message: 'the window closed, and policy p1 is not valid',
      policy: 'p1',
      allocatable: { cpu: '8' },
      taints: [{ key: 'kubeocean.io/out-of-time-windows', effect: 'NoSchedule' }],
      window: { closesAt: '2026-11-20T12:30:00Z' },
      node: { labels: { role: 'worker' } },
    });
  });

  it('gives a node back whose owner takes that', () => {
    const nodes = [node('node1', { annotations: { 'kubeocean.io/reclaim': 'now' } })];
    const [taken] = run({ policies: [broken], records: before, nodes }).open;
    expect(taken?.status).toMatchObject({ phase: 'Closing', reason: 'ReclaimedByOwner' });
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
    expect(result.policies[0]?.problem).toMatch(/Mars/);
  });

  it('keeps what it lends by a record that began under another', () => {
    const records = before.map((record) => ({ ...record, status: { ...record.status, policy: 'p2' } }));
    const policies = [policy('p2', { timeZone: 'Mars/Olympus' })];
    expect(lent(run({ policies, records }))).toMatchObject({ 'b1.node1': { cpu: '4' } });
  });

  it('reads a record that somebody wrote by hand as one that says nothing of amounts', () => {
    const odd = { allocatable: { cpu: 'four' }, ceiling: { cpu: 'four' } };
    const records = before.map((record) => ({ ...record, status: { ...record.status, ...odd } }));
    expect(run({ policies: [valid], records }).open[0]?.status).toMatchObject({ ceiling: { cpu: '4' } });
    expect(lent(run({ policies: [broken], records }))).toMatchObject({ 'b1.node1': { cpu: '0' } });
  });

  it('lends nothing by a record whose maker died before it said what is lent', () => {
    const records = before.map(({ status: _status, ...record }) => record);
    const [open] = run({ policies: [broken], records }).open;
    expect(open?.status).toMatchObject({ phase: 'Active', policy: 'p1', allocatable: { cpu: '0', pods: '0' } });
  });

  it('goes on lending to the binding of its last valid spec, whichever it names by now', () => {
    const moved = policy('p1', { timeZone: 'Mars/Olympus', cluster: 'b2' });
    const lastValid = new Map([['uid-p1', valid.spec]]);
    const pods = [pod('lent', 'node1', '6', mount, { 'kubeocean.io/cluster-binding': 'b1' })];
    const result = run({ policies: [moved], records: before, lastValid, pods });
    expect(lent(result)).toMatchObject({ 'b1.node1': { cpu: '4' } });
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
