import { ConfigMaps } from '@kubeocean/shared/kube';
import { describe, expect, it } from 'vitest';
import { type Found, LogConfigs } from './found.ts';
import { planAdoption } from './plan.ts';
import { binding, deployment, found, homePod, vnode, workerPod } from './samples.ts';

function steps(change: Partial<Found>): string[] {
  return planAdoption(found({ vnodes: [], ...change })).steps.map(
    ({ cluster, verb, resource, name }) => `${cluster} ${verb} ${resource.kind} ${name}`,
  );
}

function patchOf(change: Partial<Found>): unknown {
  return planAdoption(found({ vnodes: [], ...change })).steps[0]?.patch?.body;
}

describe('processes', () => {
  const theirs = { 'app.kubernetes.io/name': 'kubeocean-syncer' };

  it('that were made for the binding are stopped, and waited for', () => {
    const syncer = deployment('kubeocean-syncer-cls', theirs);
    expect(planAdoption(found({ deployments: [syncer] })).steps[0]).toMatchObject({
      verb: 'delete',
      awaitPods: theirs,
    });
  });

  it.each([
    ['ours', deployment('kubeocean-syncer-cls', { 'kubeocean.io/component': 'syncer' })],
    ['of another binding', deployment('kubeocean-syncer-cls2', theirs)],
  ])('%s go on', (_, object) => expect(steps({ deployments: [object] })).toEqual([]));

  it('that run are waited for, whatever else runs in their namespace', () => {
    const syncer = deployment('kubeocean-syncer-cls', theirs);
    const pod = (name: string, labels: object) => ({
      metadata: { namespace: 'kubeocean-system', name, labels: { ...labels } },
      status: { phase: 'Running' },
    });
    const pods = [pod('syncer', theirs), pod('monitoring', { app: 'm' })];
    const deployments = [deployment('monitoring', { app: 'm' }), syncer];
    expect(planAdoption(found({ deployments, pods })).waiting).toEqual(['kubeocean-system/syncer']);
  });

  it('leave their Service behind, and only that goes', () => {
    const service = (name: string) => ({ metadata: { namespace: 'kubeocean-system', name, uid: name } });
    expect(steps({ services: [service('kubeocean-proxier-cls-svc'), service('other')] })).toEqual([
      'computing delete Service kubeocean-proxier-cls-svc',
    ]);
  });

  it('their manager is stopped before them, with what the chart could not change', () => {
    const containers = [{ volumeMounts: [{ mountPath: '/etc/kubeocean/syncer-template' }] }];
    const manager = deployment('kubeocean-manager', theirs, { template: { spec: { containers } } });
    const bound = (name: string) => ({ metadata: { name: 'kubeocean-manager', uid: 'm' }, roleRef: { name } });
    const syncer = deployment('kubeocean-syncer-cls', theirs);
    expect(steps({ deployments: [syncer, manager], managerBinding: bound('kubeocean-manager-role') })).toEqual([
      'computing delete Deployment kubeocean-manager',
      'computing delete ClusterRoleBinding kubeocean-manager',
      'computing delete Deployment kubeocean-syncer-cls',
    ]);
    const ours = deployment('kubeocean-manager', { 'kubeocean.io/component': 'manager' });
    expect(steps({ deployments: [ours], managerBinding: bound('kubeocean-manager') })).toEqual([]);
  });
});

describe('the certificate of their proxier', () => {
  const certificate = { metadata: { namespace: 'kubeocean-system', name: 'cls-logs-proxy-tls', uid: 'c' } };

  it('goes, after the proxier', () => {
    const proxier = deployment('kubeocean-proxier-cls', { 'app.kubernetes.io/name': 'kubeocean-proxier' });
    expect(steps({ deployments: [proxier], certificate })).toEqual([
      'computing delete Deployment kubeocean-proxier-cls',
      'computing delete Secret cls-logs-proxy-tls',
    ]);
  });

  it('stays where the owner of the binding brought it', () => {
    const annotations = { 'kubeocean.io/logs-proxy-secret-name': certificate.metadata.name };
    const brought = { ...binding, metadata: { ...binding.metadata, annotations } };
    expect(steps({ certificate, binding: brought })).toEqual([]);
  });
});

