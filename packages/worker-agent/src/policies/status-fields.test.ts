/** The fields of a policy's status that `kubectl get` and other programs read; its words are in status.test.ts. */
import type { ResourceLeasingPolicy } from '@kubeocean/shared/api';
import { type Account, type Claim, parseQuantity, type PolicyOutcome } from '@kubeocean/shared/lease';
import { expect, it } from 'vitest';
import { policyStatus } from './status.ts';

const now = new Date('2026-11-20T12:00:00Z');
const policy: ResourceLeasingPolicy = { metadata: { name: 'p', generation: 3 }, spec: { cluster: 'b' } };
const served: Claim = { name: 'kubeocean-claim.b', namespace: 'w', uid: 'c', createdAt: '', released: false };

function account(has: string, kept: string, lent: string, closed = '0'): Account {
  const [zero, all] = [parseQuantity('0'), parseQuantity(has)];
  const rest = { kept: parseQuantity(kept), lent: parseQuantity(lent), closed: parseQuantity(closed) };
  return { has: all, native: zero, others: zero, ...rest };
}

const outcome: PolicyOutcome = {
  policy,
  spec: policy.spec,
  inside: true,
  closesAt: new Date('2026-11-20T18:00:00Z'),
  opensAt: new Date('2026-11-21T08:00:00Z'),
  claim: { served },
  nodes: ['n1'],
  account: new Map([
    ['gpu', account('2', '0', '1', '1')],
    ['memory', account('32Gi', '16Gi', '16Gi')],
    ['cpu', account('8', '5', '3')],
  ]),
  closing: new Map(),
  shrunk: new Map(),
  passedOver: new Map(),
};

it('a status has the generation that it is of, the times of the window, a reason, and what is lent of each resource', () => {
  const status = policyStatus(outcome, now);
  expect(status).toMatchObject({
    phase: 'Active',
    activeTimeWindow: true,
    lastAppliedTime: '2026-11-20T12:00:00Z',
    observedGeneration: 3,
    closesAt: '2026-11-20T18:00:00Z',
    opensAt: '2026-11-21T08:00:00Z',
    reason: 'NodesLent',
    resources: [
      { resource: 'cpu', has: '8', native: '0', others: '0', kept: '5', lent: '3' },
      { resource: 'memory', has: '32Gi', kept: '16Gi', lent: '16Gi' },
      { resource: 'gpu', has: '2', closed: '1', lent: '1' },
    ],
  });
  expect(status).not.toHaveProperty('lastValidSpec');
  expect(status.conditions?.map(({ observedGeneration }) => observedGeneration)).toEqual([3, 3, 3, 3]);
  expect(status.conditions?.find(({ type }) => type === 'Active')?.message).toBe(
    'a time window is open until 2026-11-20T18:00:00Z',
  );
});

it('that of a policy that is not valid says so in one word too, and which spec applies', () => {
  expect(policyStatus({ ...outcome, problem: 'no such zone' }, now)).toMatchObject({
    phase: 'Failed',
    reason: 'ValidationError',
    lastValidSpec: policy.spec,
  });
});

it('that of a policy whose tenants nobody holds to what is lent says what stays', () => {
  const leased = (of: PolicyOutcome) =>
    policyStatus(of, now, { unguarded: 'a policy is missing' }).conditions?.find(({ type }) => type === 'Leased');
  expect(leased(outcome)).toMatchObject({
    status: 'True',
    reason: 'NotGuarded',
    message: 'nothing more is lent: a policy is missing; what is lent already stays lent: 1 node',
  });
  expect(leased({ ...outcome, nodes: [] })).toMatchObject({
    status: 'False',
    message: 'nothing more is lent: a policy is missing',
  });
  expect(leased({ ...outcome, nodes: [], claim: { remark: 'nobody asks' } })).toMatchObject({ reason: 'NotClaimed' });
});
