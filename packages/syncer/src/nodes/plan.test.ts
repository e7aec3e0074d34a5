import type { LeasedNodeStatus, Taint } from '@kubeocean/shared/api';
import type { Condition, Json } from '@kubeocean/shared/kube';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { vnodeFromRecord, type VnodeFacts, vnodeWithoutRecord } from './from-record.ts';
import { applyPlan, created, desired, later, taintsOf } from './plan-fixtures.ts';
import { planVnode } from './plan.ts';
import { sampleFacts, sampleRecord } from './samples.ts';

test('a new vnode needs no further write, at whatever time', () => {
  expect(planVnode(created(), desired(), later)).toEqual({});
});

test('the time of closing comes, changes and goes, each with one write to metadata', () => {
  const label = 'kubeocean.io/lease-closes';
  const annotation = 'kubeocean.io/lease-closes-at';
  let node = created();
  for (const [closesAt, seconds] of [
    ['2026-11-21T18:00:00Z', '1795284000'],
    ['2026-11-21T19:00:00Z', '1795287600'],
    [undefined, undefined],
  ]) {
    const want = desired(closesAt === undefined ? {} : { window: { closesAt } });
    const plan = planVnode(node, want, later);
    expect(plan).toEqual({
      patch: {
        metadata: { uid: 'u', labels: { [label]: seconds ?? null }, annotations: { [annotation]: closesAt ?? null } },
      },
    });
    node = applyPlan(node, plan);
    expect(planVnode(node, want, later)).toEqual({});
    // Nothing is known: what was said of the closing stays.
    const unknown = planVnode(node, vnodeWithoutRecord('node1', sampleFacts()), later);
    expect(applyPlan(node, unknown).metadata.labels?.[label]).toBe(seconds);
  }
  const born = created(desired({ window: { closesAt: '2026-11-21T18:00:00Z' } }));
  expect(born.metadata.labels?.[label]).toBe('1795284000');
  const closing = applyPlan(born, planVnode(born, desired({ phase: 'Closing' }), later));
  expect(closing.metadata.labels).not.toHaveProperty([label]);
  expect(closing.metadata.annotations).not.toHaveProperty([annotation]);
});

test('what somebody took off a vnode is put back: only on the Node that was looked at, and not on one that goes', () => {
  const node = created();
  node.metadata.finalizers = ['other'];
  node['spec'] = { taints: taintsOf(node) };
  expect(planVnode(node, desired(), later).patch).toEqual({
    metadata: { uid: 'u', resourceVersion: '1', finalizers: ['other', 'kubeocean.io/vnode'] },
    spec: { providerID: 'kubeocean://cls-example/node1' },
  });
  node.metadata.deletionTimestamp = '2026-11-21T06:30:00Z';
  expect(planVnode(node, desired(), later).patch?.['metadata']).toEqual({ uid: 'u' });
});

test('where a vnode is served, and what its machine is, follows', () => {
  const want = desired({ node: { nodeInfo: { kernelVersion: '7' } } }, { address: '10.9.9.9', port: 15_009 });
  expect(planVnode(created(), want, later).statusPatch).toMatchObject({
    metadata: { uid: 'u' },
    status: {
      addresses: [{ $patch: 'replace' }, { type: 'InternalIP', address: '10.9.9.9' }],
      daemonEndpoints: { kubeletEndpoint: { Port: 15_009 } },
      nodeInfo: { kernelVersion: '7' },
    },
  });
});

test('heartbeat and transition times cause no write; another status, reason or message does', () => {
  const node = created();
  const same: Condition = { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'ready' };
  const times = { lastHeartbeatTime: '2026-11-21T06:59:00Z', lastTransitionTime: '2026-11-21T05:00:00Z' };
  expect(
    planVnode(
      node,
      desired({
        node: {
          conditions: [{ ...same, ...times }],
          labels: { 'kubernetes.io/arch': 'amd64', disk: 'ssd' },
          nodeInfo: { kubeletVersion: 'v1.34.4' },
          innerIP: '10.0.0.1',
        },
      }),
      later,
    ),
  ).toEqual({});
  const changed = planVnode(node, desired({ node: { conditions: [{ ...same, status: 'False' }] } }), later);
  expect(changed.statusPatch).toMatchObject({ status: { conditions: [{ type: 'Ready', status: 'False' }] } });
});

