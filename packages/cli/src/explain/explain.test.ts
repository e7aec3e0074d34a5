import { Annotation, claimName, type LeasedNodeStatus, type ResourceLeasingPolicySpec } from '@kubeocean/shared/api';
import { describe, expect, test } from 'vitest';
import type { Facts, WorkerFacts } from './facts.ts';
import { forPeople } from './lease-words.ts';
import { explainNode } from './node.ts';
import { explainPolicy } from './policy.ts';
import { home, lease, node, now, policy, record, worker } from './samples.ts';

describe('policy: why a node is not lent', () => {
  const none = { records: { value: [] } };
  test.each<[string, Partial<WorkerFacts>, string]>([
    [
      'selector',
      { ...none, nodes: { value: [node('n1', {})] } },
      "n1: not lent: the policy's nodeSelector does not match it: wants role In (worker), the node has no such label",
    ],
    [
      'virtual',
      { ...none, nodes: { value: [node('n1', { role: 'worker', type: 'virtual-kubelet' })] } },
      'n1: not lent: it is a virtual node itself',
    ],
    ['no claim', { ...none, leases: { value: [] } }, 'n1: not lent: no computing cluster claims "b"'],
    [
      'older',
      { ...none, policies: { value: [policy('p'), policy('older', {}, '2025-01-01T00:00:00Z')] } },
      'n1: not lent by this policy: the older policy older lends it to b',
    ],
    [
      'binding',
      {
        ...none,
        leases: {
          value: [
            lease(claimName('b'), 5, {
              [Annotation.nodeSelector]: JSON.stringify({
                nodeSelectorTerms: [{ matchExpressions: [{ key: 'gpu', operator: 'Exists' }] }],
              }),
            }),
          ],
        },
      },
      'the nodeSelector of the ClusterBinding b does not match it: wants gpu Exists, the node has no such label',
    ],
    [
      'silent agent',
      { ...none, leases: { value: [lease(claimName('b'), 5), lease('kubeocean-agent', 600)] } },
      'n1: not lent yet: the worker agent is silent since 2026-11-20T11:50:00.000Z (10 min)',
    ],
    [
      'no agent',
      { ...none, leases: { value: [lease(claimName('b'), 5)] } },
      'no worker agent has shown life in the namespace kubeocean-worker',
    ],
    [
      'a claim that is gone while its leases run',
      { leases: { value: [lease('kubeocean-agent', 5)] } },
      'claim kubeocean-worker/kubeocean-claim.b is gone: it was deleted, or lost its label',
    ],
    [
      'stale claim',
      { leases: { value: [lease(claimName('b'), 3600), lease('kubeocean-agent', 5)] } },
      'has not renewed its claim kubeocean-worker/kubeocean-claim.b since',
    ],
    [
      'closed',
      { records: { value: [record({ phase: 'Closed', reason: 'Released', message: 'given back' })] } },
      'n1: not lent to b any more (Released): given back',
    ],
    [
      'not valid',
      { ...none, policies: { value: [policy('p', { timeZone: 'Mars' })] } },
      'The policy is not valid: time zone "Mars" is not known',
    ],
  ])('%s', (_, facts, words) => {
    expect(explainPolicy('p', { now, worker: worker(facts) })?.why.join('\n')).toContain(words);
  });

  test('there is no such policy', () => {
    expect(explainPolicy('q', { now, worker: worker() })).toBeUndefined();
  });

  test('lists that were not read are not called empty', () => {
    const facts = worker({ leases: { unknown: 'The leases: forbidden' }, nodes: { unknown: 'The nodes: forbidden' } });
    const answer = explainPolicy('p', { now, worker: facts });
    expect(answer?.summary).toBe('Policy p is open at all times; what it lends cannot be seen.');
    expect(answer?.why).toEqual([]);
    expect(answer?.unknown).toEqual(expect.arrayContaining(['The leases: forbidden', 'The nodes: forbidden']));
  });
});

