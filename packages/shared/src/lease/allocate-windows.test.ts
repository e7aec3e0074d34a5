/** The allocator on policies with time windows. */
import { describe, expect, it } from 'vitest';
import type { DesiredRecord } from './allocate.ts';
import { claim, lent, mount, pod, policy, run, written } from './allocate-fixtures.ts';

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
      message: 'no time window of policy p1 is open; it opens again at 2026-11-20T18:00:00Z',
      taints: [{ key: 'kubeocean.io/out-of-time-windows', value: 'true', effect: 'NoSchedule' }],
      window: { opensAt: '2026-11-20T18:00:00Z', closesAt: '2026-11-21T08:01:00Z' },
      reclaimAt: '2026-11-20T12:10:00Z',
    });
  });

  it('the policy counts its nodes as closed outside of them, and as lent inside', () => {
    const counted = (one: typeof closedNow) => {
      const [outcome] = run({ policies: [one] }).policies;
      const cpu = outcome?.account.get('cpu');
      return [outcome?.nodes, [...(outcome?.closing.keys() ?? [])], cpu?.closed.nanos, cpu?.lent.nanos];
    };
    const all = 8_000_000_000n;
    expect(counted(closedNow)).toEqual([['node1'], ['node1'], all, 0n]);
    expect(counted(policy('p1'))).toEqual([['node1'], [], 0n, all]);
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
