import type { LeasedNode, LeasedNodeStatus } from '@kubeocean/shared/api';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { asksToGo, endsPods, leaseWords } from './lease-over.ts';

test.each<[string, LeasedNodeStatus | undefined, boolean, boolean]>([
  ['no record', undefined, false, false],
  ['an open lease', { phase: 'Active' }, false, false],
  ['a closed window whose pods may stay', { phase: 'Closing' }, false, false],
  ['notice that runs', { phase: 'Closing', reclaimStage: 'Notice' }, false, false],
  ['our turn', { phase: 'Closing', reclaimStage: 'Syncer' }, true, true],
  ["the agent's turn", { phase: 'Closing', reclaimStage: 'Evicting' }, true, true],
  ['past the deadline', { phase: 'Closing', reclaimStage: 'Deleting' }, true, true],
  ['all gone', { phase: 'Closing', reclaimStage: 'Done' }, false, true],
  ['a lease that is over, which is drained', { phase: 'Closed', reclaimStage: 'Syncer' }, false, true],
  ['open again, with what is left of a closing', { phase: 'Active', reclaimStage: 'Evicting' }, false, false],
])('whether pods are asked to go, and whether those that end do so with it: %s', (_what, status, asked, ended) => {
  expect(asksToGo(status)).toBe(asked);
  expect(endsPods(status)).toBe(ended);
});

test('no clock decides: any times in the record, ahead or behind, mean the same', () => {
  const time = fc.date({ noInvalidDate: true }).map((date) => date.toISOString());
  const stage = fc.constantFrom('Notice', 'Syncer', 'Evicting', 'Deleting', 'Done' as const);
  fc.assert(
    fc.property(stage, fc.option(time), fc.option(time), (reclaimStage, reclaimAt, reclaimDeadline) => {
      const bare: LeasedNodeStatus = { phase: 'Closing', reclaimStage };
      const timed = { ...bare, ...(reclaimAt && { reclaimAt }), ...(reclaimDeadline && { reclaimDeadline }) };
      expect(asksToGo(timed)).toBe(asksToGo(bare));
      expect(endsPods(timed)).toBe(endsPods(bare));
    }),
  );
});

test('the words name the policy and its windows, and are not endless', () => {
  const record: LeasedNode = {
    metadata: { name: 'r', namespace: 'kubeocean-worker' },
    spec: { cluster: 'c', nodeName: 'node1', nodeUID: 'u', policy: 'first' },
    status: { phase: 'Closing', policy: 'nights', message: 'no time window of policy nights is open' },
  };
  expect(leaseWords(record)).toBe('policy nights: no time window of policy nights is open');
  expect(leaseWords({ ...record, status: {} })).toBe('policy first: the lease is over');
  expect(leaseWords({ ...record, status: { message: 'x'.repeat(9999) } })).toHaveLength(1024);
});
