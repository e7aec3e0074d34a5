import type { LeasedNodePhase, LeasedNodeStatus } from '@kubeocean/shared/api';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { closesAtOf, closingNotice } from './notice.ts';
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
      const notice = closingNotice(status, aheadMs);
      const left = Number(notice?.labels['kubeocean.io/lease-closes']) * 1000 - now;
      expect(Math.abs(left - seconds * 1000)).toBeLessThan(1000);
      expect(closesAtOf({ metadata: { name: 'v', annotations: notice?.annotations ?? {} } })?.getTime()).toBe(
        now + left,
      );
    }),
  );
});