describe('a pod in the worker', () => {
  it('is adopted before the vnode it is on: until then its home pod would count as lost', () => {
    const given = { vnodes: [vnode()], homePods: [homePod('a')], workerPods: [workerPod('a')] };
    expect(steps(given)).toEqual([
      `worker patch Pod ${workerPod('a').metadata.name}`,
      'computing patch Node vnode-cls-n1',
    ]);
  });

  it('gets label, finalizer and vnode, and nothing else', () => {
    expect(patchOf({ homePods: [homePod('a')], workerPods: [workerPod('a')] })).toEqual({
      metadata: {
        uid: 'worker-a',
        labels: { 'kubeocean.io/cluster-binding': 'b', 'kubeocean.io/binding-uid': 'binding' },
        annotations: { 'kubeocean.io/virtual-node-name': 'vnode-cls-n1' },
        finalizers: ['kubeocean.io/home-sync'],
      },
    });
  });

  it('gets no finalizer while it is being deleted: Kubernetes would refuse it', () => {
    const pod = workerPod('a', { deletionTimestamp: '2026-11-20T12:00:00Z' });
    expect(patchOf({ homePods: [homePod('a')], workerPods: [pod] })).not.toHaveProperty('metadata.finalizers');
  });

  it.each([
    ['whose home pod is another by now', [homePod('a', { uid: 'other' })], workerPod('a')],
    ['whose home pod is gone', [], workerPod('a')],
    ['with a name that nobody derives', [homePod('a')], workerPod('a', { name: 'a' })],
    ['that speaks of another name', [homePod('a')], speaks('name', 'b')],
    ['that speaks of another namespace', [homePod('a')], speaks('namespace', 'other')],
  ])('%s is left alone, and told', (_, homePods, pod) => {
    const plan = planAdoption(found({ homePods, workerPods: [pod] }));
    expect(plan.steps.filter(({ cluster }) => cluster === 'worker')).toEqual([]);
    expect(plan.left.join()).toContain(`w/${pod.metadata.name} has no counterpart`);
  });

  function speaks(what: 'name' | 'namespace', value: string) {
    const { annotations } = workerPod('a').metadata;
    return workerPod('a', { annotations: { ...annotations, [`kubeocean.io/virtual-pod-${what}`]: value } });
  }

  it('that is adopted is said to have copies that follow home no more, and its home pod is not lost', () => {
    const { left } = planAdoption(found({ homePods: [homePod('a')], workerPods: [workerPod('a')] }));
    expect(left).toEqual([expect.stringContaining("-l 'kubeocean.io/managed-by=kubeocean,!kubeocean.io/binding-uid'")]);
  });

  it.each([
    ['of a user', { labels: { app: 'a' } }],
    ['of a binding of ours', { labels: { ...workerPod('a').metadata.labels, 'kubeocean.io/binding-uid': 'c' } }],
  ])('%s stays as it is', (_, change) => {
    expect(steps({ homePods: [homePod('a')], workerPods: [workerPod('a', change)] })).toEqual([]);
  });

  it('of another binding in the same namespace is not looked at', () => {
    const pod = workerPod('a', { annotations: { 'kubeocean.io/virtual-node-name': 'vnode-cls2-n1' } });
    expect(planAdoption(found({ vnodes: [], workerPods: [pod] }))).toMatchObject({ problems: [], steps: [], left: [] });
  });

  it('that is missing is told', () => {
    expect(planAdoption(found({ homePods: [homePod('a')] })).left.join()).toContain(
      'shop/a is shown to run and has no',
    );
  });
});

it('home pods that were adopted before are not lost', () => {
  const given = { homePods: [homePod('a')], adopted: new Set(['home-a']) };
  expect(planAdoption(found(given))).toMatchObject({ problems: [], left: [] });
});

