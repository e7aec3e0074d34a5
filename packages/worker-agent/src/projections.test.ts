import type { KubeObject } from '@kubeocean/shared/kube';
import { formatResources, type PodForRequests, podRequests, readClaim } from '@kubeocean/shared/lease';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matters, projectClaim, projectNode, projectPod } from './projections.ts';

const requests = fc.record(
  {
    cpu: fc.constantFrom('1', '250m', '0'),
    memory: fc.constantFrom('1Gi', '1073741824', '1e9'),
    gpu: fc.constant('1'),
  },
  { requiredKeys: [] },
);
const container = fc.record(
  { name: fc.constantFrom('a', 'b'), resources: fc.record({ requests }, { requiredKeys: [] }) },
  { requiredKeys: ['name'] },
);
const starter = fc.record(
  { name: fc.constantFrom('i', 'j'), restartPolicy: fc.constant('Always'), resources: fc.record({ requests }) },
  { requiredKeys: ['name'] },
);
const given = fc.record(
  {
    name: fc.constantFrom('a', 'b', 'i'),
    resources: fc.record({ requests }, { requiredKeys: [] }),
    allocatedResources: requests,
  },
  { requiredKeys: ['name'] },
);
const resizing = fc.constantFrom('Infeasible', 'Deferred').map((reason) => [{ type: 'PodResizePending', reason }]);
const pods = fc
  .record({
    spec: fc.record(
      {
        containers: fc.array(container, { maxLength: 2 }),
        initContainers: fc.array(starter, { maxLength: 2 }),
        overhead: requests,
        resources: fc.record({ requests }),
      },
      { requiredKeys: ['containers'] },
    ),
    status: fc.record(
      {
        containerStatuses: fc.array(given, { maxLength: 2 }),
        initContainerStatuses: fc.array(given, { maxLength: 1 }),
        conditions: resizing,
      },
      { requiredKeys: [] },
    ),
  })
  .map(({ spec, status }): PodForRequests => ({ metadata: { name: 'p' }, spec, status }));

function pod(change: object = {}, spec = {}, status = {}): KubeObject {
  return {
    metadata: { name: 'p', namespace: 'w', uid: 'u', resourceVersion: '1', ...change },
    spec: { nodeName: 'n', containers: [{ name: 'c', resources: { requests: { cpu: '1' } } }], ...spec },
    status: { phase: 'Running', ...status },
  };
}

