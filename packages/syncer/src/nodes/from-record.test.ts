import type { LeasedNodeStatus, Taint } from '@kubeocean/shared/api';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nodeNameOf, vnodeFromRecord, vnodeWithoutRecord } from './from-record.ts';
import { parseResources } from '@kubeocean/shared/lease';
import { notRunRequests } from './not-run.ts';
import { sampleBinding, sampleFacts, sampleRecord } from './samples.ts';

function taintsOf(status: LeasedNodeStatus, facts = sampleFacts()): string[] {
  return vnodeFromRecord(sampleRecord(status), facts).taints.map(
    ({ key, value, effect }) => `${key}${value ? `=${value}` : ''}:${effect}`,
  );
}

/** Of half a character home keeps something else, which would look changed at each look, and be written again. */
test.each([1020, 1021, 1022])(
  'a condition with a long message is cut between characters: after %i others',
  (length) => {
    const message = `${'x'.repeat(length)}${'😀'.repeat(3)}`;
    const conditions = [{ type: 'Ready', status: 'False' as const, message }];
    const [shown] = vnodeFromRecord(sampleRecord({ node: { conditions } }), sampleFacts()).status?.conditions ?? [];
    expect(shown?.message?.length).toBeLessThanOrEqual(1024);
    expect(shown?.message?.isWellFormed()).toBe(true);
  },
);

test('of more than is shown of a node, what Kubernetes itself goes by is shown all the same', () => {
  const many = Array.from({ length: 200 }, (_, at) => `a${at}`);
  const quantity = (name: string): [string, string] => [name, '1'];
  const status: LeasedNodeStatus = {
    allocatable: Object.fromEntries([...many.map((name) => quantity(`${name}.example/x`)), quantity('pods')]),
    node: {
      labels: Object.fromEntries([...many, 'topology.kubernetes.io/zone'].map((key) => [key, 'x'])),
      // In the order of their types, as the agent writes them.
      conditions: [...many.toSorted(), 'Ready'].map((type) => ({ type, status: 'True' as const })),
    },
  };
  const vnode = vnodeFromRecord(sampleRecord(status), sampleFacts());
  expect(vnode.status?.conditions.map(({ type }) => type)).toContain('Ready');
  expect(vnode.status?.resources).toHaveProperty('pods', '1');
  expect(Object.keys(vnode.carriedLabels ?? {})).toContain('topology.kubernetes.io/zone');
  expect(Object.keys(vnode.carriedLabels ?? {})).toHaveLength(128);
});

describe('labels', () => {
  test.each([
    // Kubernetes' own domains: the machine's, not the membership's.
    ['kubernetes.io/arch', 'arm64', true],
    ['kubernetes.io/os', 'linux', true],
    ['topology.kubernetes.io/zone', 'z1', true],
    ['topology.kubernetes.io/region', 'r1', true],
    ['kubernetes.io/hostname', 'node1', false],
    ['node.kubernetes.io/instance-type', 'c5', false],
    ['node-role.kubernetes.io/control-plane', '', false],
    ['node.kubernetes.io/exclude-disruption', 'true', false],
    ['cloud.k8s.io/x', 'y', false],
    // Everybody else's.
    ['kubeocean.io/role', 'worker', true],
    ['topology.ebs.csi.aws.com/zone', 'z1', true],
    ['disk', 'ssd', true],
    // What Kubeocean means by a name, a worker node cannot say.
    ['kubeocean.io/binding-uid', 'forged', false],
    ['kubeocean.io/proxier_port', '22', false],
    ['type', 'x', false],
    // Nothing that Kubernetes would refuse.
    ['bad key', 'x', false],
    ['good', 'bad value!', false],
    ['UPPER.domain/x', 'y', false],
  ])('%s=%s carried: %s', (key, value, carried) => {
    const vnode = vnodeFromRecord(sampleRecord({ node: { labels: { [key]: value } } }), sampleFacts());
    expect(vnode.carriedLabels).toEqual(carried ? { [key]: value } : {});
  });

  test('are those of a vnode', () => {
    expect(vnodeFromRecord(sampleRecord(), sampleFacts()).ownLabels).toEqual({
      'kubeocean.io/managed-by': 'kubeocean',
      'kubeocean.io/cluster-binding': 'example-cluster',
      'kubeocean.io/binding-uid': 'binding-uid',
      'kubeocean.io/physical-cluster-id': 'cls-example',
      'kubeocean.io/physical-node-name': 'node1',
      'kubeocean.io/physical-node-uid': 'node-uid',
      'kubeocean.io/physical-node-innerip': '10.0.0.1',
      'kubeocean.io/proxier_port': '15001',
      'kubeocean.io/policy-applied': 'example-policy',
      type: 'virtual-kubelet',
      'node.kubernetes.io/instance-type': 'vnode',
      'beta.kubernetes.io/instance-type': 'vnode',
      'kubernetes.io/hostname': 'vnode-cls-example-node1',
      'node.kubernetes.io/exclude-from-external-load-balancers': 'true',
    });
  });
});

