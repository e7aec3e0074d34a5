/** Whole answers, as a person reads them, for every state that a lease can be in. */
import { claimName, type LeasedNodeStatus } from '@kubeocean/shared/api';
import { expect, test } from 'vitest';
import type { WorkerFacts } from './facts.ts';
import { explainNode } from './node.ts';
import { explainPolicy } from './policy.ts';
import { binding, home, lease, node, now, policy, record, vnode, worker } from './samples.ts';
import { explanationText } from './text.ts';

const NIGHTS = { timeZone: 'UTC', timeWindows: [{ start: '18:00', end: '07:59' }] };
const allocatable = { cpu: '8', pods: '110' };
const opensAt = '2026-11-20T18:00:00Z';
const closed: LeasedNodeStatus = {
  phase: 'Closing',
  reason: 'WindowClosed',
  message: 'no time window of policy p is open; it opens again at 2026-11-20T18:00:00Z',
  allocatable,
  window: { opensAt },
};
const reclaim = { reclaimAt: '2026-11-20T12:05:00Z', reclaimDeadline: '2026-11-20T12:15:00Z' };
const taken: LeasedNodeStatus = {
  phase: 'Closing',
  reason: 'ReclaimedByOwner',
  message: 'the owner takes it back now (annotation kubeocean.io/reclaim on policy p)',
  allocatable,
  ...reclaim,
};
const invalid = policy('p', { timeZone: 'Mars' });

function states(...statuses: LeasedNodeStatus[]): Partial<WorkerFacts> {
  return {
    nodes: { value: statuses.map((_, index) => node(`n${index + 1}`)) },
    records: { value: statuses.map((status, index) => record(status, `n${index + 1}`)) },
  };
}

const withHome = { ...home, vnodes: { value: [{ ...vnode, spec: {} }] } };

