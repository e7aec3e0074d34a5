/** Clusters that are not as they should be: policies that go or are not valid, hostile claims, names beyond a label. */
import { claimName, Label, labelValue, type LeasedNode, leasedNodeName } from '@kubeocean/shared/api';
import type { Condition } from '@kubeocean/shared/kube';
import { describe, expect, test } from 'vitest';
import { eventTexts } from './event-words.ts';
import type { PodFacts } from './facts.ts';
import { explainNode } from './node.ts';
import { explainPod } from './pod.ts';
import { explainPolicy } from './policy.ts';
import { binding, home, lease, mount, node, now, policy, record, vnode, worker } from './samples.ts';

describe('a policy that is being deleted', () => {
  const going = policy('p');
  going.metadata.deletionTimestamp = '2026-11-20T11:00:00Z';
  going.metadata.finalizers = ['policy.kubeocean.io/finalizer', 'mine'];
  const closed = record({ phase: 'Closed', reason: 'PolicyGone', message: 'no policy lends to b any more' });

  test('lends nothing, and says what keeps it', () => {
    const facts = worker({ policies: { value: [going] }, records: { value: [closed] } });
    const answer = explainPolicy('p', { now, worker: facts });
    expect(answer?.summary).toBe('Policy p is being deleted; it lends 0 of 1 node to b.');
    expect(answer?.why).toEqual([
      'It is being deleted since 2026-11-20T11:00:00Z, so it lends nothing any more; these finalizers keep it: policy.kubeocean.io/finalizer (of gocrane/kubeocean: "kubeocean adopt b" takes it off), mine.',
      'n1: not lent by this policy: it is being deleted',
    ]);
    expect(answer?.next).toEqual([]);
    expect(explainNode('n1', { now, worker: facts })?.why.join()).toContain('Policy p is being deleted since');
  });

  test('stands in no younger one’s way', () => {
    const policies = { value: [going, policy('q', {}, '2026-02-01T00:00:00Z')] };
    const answer = explainPolicy('q', { now, worker: worker({ policies, records: { value: [] } }) });
    expect(answer?.why.join()).not.toContain('older policy');
  });
});

test('a taint and a label named as what every object of JavaScript has', () => {
  const tainted = { ...vnode, spec: { taints: [{ key: 'constructor', effect: 'NoSchedule' as const }] } };
  const atHome = { ...home, vnodes: { value: [tainted] } };
  expect(explainNode('vnode-cls-n1', { now, home: atHome })?.why).toContain(
    "vnode-cls-n1 has the taint constructor:NoSchedule: the worker node's own, or someone's at home.",
  );
  const exists = { key: 'constructor', operator: 'Exists' as const };
  const nodeSelector = { nodeSelectorTerms: [{ matchExpressions: [exists] }] };
  const policies = { value: [policy('p', { nodeSelector })] };
  const answer = explainPolicy('p', { now, worker: worker({ policies, records: { value: [] } }) });
  expect(answer?.why.join()).toContain('wants constructor Exists, the node has no such label');
});

describe('a policy whose zone does not exist', () => {
  const window = { closesAt: '2026-11-20T18:00:00Z' };
  const mars = policy('p', { timeZone: 'Mars/Olympus', timeWindows: [{ start: '18:00', end: '08:00' }] });
  const active = record({ phase: 'Active', allocatable: { cpu: '8' }, window });

  test('has its times told in another zone', () => {
    const facts = worker({ policies: { value: [mars] }, records: { value: [active] } });
    const text = JSON.stringify([
      explainPolicy('p', { now, worker: facts }),
      explainNode('n1', { now, worker: facts }),
    ]);
    expect(text).not.toContain('Invalid DateTime');
    expect(text).toContain('The window closes Fri 2026-11-20 18:00 +00:00');
  });

  function onPod(lastValidSpec: PodPolicy['status']): string[] {
    const pod = { metadata: { namespace: 'default', name: 'web', uid: 'u' }, spec: { nodeName: 'vnode-cls-n1' } };
    const facts: PodFacts = {
      now,
      namespace: 'default',
      name: 'web',
      home: {
        server: 'h',
        pod: { value: pod },
        node: { value: vnode },
        binding: { value: binding },
        events: { value: [] },
        vnodes: { value: 1 },
        networkPolicies: { value: [] },
      },
      worker: {
        server: 'w',
        pod: { value: undefined },
        events: { value: [] },
        record: { value: active },
        policy: { value: { ...mars, ...(lastValidSpec && { status: lastValidSpec }) } },
      },
    };
    return explainPod(facts, 'UTC')?.next ?? [];
  }
  type PodPolicy = ReturnType<typeof policy>;

  test('is told of a pod, too, by the last valid spec', () => {
    expect(onPod(undefined).join()).not.toContain('Invalid DateTime');
    const valid = { cluster: 'b', forceReclaim: true, timeZone: 'Asia/Shanghai' };
    expect(onPod({ lastValidSpec: valid }).slice(-3)).toEqual([
      'The window closes Sat 2026-11-21 02:00 +08:00, in 6 h: from then on no new pods.',
      'Running lent pods are evicted at once then (forceReclaim), unless a window opens again first.',
      'No window opens after that.',
    ]);
  });

  test('a last valid spec that is not valid counts for nothing', () => {
    expect(onPod({ lastValidSpec: mars.spec }).join()).toContain('+00:00');
  });
});