describe('what others added stays', () => {
  test('labels, annotations, taints, conditions, resources, addresses kept while no proxier is ready', () => {
    const node = created();
    node.metadata.labels = { ...node.metadata.labels, team: 'blue' };
    node.metadata.annotations = { ...node.metadata.annotations, note: 'x' };
    (node['spec'] as Json)['taints'] = [...taintsOf(node), { key: 'team', value: 'blue', effect: 'NoSchedule' }];
    const status = node['status'] as { conditions: Condition[]; capacity: Record<string, string> };
    status.conditions.push({ type: 'DiskSlow', status: 'False' });
    status.capacity['example.com/fpga'] = '1';
    const { address: _none, ...noProxier } = desired();
    expect(planVnode(node, noProxier, later)).toEqual({});
    const next = applyPlan(
      node,
      planVnode(node, desired({ allocatable: { cpu: '1' } }, { leaseUnknown: true }), later),
    );
    expect(next.metadata.labels?.['team']).toBe('blue');
    expect(next.metadata.annotations?.['note']).toBe('x');
    expect(taintsOf(next).map(({ key }) => key)).toEqual(['team', 'kubeocean.io/vnode', 'kubeocean.io/lease-unknown']);
    expect((next['status'] as typeof status).capacity).toEqual({ cpu: '1', 'example.com/fpga': '1' });
    expect((next['status'] as typeof status).conditions.map(({ type }) => type)).toContain('DiskSlow');
  });

  test('a carried label that home changed or took away is left to home', () => {
    const node = created();
    node.metadata.labels = { ...node.metadata.labels, disk: 'own' };
    expect(applyPlan(node, planVnode(node, desired(), later)).metadata.labels?.['disk']).toBe('own');
    delete node.metadata.labels['disk'];
    expect(applyPlan(node, planVnode(node, desired(), later)).metadata.labels).not.toHaveProperty('disk');
  });

  test('a carried label that the worker node loses goes, unless home changed it', () => {
    const node = created();
    const without = desired({ node: { labels: {} } });
    const arch = 'kubernetes.io/arch';
    expect(applyPlan(node, planVnode(node, without, later)).metadata.labels).not.toHaveProperty('disk');
    node.metadata.labels = { ...node.metadata.labels, disk: 'own' };
    const next = applyPlan(node, planVnode(node, without, later));
    expect(next.metadata.labels).toMatchObject({ disk: 'own' });
    expect(next.metadata.labels).not.toHaveProperty([arch]);
    // From then on it is home's alone.
    expect(planVnode(next, without, later)).toEqual({});
  });

  test('a carried label goes though it is named as what every object of JavaScript has', () => {
    const node = created(desired({ node: { labels: { constructor: 'acme' } } }));
    expect(node.metadata.labels).toHaveProperty('constructor', 'acme');
    const next = applyPlan(node, planVnode(node, desired({ node: { labels: {} } }), later));
    expect(Object.keys(next.metadata.labels ?? {})).not.toContain('constructor');
  });

  test('what home says of an unreachable vnode stays while its conditions are left to home', () => {
    const node = created();
    const status = node['status'] as { conditions: Condition[] };
    status.conditions = [{ type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown' }];
    expect(planVnode(node, desired({}, { leaveConditions: true }), later)).toEqual({});
    const { statusPatch } = planVnode(node, desired(), later);
    expect(statusPatch).toMatchObject({ status: { conditions: [{ type: 'Ready', status: 'True' }] } });
  });

  test('a user who cordoned the vnode finds it cordoned', () => {
    const node = created();
    (node['spec'] as Json)['unschedulable'] = true;
    expect(planVnode(node, desired(), later)).toEqual({});
  });
});

describe('draining', () => {
  test('a user who had cordoned it before finds it cordoned when the draining is called off', () => {
    let node = created();
    (node['spec'] as Json)['unschedulable'] = true;
    for (const draining of [true, true, false]) {
      node = applyPlan(node, planVnode(node, desired({}, { draining }), later));
      expect(node['spec']).toMatchObject({ unschedulable: true });
      expect(planVnode(node, desired({}, { draining }), later)).toEqual({});
    }
    // The next time it is ours again.
    (node['spec'] as Json)['unschedulable'] = undefined;
    for (const draining of [true, false]) {
      node = applyPlan(node, planVnode(node, desired({}, { draining }), later));
    }
    expect(node['spec']).not.toHaveProperty('unschedulable');
  });

  test('a user who uncordons it meanwhile finds it uncordoned when the draining is called off', () => {
    let node = created();
    (node['spec'] as Json)['unschedulable'] = true;
    node = applyPlan(node, planVnode(node, desired({}, { draining: true }), later));
    delete (node['spec'] as Json)['unschedulable'];
    node = applyPlan(node, planVnode(node, desired({}, { draining: true }), later));
    expect(node['spec']).toMatchObject({ unschedulable: true });
    node = applyPlan(node, planVnode(node, desired(), later));
    expect(node['spec']).not.toHaveProperty('unschedulable');
  });

  test('cordons; when it is called off, uncordons', () => {
    const node = applyPlan(created(), planVnode(created(), desired({}, { draining: true }), later));
    expect(node['spec']).toMatchObject({ unschedulable: true });
    const back = applyPlan(node, planVnode(node, desired(), later));
    expect(back['spec']).not.toHaveProperty('unschedulable');
    expect(taintsOf(back).map(({ key }) => key)).toEqual(['kubeocean.io/vnode']);
  });
});

test('a missing record adds one taint and changes nothing else', () => {
  const record = { taints: [{ key: 'gpu', effect: 'NoSchedule' }], unschedulable: true } satisfies LeasedNodeStatus;
  const node = created(desired(record));
  const next = applyPlan(
    node,
    planVnode(node, vnodeWithoutRecord('node1', sampleFacts({ leaseUnknown: true })), later),
  );
  expect(
    taintsOf(next)
      .map(({ key }) => key)
      .sort(),
  ).toEqual(['gpu', 'kubeocean.io/lease-unknown', 'kubeocean.io/physical-node-unschedulable', 'kubeocean.io/vnode']);
  expect({ ...next, spec: undefined }).toEqual({ ...node, spec: undefined });
  // Back again, without the worker's taints meanwhile: all that came from the record goes with it.
  const back = applyPlan(next, planVnode(next, desired(), later));
  expect(taintsOf(back).map(({ key }) => key)).toEqual(['kubeocean.io/vnode']);
});

test('a list is only written against the version that was looked at', () => {
  const { patch } = planVnode(created(), desired({}, { leaseUnknown: true }), later);
  expect(patch?.['metadata']).toMatchObject({ uid: 'u', resourceVersion: '1' });
  const labels = planVnode(created(), desired({ policy: 'other' }), later).patch;
  expect(labels?.['metadata']).not.toHaveProperty('resourceVersion');
});

test('one round of patches is enough, whatever it was before', () => {
  const name = fc.constantFrom('a', 'constructor', 'example.com/c', 'kubernetes.io/arch');
  const status: fc.Arbitrary<LeasedNodeStatus> = fc.record({
    phase: fc.constant('Active' as const),
    allocatable: fc.dictionary(fc.constantFrom('cpu', 'memory', 'example.com/c'), fc.nat(9).map(String)),
    unschedulable: fc.boolean(),
    taints: fc.array(
      fc.record({
        key: name,
        value: fc.constantFrom('', '1'),
        effect: fc.constantFrom('NoSchedule', 'NoExecute'),
      }) as fc.Arbitrary<Taint>,
    ),
    node: fc.record({
      labels: fc.dictionary(name, fc.constantFrom('', 'x', 'y')),
      conditions: fc.array(
        fc.record({ type: name, status: fc.constantFrom('True', 'False') }) as fc.Arbitrary<Condition>,
        { minLength: 1 },
      ),
    }),
  });
  const facts = fc.record({ leaseUnknown: fc.boolean(), workerUnreachable: fc.boolean(), draining: fc.boolean() });
  const step = fc.record({ status, facts, known: fc.boolean() });
  const want = ({
    status: s,
    facts: f,
    known,
  }: {
    status: LeasedNodeStatus;
    facts: Partial<VnodeFacts>;
    known: boolean;
  }) =>
    known
      ? vnodeFromRecord({ ...sampleRecord(), status: s }, sampleFacts(f))
      : vnodeWithoutRecord('node1', sampleFacts(f));
  fc.assert(
    fc.property(step, step, step, (first, second, third) => {
      let node = created(want({ ...first, known: true }));
      for (const each of [second, third]) {
        node = applyPlan(node, planVnode(node, want(each), later));
        expect(planVnode(node, want(each), later)).toEqual({});
      }
    }),
  );
});
