import type { LeasedNodePhase, LeasedNodeStatus } from '@kubeocean/shared/api';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { closesAtOf, closingFacts, closingNotice } from './notice.ts';
import { isLabelValue } from './sanitize.ts';

function window(closesAt: unknown, phase: LeasedNodePhase = 'Active'): LeasedNodeStatus {
  return { phase, window: { closesAt: closesAt as string } };
}

test.each<[string, LeasedNodeStatus | undefined, [string, string] | undefined]>([
  ['an open lease', window('2026-11-21T18:00:00Z'), ['1795284000', '2026-11-21T18:00:00Z']],
  ['another zone', window('2026-11-22T02:00:00+08:00'), ['1795284000', '2026-11-21T18:00:00Z']],
  ['fractions of a second', window('2026-11-21T18:00:00.9Z'), ['1795284000', '2026-11-21T18:00:00Z']],
  ['the last second there is', window('9999-12-31T23:59:59Z'), ['253402300799', '9999-12-31T23:59:59Z']],
  ['a year that is none', window('+275760-09-13T00:00:00Z'), undefined],
  ['before all time', window('1969-12-31T23:59:59Z'), undefined],
  ['no time', window('tomorrow'), undefined],
  ['a number', window(1795284000), undefined],
  ['a lease that closes', window('2026-11-21T18:00:00Z', 'Closing'), undefined],
  ['a lease that is over', window('2026-11-21T18:00:00Z', 'Closed'), undefined],
  ['a lease without end', { phase: 'Active' }, undefined],
  ['no status', undefined, undefined],
])('%s', (_what, status, expected) => {
  const notice = closingNotice(status);
  const label = notice?.labels['kubeocean.io/lease-closes'];
  expect(notice && [label, notice.annotations['kubeocean.io/lease-closes-at']]).toEqual(expected);
  if (notice) expect(isLabelValue(label)).toBe(true);
});

test('however wrong our clock, as long from now as the agent says', () => {
  const now = Date.parse('2026-11-21T12:00:00Z');
  const hours = (count: number) => fc.integer({ min: -count * 3_600_000, max: count * 3_600_000 });
  fc.assert(
    fc.property(hours(48), fc.integer({ min: 0, max: 604_800 }), (aheadMs, seconds) => {
      const agentsNow = now + aheadMs;
      const status = window(new Date(agentsNow + seconds * 1000).toISOString());
      const notice = closingNotice(status, { workerAheadMs: aheadMs });
      const left = Number(notice?.labels['kubeocean.io/lease-closes']) * 1000 - now;
      expect(Math.abs(left - seconds * 1000)).toBeLessThan(1000);
      expect(closesAtOf({ metadata: { name: 'v', annotations: notice?.annotations ?? {} } })?.getTime()).toBe(
        now + left,
      );
    }),
  );
});

test.each<[string, number | undefined, LeasedNodeStatus, string | undefined]>([
  ['stays while the clocks are not compared', undefined, window('2026-11-21T18:00:00Z'), '2026-11-21T17:50:00Z'],
  ['stays when they turn out as before', 600_000, window('2026-11-21T18:00:00Z'), '2026-11-21T17:50:00Z'],
  ['is put right when they agree', 0, window('2026-11-21T18:00:00Z'), '2026-11-21T18:00:00Z'],
  ['goes at once when the lease closes', undefined, window('2026-11-21T18:00:00Z', 'Closing'), undefined],
  ['goes at once when the lease has no end any more', undefined, { phase: 'Active' }, undefined],
])('what a vnode of a worker ten minutes ahead says of its closing %s', (_what, aheadMs, status, expected) => {
  const shown = closingNotice(window('2026-11-21T18:00:00Z'), { workerAheadMs: 600_000 });
  const vnode = { metadata: { name: 'v', ...shown } };
  const notice = closingNotice(status, closingFacts(vnode, aheadMs));
  expect(notice?.annotations['kubeocean.io/lease-closes-at']).toBe(expected);
  expect(notice?.labels['kubeocean.io/lease-closes']).toBe(expected && String(Date.parse(expected) / 1000));
});

test('a new vnode tells of its closing before the clocks are compared', () => {
  const notice = closingNotice(window('2026-11-21T18:00:00Z'), closingFacts(undefined, undefined));
  expect(notice?.annotations['kubeocean.io/lease-closes-at']).toBe('2026-11-21T18:00:00Z');
});