test('a time that is none is told as such', () => {
  const facts = worker({ records: { value: [record({ phase: 'Active', window: { closesAt: 'soon' } })] } });
  expect(explainNode('n1', { now, worker: facts })?.next[0]).toContain('closes at a time that cannot be read');
});

test.each([
  ['values that are no list', [{ matchExpressions: [{ key: 'role', operator: 'In', values: 'xyz' }] }]],
  ['a key that is no text', [{ matchExpressions: [{ key: { toString: 1 }, operator: 'Exists' }] }]],
  ['a name that is no list', [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: 'x' }] }]],
  ['more text than an agent reads', [{ matchExpressions: [{ key: 'a'.repeat(32_768), operator: 'Exists' }] }]],
])('a claim whose selector has %s is a claim that cannot be read', (_, nodeSelectorTerms) => {
  const selector = { 'kubeocean.io/node-selector': JSON.stringify({ nodeSelectorTerms }) };
  const leases = { value: [lease(claimName('b'), 5, selector), lease('kubeocean-agent', 5)] };
  const answer = explainPolicy('p', { now, worker: worker({ leases, records: { value: [] } }) });
  expect(answer?.why[0]).toMatch(/The claim kubeocean-worker\/kubeocean-claim\.b cannot be read: its node selector/);
});

describe('conditions of a binding', () => {
  function why(...conditions: Condition[]): string[] {
    const bindings = { value: [{ ...binding, status: { conditions } }] };
    return explainPolicy('p', { now, home: { ...home, bindings }, worker: worker() })?.why ?? [];
  }

  test.each(['ForeignState', 'ServiceNamespacesUnused', 'DeletionGuard'])('%s is bad while it is True', (type) => {
    expect(why({ type, status: 'False', message: 'nothing' })).toEqual([]);
    expect(why({ type, status: 'True', message: 'what' })).toEqual([`ClusterBinding b: ${type} is True: what`]);
  });

  test.each(['Ready', 'Claimed', 'WorkerReachable'])('%s is bad while it is not', (type) => {
    expect(why({ type, status: 'True' })).toEqual([]);
    expect(why({ type, status: 'Unknown', message: 'what' })).toEqual([`ClusterBinding b: ${type} is Unknown: what`]);
  });
});

test('a worker node whose name is too long for a label is known by the annotation', () => {
  const long = `ip-10-0-0-1.${'a'.repeat(60)}.example.com`;
  const labels = { ...vnode.metadata.labels, [Label.physicalNodeName]: labelValue(long) };
  const annotations = { [Label.physicalNodeName]: long, [Label.physicalNodeUID]: `uid-${long}` };
  const hashed = { ...vnode, metadata: { name: 'vnode-hashed', labels, annotations } };
  const lent: LeasedNode = {
    metadata: { namespace: mount, name: leasedNodeName('b', long) },
    spec: { cluster: 'b', nodeName: long, nodeUID: `uid-${long}`, policy: 'p' },
    status: { phase: 'Active', allocatable: { cpu: '8', pods: '110' }, policy: 'p' },
  };
  const facts = {
    now,
    home: { ...home, vnodes: { value: [hashed] } },
    worker: worker({ nodes: { value: [node(long)] }, records: { value: [lent] } }),
  };
  expect(explainNode('vnode-hashed', facts)?.summary).toBe(
    `Vnode vnode-hashed stands for the worker node ${long}: it is lent to b.`,
  );
  expect(explainNode(long, facts)?.now).toContain('Vnode vnode-hashed of b is Ready and offers cpu 8.');
});

test('an event that goes on is as old as its last time', () => {
  const series = { count: 57, lastObservedTime: '2026-11-20T11:59:30.000000Z' };
  const event = { metadata: { name: 'e' }, type: 'Warning', reason: 'FailedScheduling', message: '0/3 nodes' };
  const began = '2026-11-20T06:00:00.000000Z';
  expect(eventTexts('home', [{ ...event, eventTime: began, series }], now)).toEqual([
    'home, 30 s ago, 57 times: Warning FailedScheduling: 0/3 nodes',
  ]);
});