const TABLE: [state: string, facts: Partial<WorkerFacts>, words: string][] = [
  [
    'open',
    states({ phase: 'Active', allocatable }),
    `Policy p is open at all times; it lends 1 of 1 node to b.

Now:
  n1: lent to b under policy p: cpu 8, pods 110

What happens next:
  No window closes: it stays lent until the policy, the node or the claim changes.`,
  ],
  [
    'many nodes of which the same is said',
    states(...Array.from({ length: 8 }, (): LeasedNodeStatus => ({ phase: 'Active', allocatable }))),
    `Policy p is open at all times; it lends 8 of 8 nodes to b.

Now:
  n1, n2, n3, n4, n5 and 3 more: lent to b under policy p: cpu 8, pods 110

What happens next:
  No window closes: it stays lent until the policy, the node or the claim changes.`,
  ],
  [
    'closing, pods may stay',
    { ...states(closed, closed), policies: { value: [policy('p', NIGHTS)] } },
    `Policy p is closed; opens Fri 2026-11-20 18:00 +00:00, in 6 h; 2 of 2 nodes closed to b, so no new pods come.

Now:
  n1, n2: closing to b under policy p, so it takes no new pods: no time window of policy p is open; it opens again at 2026-11-20T18:00:00Z

What happens next:
  Running lent pods may stay (no forceReclaim).
  It opens again Fri 2026-11-20 18:00 +00:00, in 6 h.`,
  ],
  [
    'closing, under notice',
    {
      ...states({ ...closed, ...reclaim, reclaimStage: 'Notice' }),
      policies: { value: [policy('p', { ...NIGHTS, forceReclaim: true })] },
    },
    `Policy p is closed; opens Fri 2026-11-20 18:00 +00:00, in 6 h; 1 of 1 node closed to b, so no new pods come.

Now:
  n1: closing to b under policy p, so it takes no new pods: no time window of policy p is open; it opens again at 2026-11-20T18:00:00Z

What happens next:
  Running lent pods have notice: evicted Fri 2026-11-20 12:05 +00:00, in 5 min.
  Those left are deleted past every disruption budget Fri 2026-11-20 12:15 +00:00, in 15 min.
  It opens again Fri 2026-11-20 18:00 +00:00, in 6 h.`,
  ],
  [
    'closed, nothing left',
    {
      ...states({ ...closed, ...reclaim, reclaimStage: 'Done' }),
      policies: { value: [policy('p', { ...NIGHTS, forceReclaim: true })] },
    },
    `Policy p is closed; opens Fri 2026-11-20 18:00 +00:00, in 6 h; 1 of 1 node closed to b, so no new pods come.

Now:
  n1: closed to b under policy p, and nothing lent runs there: no time window of policy p is open; it opens again at 2026-11-20T18:00:00Z

What happens next:
  Nothing lent runs there any more.
  It opens again Fri 2026-11-20 18:00 +00:00, in 6 h.`,
  ],
  [
    'taken back, all of it',
    {
      ...states({ ...taken, reclaimStage: 'Evicting' }),
      policies: {
        value: [
          { ...policy('p'), metadata: { ...policy('p').metadata, annotations: { 'kubeocean.io/reclaim': 'now' } } },
        ],
      },
    },
    `Policy p is taken back by its owner (annotation kubeocean.io/reclaim); 1 of 1 node closed to b, so no new pods come.

Now:
  n1: closing to b under policy p, so it takes no new pods: the owner takes it back now (annotation kubeocean.io/reclaim on policy p)

What happens next:
  The agent is evicting the lent pods now.
  Those left are deleted past every disruption budget Fri 2026-11-20 12:15 +00:00, in 15 min.
  It is lent again once the annotation kubeocean.io/reclaim is taken off.`,
  ],
  [
    'taken back, one node of two',
    states({ phase: 'Active', allocatable }, { ...taken, reclaimStage: 'Syncer' }),
    `Policy p is open at all times; it lends 1 of 2 nodes to b, and 1 takes no new pods any more.

Now:
  n1: lent to b under policy p: cpu 8, pods 110
  n2: closing to b under policy p, so it takes no new pods: the owner takes it back now (annotation kubeocean.io/reclaim on policy p)

What happens next:
  n1: No window closes: it stays lent until the policy, the node or the claim changes.
  n2: Lent pods are being evicted by the computing cluster now; the agent follows with what is left.
  n2: Those left are deleted past every disruption budget Fri 2026-11-20 12:15 +00:00, in 15 min.
  n2: It is lent again once the annotation kubeocean.io/reclaim is taken off.`,
  ],
  [
    'shrunk',
    states({
      phase: 'Active',
      reason: 'Shrunk',
      message: 'lent pods hold more than is lent by now: cpu 6 of 4; they stay, and none fits until some have gone',
      allocatable: { cpu: '4', pods: '110' },
    }),
    `Policy p is open at all times; it lends 1 of 1 node to b.

Now:
  n1: lent to b under policy p: cpu 4, pods 110; lent pods hold more than is lent by now: cpu 6 of 4; they stay, and none fits until some have gone

What happens next:
  No window closes: it stays lent until the policy, the node or the claim changes.`,
  ],
  [
    'failed, the last valid spec known',
    {
      ...states({ phase: 'Active', allocatable }),
      policies: { value: [{ ...invalid, status: { phase: 'Failed', lastValidSpec: policy('p').spec } }] },
    },
    `Policy p is not valid, and its last valid spec applies, which is open at all times; it lends 1 of 1 node to b.

Now:
  n1: lent to b under policy p: cpu 8, pods 110

Why not, or not more:
  The policy is not valid: time zone "Mars" is not known; use an IANA name like Asia/Shanghai. Until it is corrected its last valid spec applies (status.lastValidSpec).

What happens next:
  No window closes: it stays lent until the policy, the node or the claim changes.`,
  ],
  [
    'failed, nothing remembered',
    { records: { value: [] }, policies: { value: [invalid] } },
    `Policy p is not valid; it lends 0 of 1 node to b.

Why not, or not more:
  The policy is not valid: time zone "Mars" is not known; use an IANA name like Asia/Shanghai. No valid spec of it is known: what is lent stays lent, never more than is left, and nothing new is lent.
  n1: nothing new is lent: the policy is not valid: time zone "Mars" is not known; use an IANA name like Asia/Shanghai`,
  ],
  [
    'superseded by one that is closed',
    {
      records: {
        value: [
          { ...record(closed), spec: { ...record(closed).spec, policy: 'o' }, status: { ...closed, policy: 'o' } },
        ],
      },
      policies: { value: [policy('p'), policy('o', NIGHTS, '2025-01-01T00:00:00Z')] },
    },
    `Policy p is open at all times; it lends 0 of 1 node to b.

Why not, or not more:
  n1: not lent by this policy: the older policy o decides for b here, and it is closed; opens Fri 2026-11-20 18:00 +00:00, in 6 h

What happens next:
  The policy is open at all times.`,
  ],
  [
    'unclaimed',
    { records: { value: [] }, leases: { value: [] }, nodes: { value: [node('n1'), node('n2')] } },
    `Policy p is open at all times; it lends 0 of 2 nodes to b.

Why not, or not more:
  n1, n2: not lent: no computing cluster claims "b"; create a ClusterBinding of that name whose mountNamespace is one of: kubeocean-worker

What happens next:
  The policy is open at all times.`,
  ],
  [
    'agent dead',
    {
      ...states({ phase: 'Active', allocatable, window: { closesAt: '2026-11-20T12:30:00Z', opensAt } }),
      leases: { value: [lease(claimName('b'), 5), lease('kubeocean-agent', 600)] },
    },
    `Policy p is open at all times; it lends 1 of 1 node to b.

Now:
  n1: lent to b under policy p: cpu 8, pods 110

Why not, or not more:
  The worker agent is silent since 2026-11-20T11:50:00.000Z (10 min) (by the clock of this machine): what is told here may be out of date, and nothing is changed until it runs again; look at the Deployment kubeocean-agent in namespace kubeocean-agent of the worker cluster.

What happens next:
  Nothing of the following happens while the agent is silent:
  The window closes Fri 2026-11-20 12:30 +00:00, in 30 min: from then on no new pods.
  Running lent pods may stay (no forceReclaim).
  It opens again Fri 2026-11-20 18:00 +00:00, in 6 h.`,
  ],
];