describe('taints', () => {
  test.each<[string, string[], string[]]>([
    ['by default', taintsOf({}), ['kubeocean.io/vnode:NoSchedule']],
    ['switched off', taintsOf({}, sampleFacts({ binding: sampleBinding({ disableNodeDefaultTaint: true }) })), []],
    [
      'of a cordoned worker node',
      taintsOf({ unschedulable: true }),
      ['kubeocean.io/vnode:NoSchedule', 'kubeocean.io/physical-node-unschedulable:NoSchedule'],
    ],
    [
      'of everything that can be wrong',
      taintsOf({}, sampleFacts({ leaseUnknown: true, workerUnreachable: true, draining: true })),
      [
        'kubeocean.io/vnode:NoSchedule',
        'kubeocean.io/lease-unknown:NoSchedule',
        'kubeocean.io/worker-unreachable:NoSchedule',
        'kubeocean.io/vnode-deleting=true:NoSchedule',
      ],
    ],
    [
      'of the record, without those that home acts on, ours, malformed and repeated ones',
      taintsOf({
        taints: [
          { key: 'kubeocean.io/out-of-time-windows', value: 'true', effect: 'NoSchedule' },
          { key: 'gpu', value: 'yes', effect: 'PreferNoSchedule' },
          { key: 'gpu', value: 'no', effect: 'PreferNoSchedule' },
          { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' },
          { key: 'node.cloudprovider.kubernetes.io/uninitialized', effect: 'NoSchedule' },
          { key: 'kubeocean.io/vnode-deleting', effect: 'NoSchedule' },
          { key: 'bad key', effect: 'NoSchedule' },
          { key: 'x', effect: 'Sometimes' as 'NoSchedule' },
        ],
      }),
      ['kubeocean.io/vnode:NoSchedule', 'kubeocean.io/out-of-time-windows=true:NoSchedule', 'gpu=yes:PreferNoSchedule'],
    ],
  ])('%s', (_name, taints, expected) => {
    expect(taints).toEqual(expected);
  });
});

describe('times that an API server would refuse a whole Node for', () => {
  test.each([
    ['2026-11-21T06:00:00Z', '2026-11-21T06:00:00Z'],
    ['2026-11-21T06:00:00.5+01:00', '2026-11-21T05:00:00Z'],
    ['2026-02-30T00:00:00Z', '2026-03-02T00:00:00Z'],
    ['2020-99-99T99:99:99Z', undefined],
    ['2020-01-01T23:59:60Z', undefined],
    ['0000-01-01T00:00:00+23:59', undefined],
    ['9999-12-31T23:59:59-01:00', undefined],
    ['yesterday', undefined],
  ])('%s becomes %s', (text, time) => {
    const ready = { type: 'Ready', status: 'True' as const, lastTransitionTime: text };
    const taint: Taint = { key: 'gpu', effect: 'NoExecute', timeAdded: text };
    const said = vnodeFromRecord(sampleRecord({ taints: [taint], node: { conditions: [ready] } }), sampleFacts());
    expect(said.status?.conditions[0]?.lastTransitionTime).toBe(time);
    expect(said.taints.at(-1)?.timeAdded).toBe(time);
  });
});

describe('resources', () => {
  test.each([
    ['cpu', '4000m', '4'],
    ['cpu', '1500m', '1500m'],
    ['memory', '1024Mi', '1Gi'],
    ['pods', '0', '0'],
    ['example.com/gpu', '2', '2'],
    ['example.com/gpu', '500m', undefined],
    ['cpu', '-1', undefined],
    ['cpu', 'lots', undefined],
    ['made-up', '1', undefined],
    ['hugepages-2Mi', '4Mi', '4Mi'],
  ])('%s: %s becomes %s', (name, text, expected) => {
    const { status } = vnodeFromRecord(sampleRecord({ allocatable: { [name]: text } }), sampleFacts());
    expect(status?.resources).toEqual(expected === undefined ? {} : { [name]: expected });
  });
});

test('what pods that are not run ask for is shown on top, of what is lent only', () => {
  const pod = (conditions: unknown[], phase = 'Pending') => ({
    metadata: { name: 'p' },
    spec: {
      containers: [{ name: 'c', resources: { requests: { cpu: '250m', memory: '1Gi', 'example.com/gpu': '1' } } }],
    },
    status: { phase, conditions },
  });
  const notRun = [{ type: 'kubeocean.io/NotRun', status: 'True' }];
  const requests = notRunRequests([pod(notRun), pod(notRun), pod([]), pod(notRun, 'Failed')]);
  const facts = sampleFacts({ notRun: requests });
  const { status } = vnodeFromRecord(sampleRecord({ allocatable: { cpu: '4', memory: '27Gi', pods: '0' } }), facts);
  expect(status?.resources).toEqual({ cpu: '4500m', memory: '29Gi', pods: '2' });
});

test('what worker pods take beyond what home counts is shown as taken, and never less than nothing is lent', () => {
  const surplus = parseResources({ cpu: '1500m', memory: '40Gi', 'example.com/gpu': '1' });
  const notRun = parseResources({ cpu: '500m' });
  const { status } = vnodeFromRecord(
    sampleRecord({ allocatable: { cpu: '4', memory: '27Gi', pods: '80' } }),
    sampleFacts({ surplus, notRun }),
  );
  expect(status?.resources).toEqual({ cpu: '3', memory: '0', pods: '80' });
});

test('an IPv6 address of the worker node is not a label', () => {
  const vnode = vnodeFromRecord(sampleRecord({ node: { innerIP: 'fd00::1' } }), sampleFacts());
  expect(vnode.ownLabels).not.toHaveProperty('kubeocean.io/physical-node-innerip');
});

test('without a record only identity and taints are said', () => {
  const vnode = vnodeWithoutRecord('node1', sampleFacts({ leaseUnknown: true }));
  expect(vnode.status).toBeUndefined();
  expect(vnode.carriedLabels).toBeUndefined();
  expect(vnode.taints.map(({ key }) => key)).toEqual(['kubeocean.io/vnode', 'kubeocean.io/lease-unknown']);
});

test.each([
  ['kubeocean://cls-example/node1', 'node1'],
  ['kubeocean://cls-example/', undefined],
  ['kubeocean://cls-other/node1', undefined],
  ['aws:///i-1', undefined],
  [undefined, undefined],
])('the worker node in %s is %s', (id, expected) => {
  expect(nodeNameOf(id, 'cls-example')).toBe(expected);
});

test('of a record that says too much the first are taken: 128 labels, 32 taints, 32 conditions, 64 resources', () => {
  const numbers = Array.from({ length: 200 }, (_, at) => String(at).padStart(3, '0'));
  const ofEach = (value: string) => Object.fromEntries(numbers.map((at) => [`example.com/n${at}`, value]));
  const {
    carriedLabels = {},
    taints,
    status,
  } = vnodeFromRecord(
    sampleRecord({
      allocatable: ofEach('1'),
      taints: numbers.map((at) => ({ key: `n${at}`, effect: 'NoSchedule' })),
      node: { labels: ofEach('x'), conditions: numbers.map((at) => ({ type: `N${at}`, status: 'False' })) },
    }),
    sampleFacts(),
  );
  const last = (list: string[]) => [list.length, list.at(-1)];
  expect(last(Object.keys(carriedLabels))).toEqual([128, 'example.com/n127']);
  // With the one that is ours.
  expect(last(taints.map(({ key }) => key))).toEqual([1 + 32, 'n031']);
  expect(last((status?.conditions ?? []).map(({ type }) => type))).toEqual([32, 'N031']);
  expect(last(Object.keys(status?.resources ?? {}))).toEqual([64, 'example.com/n063']);
});

test('labels and resources that are not shown take the place of none that are', () => {
  const numbers = Array.from({ length: 200 }, (_, at) => String(at).padStart(3, '0'));
  const hidden = (key: (at: string) => string, value: string) => numbers.map((at) => [key(at), value]);
  const labels = {
    ...Object.fromEntries(hidden((at) => `feature.node.kubernetes.io/cpu-cpuid.N${at}`, 'true')),
    'nvidia.com/gpu.product': 'A100',
    'topology.kubernetes.io/zone': 'z1',
  };
  const allocatable = { ...Object.fromEntries(hidden((at) => `a.example.com/n${at}`, '1.5')), cpu: '4' };
  const vnode = vnodeFromRecord(sampleRecord({ node: { labels }, allocatable }), sampleFacts());
  expect(vnode.carriedLabels).toEqual({ 'nvidia.com/gpu.product': 'A100', 'topology.kubernetes.io/zone': 'z1' });
  expect(vnode.status?.resources).toEqual({ cpu: '4' });
});

test('whatever a record says, the vnode is bounded and its identity is ours', () => {
  const hostile = sampleRecord().status as LeasedNodeStatus;
  const anything = fc.record({
    taints: fc.anything(),
    allocatable: fc.anything(),
    unschedulable: fc.anything(),
    node: fc.record({
      labels: fc.oneof(fc.anything(), fc.dictionary(fc.string(), fc.string())),
      conditions: fc.anything(),
      nodeInfo: fc.anything(),
      innerIP: fc.anything(),
    }),
  });
  fc.assert(
    fc.property(anything, (status) => {
      const record = sampleRecord({ ...hostile, ...(status as LeasedNodeStatus) });
      const before = JSON.stringify(record);
      const vnode = vnodeFromRecord(record, sampleFacts());
      expect(JSON.stringify(record)).toBe(before);
      expect(vnode.ownLabels['kubeocean.io/binding-uid']).toBe('binding-uid');
      // By own keys: a label may be named like something that every object inherits.
      const own = Object.keys(vnode.ownLabels);
      for (const key of Object.keys(vnode.carriedLabels ?? {})) expect(own).not.toContain(key);
      expect(Object.keys(vnode.carriedLabels ?? {}).length).toBeLessThanOrEqual(128);
      for (const { key } of vnode.taints) expect(key.startsWith('node.kubernetes.io/')).toBe(false);
    }),
    {
      examples: [
        [
          {
            taints: [],
            allocatable: {},
            unschedulable: 0,
            node: { labels: { toString: '' }, conditions: [], nodeInfo: {}, innerIP: '' },
          },
        ],
      ],
    },
  );
});