describe('what happens next', () => {
  const closesAt = '2026-11-20T13:00:00Z';
  const opensAt = '2026-11-21T12:00:00Z';
  const reclaim = { reclaimAt: '2026-11-20T12:05:00Z', reclaimDeadline: '2026-11-20T12:15:00Z' };
  test.each<[string, LeasedNodeStatus, Partial<ResourceLeasingPolicySpec>, string]>([
    ['open', { phase: 'Active' }, {}, 'No window closes'],
    [
      'closes',
      { phase: 'Active', window: { closesAt, opensAt } },
      {},
      'The window closes Fri 2026-11-20 13:00 +00:00, in 1 h: from then on no new pods.',
    ],
    ['stays', { phase: 'Active', window: { closesAt } }, {}, 'Running lent pods may stay'],
    [
      'force',
      { phase: 'Active', window: { closesAt } },
      { forceReclaim: true, gracefulReclaimPeriodSeconds: 300 },
      'evicted 5 min after that',
    ],
    [
      'notice',
      { phase: 'Closing', window: { opensAt }, ...reclaim, reclaimStage: 'Notice' },
      {},
      'have notice: evicted Fri 2026-11-20 12:05 +00:00, in 5 min',
    ],
    [
      'deadline',
      { phase: 'Closing', ...reclaim, reclaimStage: 'Evicting' },
      {},
      'past every disruption budget Fri 2026-11-20 12:15 +00:00, in 15 min',
    ],
    ['again', { phase: 'Closing', window: { opensAt } }, {}, 'It opens again Sat 2026-11-21 12:00 +00:00, in 1 d.'],
    [
      'owner',
      { phase: 'Closing', reason: 'ReclaimedByOwner' },
      {},
      'once the annotation kubeocean.io/reclaim is taken off',
    ],
    ['settling', { phase: 'Closing', reason: 'PolicyGone' }, {}, 'Unless that changes within seconds'],
    ['without its claim', { phase: 'Closing', reason: 'Released' }, {}, 'Unless that changes within seconds'],
    ['closed', { phase: 'Closed' }, {}, 'drains and removes its vnode'],
  ])('%s', (_, status, spec, words) => {
    const facts = worker({ records: { value: [record(status)] }, policies: { value: [policy('p', spec)] } });
    expect(explainNode('n1', { now, worker: facts })?.next.join('\n')).toContain(words);
  });

  test('is said once of all nodes of which the same is said, however many they are', () => {
    const names = Array.from({ length: 500 }, (_, index) => `n${index}`);
    const records = names.map((name, index) =>
      record(index === 7 ? { phase: 'Closing', reason: 'ReclaimedByOwner' } : { phase: 'Active' }, name),
    );
    const facts = worker({ nodes: { value: names.map((name) => node(name)) }, records: { value: records } });
    expect(explainPolicy('p', { now, worker: facts })?.next).toEqual([
      'n0, n1, n2, n3, n4 and 494 more: No window closes: it stays lent until the policy, the node or the claim changes.',
      'n7: Running lent pods may stay (no forceReclaim).',
      'n7: It is lent again once the annotation kubeocean.io/reclaim is taken off.',
    ]);
  });
});

describe('node', () => {
  test('why not more: its own pods and the caps', () => {
    const native = {
      metadata: { namespace: 'default', name: 'x' },
      spec: { nodeName: 'n1', containers: [{ name: 'c', resources: { requests: { cpu: '1500m' } } }] },
      status: { phase: 'Running' },
    };
    const facts = worker({
      policies: { value: [policy('p', { resourceLimits: [{ resource: 'cpu', quantity: '4', percent: 80 }] })] },
      records: { value: [record({ phase: 'Active', allocatable: { cpu: '4', pods: '109' } })] },
      podsOnNode: { value: [native] },
    });
    expect(explainNode('n1', { now, worker: facts })?.why).toEqual([
      'cpu: 4 lent to b; the node can give 8; its own pods ask for 1500m, which leaves 6500m; the policy caps it at quantity 4 and 80 % of what is left.',
      'pods: 109 lent to b; the node can give 110; its own pods ask for 1, which leaves 109.',
    ]);
  });

  test.each([
    ['memory', '30923764531', '29491Mi'],
    ['memory', '24393604Ki', '23821Mi'],
    ['cpu', '7900m', '7900m'],
    ['example.com/gpu', '2', '2'],
    ['cpu', 'much', 'much'],
  ])('%s %s is read as %s', (resource, amount, words) => expect(forPeople(resource, amount)).toBe(words));

  test.each<[string, Omit<Facts, 'now'>, string]>([
    ['vnode-cls-n1', { home, worker: worker() }, 'Vnode vnode-cls-n1 stands for the worker node n1: it is lent to b.'],
    ['vnode-cls-n1', { home }, 'Vnode vnode-cls-n1 stands for the worker node n1.'],
    ['vnode-cls-n1', { worker: worker() }, 'Vnode vnode-cls-n1 stands for the worker node n1: it is lent to b.'],
    ['n1', { worker: worker() }, 'Worker node n1: it is lent to b.'],
    ['n1', { worker: worker({ policies: { value: [] }, records: { value: [] } }) }, 'Worker node n1: it is not lent.'],
  ])('%s is found', (name, facts, summary) => {
    expect(explainNode(name, { now, ...facts })?.summary).toBe(summary);
  });

  test('taints are told in words, and what one side cannot know', () => {
    const answer = explainNode('vnode-cls-n1', { now, home });
    expect(answer?.why).toContain(
      'vnode-cls-n1 has the taint kubeocean.io/lease-unknown:NoSchedule: nothing is known of the lease: its record is missing, or the worker agent is silent.',
    );
    expect(answer?.unknown).toEqual([expect.stringContaining('give --worker-kubeconfig')]);
    expect(explainNode('n1', { now, worker: worker() })?.unknown).toEqual([
      expect.stringContaining('give --kubeconfig'),
    ]);
    expect(explainNode('other', { now, home, worker: worker() })).toBeUndefined();
  });

  test('without any policy', () => {
    const facts = worker({ policies: { value: [] }, records: { value: [] } });
    expect(explainNode('n1', { now, worker: facts })?.why).toEqual([
      'No ResourceLeasingPolicy exists in the worker cluster, and without one nothing is lent.',
    ]);
  });
});