it('a worker cluster without the counterpart of any running pod is not taken for the right one', () => {
  const homePods = ['a', 'b'].map((name) => homePod(name));
  expect(planAdoption(found({ homePods })).problems.join()).toContain('2 pods of the computing cluster run on vnodes');
  expect(planAdoption(found({ homePods, workerPods: [workerPod('b')] })).problems).toEqual([]);
});

it('a Secret that ours would not take is to be put right before anything is stopped', () => {
  const secretRef = { name: 's', namespace: 'team' };
  const elsewhere = { ...binding, spec: { ...binding.spec, secretRef } };
  const [problem, ...others] = planAdoption(found({ binding: elsewhere })).problems;
  expect(problem).toContain('names a Secret in team, and ours takes those in kubeocean-system only: copy team/s there');
  expect(problem).toContain('"secretRef":{"namespace":"kubeocean-system"}');
  expect(others).toEqual([]);
});

it('what would hang for ever without its maker is let go; what serves another cluster stays marked', () => {
  const labels = { 'kubeocean.io/managed-by': 'kubeocean', 'kubeocean.io/synced-by-cls': 'true' };
  const metadata = { name: 'c', namespace: 'shop', uid: 'c', resourceVersion: '3' };
  const finalizers = ['kubeocean.io/finalizer-cls', 'mine'];
  const annotations = { 'kubeocean.io/physical-name': 'x', mine: 'y' };
  const one = { resource: ConfigMaps, object: { metadata: { ...metadata, labels, annotations, finalizers } } };
  expect(patchOf({ copied: [one] })).toEqual({
    metadata: {
      uid: 'c',
      resourceVersion: '3',
      labels: { 'kubeocean.io/synced-by-cls': null, 'kubeocean.io/managed-by': null },
      annotations: { 'kubeocean.io/physical-name': null },
      finalizers: ['mine'],
    },
  });
  const shared = { ...labels, 'kubeocean.io/synced-by-cls2': 'true' };
  const both = { resource: ConfigMaps, object: { metadata: { ...metadata, labels: shared, annotations, finalizers } } };
  expect(patchOf({ copied: [both] })).toMatchObject({
    metadata: { labels: { 'kubeocean.io/synced-by-cls': null }, annotations: {} },
  });
});

it('nodes, the policies by which they are known, and the priority class of the worker', () => {
  const policy = (name: string, cluster: string) => ({
    metadata: { name, uid: name, resourceVersion: '3', finalizers: ['policy.kubeocean.io/finalizer', 'mine'] },
    spec: { cluster },
  });
  const node = (name: string, applied: string) => ({
    metadata: { name, uid: name, labels: { 'kubeocean.io/policy-applied': applied } },
  });
  const priorityClass = { metadata: { name: 'kubeocean-default', uid: 'p' } };
  const policies = [policy('p', 'b'), policy('q', 'c')];
  expect(steps({ policies, workerNodes: [node('n1', 'p'), node('n2', 'q')], priorityClass })).toEqual([
    'worker patch Node n1',
    'worker patch ResourceLeasingPolicy p',
    'worker delete PriorityClass kubeocean-default',
  ]);
  const [nodeStep, policyStep] = planAdoption(found({ vnodes: [], policies, workerNodes: [node('n1', 'p')] })).steps;
  expect(policyStep).toMatchObject({ uid: 'p', patch: { type: 'merge' } });
  expect(policyStep?.patch?.body).toEqual({ metadata: { uid: 'p', resourceVersion: '3', finalizers: ['mine'] } });
  expect(nodeStep?.patch).toEqual({
    type: 'merge',
    body: { metadata: { uid: 'n1', labels: { 'kubeocean.io/policy-applied': null } } },
  });
  const labels = { 'app.kubernetes.io/managed-by': 'Helm' };
  expect(steps({ priorityClass: { metadata: { ...priorityClass.metadata, labels } } })).toEqual([]);
});