test.each(TABLE)('policy: %s', (_, facts, words) => {
  const answer = explainPolicy('p', {
    now,
    home: { ...withHome, bindings: { value: [binding] } },
    worker: worker(facts),
  });
  expect(answer && explanationText(answer).trimEnd()).toBe(words);
});

test('nodes that the policy does not want come last, and not endlessly', () => {
  const others = Array.from({ length: 8 }, (_, index) => node(`a${index}`, { role: `other-${index}` }));
  const facts = { nodes: { value: [...others, node('n1')] }, records: { value: [] }, leases: { value: [] } };
  const why = explainPolicy('p', { now, home, worker: worker(facts) })?.why ?? [];
  expect(why[0]).toContain('n1: not lent: no computing cluster claims "b"');
  expect(why.slice(1, 6).every((line) => line.includes('does not match it'))).toBe(true);
  expect(why.slice(6)).toEqual([
    'And 3 more lines of nodes that its nodeSelector does not match: explain node NAME tells why.',
  ]);
});

test.each<[string, LeasedNodeStatus, string]>([
  ['open', { phase: 'Active', allocatable }, 'Worker node n1: it is lent to b.'],
  ['closing', closed, 'Worker node n1: it is lent to b (closing).'],
  ['closed', { phase: 'Closed', reason: 'NotSelected' }, 'Worker node n1: it is not lent.'],
])('node: %s', (_, status, summary) => {
  expect(explainNode('n1', { now, worker: worker(states(status)) })?.summary).toBe(summary);
});