describe('what is kept of a pod', () => {
  it('takes what the pod does, whatever pods were kept before', () => {
    fc.assert(
      fc.property(fc.array(pods, { maxLength: 5 }), (list) => {
        for (const each of list) {
          const kept = projectPod(each);
          expect(formatResources(podRequests(kept))).toEqual(formatResources(podRequests(each)));
          expect(kept.counted).toEqual(podRequests(kept));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('is one object where pods are alike', () => {
    const labels = { 'kubeocean.io/cluster-binding': 'b' };
    const [a, b] = [projectPod(pod({ labels })), projectPod(pod({ name: 'q', labels: { ...labels } }))];
    expect(a.counted).toBe(b.counted);
    expect(a.spec.containers).toBe(b.spec.containers);
    expect(a.metadata.labels).toBe(b.metadata.labels);
  });

  it('is right too where it is too long to be remembered', () => {
    const name = 'c'.repeat(2000);
    const containers = [{ name, resources: { requests: { cpu: '3' } } }];
    const [a, b] = [projectPod(pod({}, { containers })), projectPod(pod({}, { containers }))];
    expect(a.counted).toEqual(b.counted);
    expect(a.counted).not.toBe(b.counted);
    expect(formatResources(podRequests(a))).toEqual({ cpu: '3', pods: '1' });
  });

  it('is small, however long the words are that its tenant writes', () => {
    const long = 'x'.repeat(250_000);
    const annotations = { 'kubeocean.io/lease-closed': long, 'kubeocean.io/virtual-pod-uid': long, other: long };
    const conditions = [{ type: 'DisruptionTarget', status: 'True', reason: 'LeaseClosed', message: long }];
    const { counted: _, ...kept } = projectPod(pod({ annotations }, {}, { conditions }));
    expect(JSON.stringify(kept).length).toBeLessThan(600);
  });

  it('is who it is, where, whose, how it ends, and why', () => {
    const labels = { app: 'x', 'kubeocean.io/cluster-binding': 'b' };
    const annotations = { 'kubeocean.io/lease-closed': 'why', 'kubeocean.io/virtual-pod-uid': 'v', other: 'o' };
    const times = { creationTimestamp: '2026-01-01T00:00:00Z', deletionTimestamp: '2026-01-02T00:00:00Z' };
    const metadata = {
      ...times,
      labels,
      annotations,
      finalizers: ['other', 'kubeocean.io/home-sync'],
      deletionGracePeriodSeconds: 9,
    };
    const conditions = [
      { type: 'Ready', status: 'True' },
      { type: 'DisruptionTarget', status: 'True', reason: 'LeaseClosed', message: 'why' },
    ];
    const kept = projectPod(pod(metadata, { terminationGracePeriodSeconds: 5 }, { conditions, hostIP: 'x' }));
    const { counted: _, ...rest } = kept;
    expect(rest).toEqual({
      metadata: {
        name: 'p',
        namespace: 'w',
        uid: 'u',
        resourceVersion: '1',
        ...times,
        labels: { 'kubeocean.io/cluster-binding': 'b' },
        annotations: { 'kubeocean.io/lease-closed': 'yes' },
        finalizers: ['kubeocean.io/home-sync'],
        deletionGracePeriodSeconds: 9,
      },
      spec: {
        nodeName: 'n',
        containers: [{ name: 'all', resources: { requests: { cpu: '1' } } }],
        terminationGracePeriodSeconds: 5,
      },
      status: { phase: 'Running', conditions: [{ type: 'DisruptionTarget', reason: 'LeaseClosed' }] },
    });
  });
});

describe('what is kept of a pod without a binding', () => {
  it('is whether gocrane/kubeocean made it', () => {
    const migrated = { 'kubeocean.io/virtual-pod-uid': 'v', other: 'o' };
    expect(projectPod(pod({ annotations: migrated })).metadata.annotations).toEqual({
      'kubeocean.io/virtual-pod-uid': 'yes',
    });
    expect(projectPod(pod({ annotations: { other: 'o' } })).metadata.annotations).toBeUndefined();
  });
});

describe('what is kept of a tenant’s claim', () => {
  const claimed = { 'kubeocean.io/claim': 'true', 'kubeocean.io/cluster-binding': 'b' };
  const long = 'x'.repeat(250_000);

  function claim(annotations: Record<string, string>, labels: object = {}): KubeObject {
    return { metadata: { name: 'c', namespace: 'w', uid: 'u', labels: { ...claimed, ...labels }, annotations } };
  }

  it('is what is read of it', () => {
    const selector = '{"nodeSelectorTerms": []}';
    const kept = { 'kubeocean.io/node-selector': selector, 'kubeocean.io/release': 'true' };
    const renewed = { renewTime: '2026-01-01T00:00:00.000000Z' };
    const claimedNow = {
      ...claim({ ...kept, other: long }, { other: 'x' }),
      spec: { ...renewed, holderIdentity: 'h' },
    };
    expect(projectClaim(claimedNow)['spec']).toEqual(renewed);
    expect(projectClaim(claimedNow).metadata).toEqual({
      name: 'c',
      namespace: 'w',
      uid: 'u',
      labels: claimed,
      annotations: kept,
    });
  });

  it.each(['other', 'kubeocean.io/release', 'kubeocean.io/node-selector', 'kubeocean.io/epoch'])(
    'is small, however long its %s is',
    (key) => expect(JSON.stringify(projectClaim(claim({ [key]: long }))).length).toBeLessThan(500),
  );

  it('says of a selector that is too long that it cannot be read, and never that it selects every node', () => {
    const selector = JSON.stringify({ nodeSelectorTerms: [{ matchExpressions: [{ key: long, operator: 'Exists' }] }] });
    expect(readClaim(projectClaim(claim({ 'kubeocean.io/node-selector': selector })))?.problem).toBe(
      'its node selector is longer than 32768 characters',
    );
  });
});

describe('what is kept of a node', () => {
  it('is what is lent of it, and what is told of it', () => {
    const metadata = { name: 'n', uid: 'u', resourceVersion: '1', labels: { role: 'x' } };
    const taints = [{ key: 'dedicated', effect: 'NoSchedule' as const }];
    const kept = {
      metadata: { ...metadata, annotations: { 'kubeocean.io/reclaim': 'now' } },
      spec: { unschedulable: true, taints, podCIDRs: ['10.0.0.0/24'] },
      status: {
        allocatable: { cpu: '8' },
        addresses: [{ type: 'InternalIP', address: '10.1.0.1' }],
        conditions: [{ type: 'Ready', status: 'True' as const }],
        nodeInfo: { kubeletVersion: 'v1.34.4' },
        daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
      },
    };
    const node = {
      metadata: { ...kept.metadata, annotations: { ...kept.metadata.annotations, other: 'o' } },
      spec: { ...kept.spec, providerID: 'x' },
      status: {
        ...kept.status,
        addresses: [{ type: 'Hostname', address: 'n' }, ...kept.status.addresses],
        conditions: [{ ...kept.status.conditions[0], lastHeartbeatTime: '2026-01-01T00:00:00Z' }],
        images: [],
      },
    };
    expect(projectNode(node)).toEqual(kept);
  });

  it('has no field that it does not have', () => {
    expect(JSON.parse(JSON.stringify(projectNode({ metadata: { name: 'n' } })))).toEqual({
      metadata: { name: 'n' },
      spec: {},
      status: { addresses: [], conditions: [] },
    });
  });

  it('has no times that were never set: a record could not keep them', () => {
    const condition = { type: 'DiskOk', status: 'True', lastTransitionTime: null, lastHeartbeatTime: null };
    const node = { metadata: { name: 'n' }, status: { conditions: [condition] } } as unknown as KubeObject;
    expect(projectNode(node).status?.conditions).toEqual([{ type: 'DiskOk', status: 'True' }]);
  });
});

describe('a change of a pod', () => {
  const running = { containerStatuses: [{ name: 'c', ready: true }], hostIP: 'x' };
  it.each<[string, KubeObject, boolean]>([
    ['of its addresses and containers', pod({ resourceVersion: '2' }, {}, running), false],
    ['of labels of others', pod({ labels: { app: 'x' } }), false],
    ['of its phase', pod({}, {}, { phase: 'Succeeded' }), true],
    ['of what it requests', pod({}, { containers: [{ name: 'c', resources: { requests: { cpu: '2' } } }] }), true],
    [
      'of what it was given',
      pod({}, {}, { containerStatuses: [{ name: 'c', resources: { requests: { cpu: '2' } } }] }),
      true,
    ],
    ['of when it ends', pod({ deletionTimestamp: 'x' }), true],
    ['of its binding', pod({ labels: { 'kubeocean.io/cluster-binding': 'b' } }), true],
    ['of our finalizer', pod({ finalizers: ['kubeocean.io/home-sync'] }), true],
    ['of whether it was told why it goes', pod({ annotations: { 'kubeocean.io/lease-closed': 'why' } }), true],
    ['of how long it may take to end', pod({ deletionGracePeriodSeconds: 600 }), true],
  ])('%s', (_, after, expected) => {
    const change = { key: 'w/p', previous: projectPod(pod()), current: projectPod(after) };
    expect(matters(change, ['spec', 'status'])).toBe(expected);
  });

  it('that is its beginning or its end', () => {
    const one = projectPod(pod());
    expect(matters({ key: 'w/p', previous: undefined, current: one }, [])).toBe(true);
    expect(matters({ key: 'w/p', previous: one, current: undefined }, [])).toBe(true);
  });
});