it('ports that were held, and drivers that were shown, are given up', () => {
  const fake = homePod('f', { namespace: 'kubeocean-fake', labels: { 'kubeocean.io/hostport-fake-pod': 'true' } });
  const others = [
    { metadata: { name: 'real', uid: 'r' } },
    { metadata: { name: 'ours', uid: 'o', labels: { ...vnode().metadata.labels, 'kubeocean.io/binding-uid': 'b' } } },
  ];
  // A worker without the counterpart of these is no strange one.
  const plan = planAdoption(found({ vnodes: [], homePods: [fake], csiNodes: [...others, vnode()] }));
  expect([plan.problems, plan.left]).toEqual([[], []]);
  expect(plan.steps).toMatchObject([
    { resource: { kind: 'CSINode' }, name: 'vnode-cls-n1', uid: 'v' },
    { resource: { kind: 'Pod' }, namespace: 'kubeocean-fake', name: 'f', gracePeriodSeconds: 0 },
  ]);
  const users = [
    homePod('f', { namespace: 'kubeocean-fake' }),
    homePod('f', { labels: { 'kubeocean.io/hostport-fake-pod': 'true' } }),
  ];
  for (const user of users) expect(steps({ homePods: [user] })).toEqual([]);
});

it('log collection is left as it is, and told', () => {
  const labels = { 'kubeocean.io/synced-by-cls': 'true' };
  const copied = [{ resource: LogConfigs, object: { metadata: { name: 'l', uid: 'l', labels } } }];
  expect(planAdoption(found({ copied })).left.join()).toContain(
    'kubectl delete logconfig -l kubeocean.io/synced-by-cls',
  );
  const { left } = planAdoption(found({ logConfigsUnread: 'forbidden' }));
  expect(left).toEqual([expect.stringContaining('LogConfigs cannot be read (forbidden)')]);
  expect(planAdoption(found()).left).toEqual([]);
});

describe('the vnode', () => {
  const expected = { labels: { zone: 'z', changed: 'old' }, annotations: { note: 'n' } };
  const annotations = {
    'kubeocean.io/expected-metadata': Buffer.from(JSON.stringify(expected)).toString('base64'),
    'kubeocean.io/prometheus-url': 'u',
    note: 'n',
    mine: 'm',
  };
  const labels = { ...vnode().metadata.labels, zone: 'z', changed: 'new', mine: 'm' };
  const taints = [
    { key: 'kubeocean.io/vnode', effect: 'NoSchedule' },
    { key: 'mine', effect: 'NoSchedule' },
  ];

  it("is ours from then on; what its users wrote stays theirs, what came from the worker is the syncer's to renew", () => {
    const body = patchOf({ vnodes: [vnode({ labels, annotations }, { taints })] }) as {
      metadata: { annotations: Record<string, string | null> };
    };
    expect(body).toMatchObject({
      metadata: { uid: 'v', resourceVersion: '7', labels: { 'kubeocean.io/binding-uid': 'binding' } },
      spec: { providerID: 'kubeocean://cls/n1' },
    });
    const { 'kubeocean.io/applied': applied, ...gone } = body.metadata.annotations;
    expect(JSON.parse(applied ?? '')).toEqual({
      labels: { zone: 'z' },
      taints: ['kubeocean.io/vnode:NoSchedule'],
      conditions: [],
      resources: [],
    });
    expect(Object.keys(gone).sort()).toEqual(['kubeocean.io/expected-metadata', 'kubeocean.io/prometheus-url', 'note']);
  });

  it('is taken over, too, when what it remembers cannot be read', () => {
    const broken = { 'kubeocean.io/expected-metadata': '%%%' };
    expect(patchOf({ vnodes: [vnode({ annotations: broken })] })).toHaveProperty('metadata.labels');
  });

  it('that is ours already stays as it is', () => {
    expect(steps({ vnodes: [vnode({ labels: { ...labels, 'kubeocean.io/binding-uid': 'binding' } })] })).toEqual([]);
  });
});
