/**
 * A user who switches from gocrane/kubeocean: its releases, kinds and processes are there (e2e/migration), a Deployment and a
 * pod run on its vnode. Our charts on top of it delete nothing and say what to do; `kubeocean adopt` takes all of it over,
 * and no container is started again.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolve } from 'node:path';
import { migratedWorkerName } from '@kubeocean/shared/api';
import { KUBECONFIG_FILE, bash, LOCAL } from '../scripts/tutorial.ts';
import { waitFor } from './harness/index.ts';
import {
  apply,
  BINDING,
  CLUSTER_ID,
  counterpart,
  json,
  leaveBinding,
  MOUNT,
  NODE,
  ok,
  type Pod,
  pods,
  removeKinds,
  runPods,
  SYSTEM,
  VNODE,
} from './migration/gocrane.ts';
import { installCharts } from './setup.ts';

const slow = { timeoutMs: 120_000, everyMs: 500 };
const FOREVER = [
  { key: 'kubeocean.io/vnode', operator: 'Exists' },
  // However long a slow machine takes: with Kubernetes' own 300 s the user has about as long.
  { key: 'node.kubernetes.io/unreachable', operator: 'Exists' },
  { key: 'node.kubernetes.io/not-ready', operator: 'Exists' },
];

function startOver(): void {
  bash('computing', 'kubectl delete deployment moved --ignore-not-found --timeout=30s');
  bash('computing', 'kubectl delete pod alone --ignore-not-found --grace-period=0 --force');
  bash('computing', `kubectl delete cb --all --timeout=60s`);
  bash('computing', `kubectl patch cb ${BINDING} --type=merge -p '{"metadata":{"finalizers":[]}}'`);
  bash('computing', `kubectl patch cm settings --type=merge -p '{"metadata":{"finalizers":[]}}'`);
  bash('computing', 'kubectl delete cm settings --ignore-not-found --timeout=10s');
  bash('computing', `kubectl patch node ${VNODE} --type=merge -p '{"metadata":{"finalizers":[]}}'`);
  bash('computing', `kubectl delete node ${VNODE} --ignore-not-found --timeout=10s`);
  bash('worker-1', `kubectl patch rlp example-policy --type=merge -p '{"metadata":{"finalizers":[]}}'`);
  bash('worker-1', 'kubectl delete rlp --all --timeout=30s');
  bash('worker-1', `kubectl label node ${NODE} kubeocean.io/role- kubeocean.io/policy-applied-`);
  bash('worker-1', `kubectl -n ${MOUNT} delete pod --all --grace-period=0 --force`);
  bash('computing', 'helm uninstall kubeocean --wait');
  bash('worker-1', 'helm uninstall kubeocean-worker --wait');
  bash('computing', `kubectl -n ${SYSTEM} delete deploy,secret,lease --all`);
  bash('worker-1', 'kubectl delete priorityclass kubeocean-default --ignore-not-found');
  removeKinds();
}

const BOTH = `--kubeconfig ${LOCAL}/computing.kubeconfig --worker-kubeconfig ${LOCAL}/worker-1.kubeconfig`;
const kubeocean = (command: string, files = BOTH) =>
  bash('computing', `${resolve('packages/cli/bin/kubeocean')} ${command} ${files}`);
const adopt = (...flags: string[]) => kubeocean(`adopt ${BINDING} ${flags.join(' ')}`);

/** Home pods by UID, and worker pods by UID with their containers: the same text means that nothing was lost or run again. */
function everything(): string[] {
  const line = (where: string, { metadata, status }: Pod) => {
    const [container] = status?.containerStatuses ?? [];
    const ran = where === 'worker' ? ` ${container?.containerID} ${container?.restartCount}` : '';
    return `${where} ${metadata.name} ${metadata.uid} ${metadata.deletionTimestamp ?? ''}${ran}`;
  };
  return [
    ...pods('computing', '-l app=moved').map((pod) => line('home', pod)),
    ...pods('worker-1', `-n ${MOUNT} -l app=moved`).map((pod) => line('worker', pod)),
  ].toSorted();
}

function conditionOf(cluster: 'computing' | 'worker-1', what: string, type: string) {
  const { status } = json<{
    status?: { conditions?: { type: string; status: string; reason: string; message: string }[] };
  }>(cluster, what);
  return status?.conditions?.find((condition) => condition.type === type);
}

let before: string[] = [];

beforeAll(async () => {
  startOver();
  ok('computing', 'helm install kubeocean e2e/migration/charts/kubeocean');
  ok('worker-1', 'helm install kubeocean-worker e2e/migration/charts/kubeocean-worker');
  ok('worker-1', `bash hack/kubeconfig.sh kubeocean-syncer ${MOUNT} ${KUBECONFIG_FILE}`);
  ok(
    'computing',
    `kubectl -n ${SYSTEM} create secret generic worker-cluster-kubeconfig --from-file=kubeconfig=${KUBECONFIG_FILE}`,
  );
  ok('worker-1', `kubectl label node ${NODE} kubeocean.io/role=worker --overwrite`);
  ok('computing', 'kubectl wait --for condition=established --timeout=30s crd/clusterbindings.cloud.tencent.com');
  ok('computing', 'kubectl apply -f docs/tutorial/cb.yaml');
  ok(
    'worker-1',
    'kubectl wait --for condition=established --timeout=30s crd/resourceleasingpolicies.cloud.tencent.com',
  );
  apply('worker-1', {
    apiVersion: 'cloud.tencent.com/v1beta1',
    kind: 'ResourceLeasingPolicy',
    metadata: { name: 'example-policy' },
    spec: { cluster: BINDING, resourceLimits: [{ resource: 'cpu', percent: 50 }] },
  });
  leaveBinding();
  const labels = { app: 'moved' };
  const spec = {
    nodeSelector: { type: 'virtual-kubelet' },
    tolerations: FOREVER,
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'main',
        image: 'busybox:1.35',
        command: ['sh', '-c', 'echo "began once"; exec sleep infinity'],
        resources: { requests: { cpu: '10m' } },
      },
    ],
  };
  const finalizers = [`kubeocean.io/finalizer-${CLUSTER_ID}`];
  const synced = { 'kubeocean.io/managed-by': 'kubeocean', [`kubeocean.io/synced-by-${CLUSTER_ID}`]: 'true' };
  apply(
    'computing',
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'moved' },
      spec: { replicas: 2, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
    },
    { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'alone', labels }, spec },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings', labels: synced, finalizers } },
  );
  await runPods('-l app=moved', 3);
  // One whose home pod went while its syncer was down.
  apply('worker-1', counterpart('default', 'forgotten', 'gone'));
  await waitFor('it runs', () => everything().filter((line) => /^worker.*containerd/.test(line)).length === 4, slow);
  before = everything();
  expect(before).toHaveLength(7);
});

afterAll(async () => {
  startOver();
  await installCharts();
});

describe('our charts on top of it', () => {
  it('cannot change what Kubernetes does not let anybody change: helm says so, and nothing is lost', () => {
    const { status, stderr } = bash('computing', 'helm upgrade kubeocean charts/kubeocean --reset-values');
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/immutable|cannot change roleRef/);
    const worker = bash('worker-1', 'helm upgrade kubeocean-worker charts/kubeocean-worker --reset-values');
    expect(worker.status).not.toBe(0);
    expect(worker.stderr).toContain('kubeocean-default');
    expect(everything()).toEqual(before);
  });

  it('a user who makes way by hand: nothing is started beside its processes, no pod is deleted, and both say what to do', async () => {
    ok('computing', `kubectl -n ${SYSTEM} delete deployment kubeocean-manager --ignore-not-found`);
    ok('computing', 'kubectl delete clusterrolebinding kubeocean-manager --ignore-not-found');
    ok('worker-1', 'kubectl delete priorityclass kubeocean-default --ignore-not-found');
    const one =
      '--set manager.replicas=1 --set syncer.replicas=1 --set proxier.replicas=1 --set proxier.servingCertificate=csr';
    ok('computing', `helm upgrade kubeocean charts/kubeocean --reset-values ${one}`);
    ok('worker-1', 'helm upgrade kubeocean-worker charts/kubeocean-worker --reset-values --set agent.replicas=1');
    const told = await waitFor(
      'the binding says ForeignState',
      () => {
        const ready = conditionOf('computing', `cb ${BINDING}`, 'Ready');
        return ready?.reason === 'ForeignState' && ready;
      },
      slow,
    );
    expect(told.message).toContain(`kubeocean adopt ${BINDING}`);
    const policy = await waitFor(
      'the policy says ForeignState',
      () => conditionOf('worker-1', 'rlp example-policy', 'ForeignState'),
      slow,
    );
    expect(policy.message).toMatch(/4 pods .* left alone .*kubeocean adopt/);
    expect(everything()).toEqual(before);
    expect(json('computing', `deploy -n ${SYSTEM} kubeocean-syncer-${CLUSTER_ID}`).metadata.labels).not.toHaveProperty(
      'kubeocean.io/managed-by',
    );
  }, 300_000);

  it('and when only the vnodes are left of it, they are left alone too, and have no second beside them', async () => {
    ok(
      'computing',
      `kubectl -n ${SYSTEM} delete deployment kubeocean-syncer-${CLUSTER_ID} kubeocean-proxier-${CLUSTER_ID} --ignore-not-found`,
    );
    const told = await waitFor(
      'the syncer says ForeignState',
      () => conditionOf('computing', `cb ${BINDING}`, 'ForeignState'),
      slow,
    );
    expect(told).toMatchObject({ status: 'True', reason: 'ForeignVnodes' });
    expect(told.message).toContain(VNODE);
    const vnodes = json<{ items: Pod[] }>('computing', 'node -l type=virtual-kubelet').items;
    expect(vnodes.map(({ metadata }) => metadata.name)).toEqual([VNODE]);
    expect(everything()).toEqual(before);
  }, 240_000);
});

describe('kubeocean adopt', () => {
  it('tells what it would do, and does nothing', () => {
    const version = json('computing', `node ${VNODE}`).metadata.labels;
    const { stdout, stderr, status } = adopt();
    expect(status, stderr).toBe(0);
    expect(stdout).toContain('worker: patch 3 Pod: goes on as it is, followed by our syncer');
    expect(stdout).toContain(`computing: patch 1 Node: becomes a vnode of this binding\n    ${VNODE}`);
    expect(stdout).toContain('has no counterpart in the computing cluster any more');
    expect(stdout).toMatch(/^Computing cluster https:\S+, worker cluster https:/);
    // The token in the binding's Secret is of an account of this worker.
    expect(stdout).not.toContain('Look at this');
    expect(stdout).toContain('Nothing was changed; to do it: the same with --yes');
    expect(json('computing', `node ${VNODE}`).metadata.labels).toEqual(version);
  });

  it.each([
    ['no such binding', 'adopt nobody', /clusterbindings.* "nobody" not found/],
    ['one cluster only', `adopt ${BINDING} --kubeconfig x`, /both clusters are needed/],
  ])('refuses %s', (_, command, words) => {
    const { status, stderr } = kubeocean(command, command.includes('--kubeconfig') ? '' : BOTH);
    expect(status).toBe(1);
    expect(stderr).toMatch(words);
  });

  it('takes over vnode and running pods: the binding is Ready, no container was started again', async () => {
    const { stdout, stderr, status } = adopt('--yes');
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(/taken over from gocrane\/kubeocean|nothing of gocrane/);
    await waitFor(
      'the binding Ready',
      () => conditionOf('computing', `cb ${BINDING}`, 'Ready')?.status === 'True',
      slow,
    );
    await waitFor('the vnode Ready', () => conditionOf('computing', `node ${VNODE}`, 'Ready')?.status === 'True', slow);
    await waitFor(
      'the condition is off',
      () => conditionOf('computing', `cb ${BINDING}`, 'ForeignState')?.status === 'False',
      slow,
    );
    const { labels, annotations } = json('computing', `node ${VNODE}`).metadata;
    expect(labels).toMatchObject({ mine: 'kept', type: 'virtual-kubelet' });
    await waitFor(
      "the worker node's old label is gone",
      () => !('from-worker' in (json('computing', `node ${VNODE}`).metadata.labels ?? {})),
      slow,
    );
    expect(annotations).not.toHaveProperty('kubeocean.io/expected-metadata');
    expect(everything()).toEqual(before);
    const again = adopt('--yes');
    expect(again.stdout).toContain('nothing of gocrane/kubeocean is left to take over');
  }, 300_000);

  it('their logs and commands go through, and their user sees them run', async () => {
    await waitFor(
      'a command runs in an adopted pod',
      () => bash('computing', 'timeout 3 kubectl exec alone -- true').status === 0,
      slow,
    );
    expect(ok('computing', 'kubectl logs alone')).toBe('began once\n');
    for (const pod of pods('computing', '-l app=moved')) expect(pod.status?.phase, pod.metadata.name).toBe('Running');
    const kept = `${MOUNT}/${migratedWorkerName('default', 'alone')}`;
    expect(kubeocean('explain pod alone').stdout).toContain(`Its counterpart in the worker: ${kept}, Running`);
  }, 150_000);

  it('pods that come later run beside them; deleted ones go in the worker, too', async () => {
    ok('computing', 'kubectl scale deployment moved --replicas=3');
    await waitFor(
      'a third runs',
      () => pods('computing', '-l app=moved').filter(({ status }) => status?.phase === 'Running').length === 4,
      slow,
    );
    expect(everything()).toEqual(expect.arrayContaining(before));
    ok('computing', 'kubectl delete pod alone --timeout=60s --ignore-not-found');
    ok('computing', 'kubectl delete deployment moved --timeout=60s --ignore-not-found');
    await waitFor('home has none', () => pods('computing', '-l app=moved').length === 0, slow);
    const left = await waitFor(
      'the worker has only what nobody asked for',
      () => {
        const found = pods('worker-1', `-n ${MOUNT}`).map(({ metadata }) => metadata.annotations);
        return found.length === 1 && found;
      },
      slow,
    );
    expect(left[0]).toMatchObject({ 'kubeocean.io/virtual-pod-name': 'forgotten' });
  }, 240_000);

  it('nothing hangs on finalizers that nobody would take off', () => {
    ok('computing', 'kubectl delete cm settings --timeout=30s --ignore-not-found');
    ok('computing', `kubectl delete cb ${BINDING} --timeout=90s --ignore-not-found`);
    ok('worker-1', 'kubectl delete rlp example-policy --timeout=30s --ignore-not-found');
    expect(ok('computing', 'kubectl get node -l type=virtual-kubelet -o name')).toBe('');
  }, 200_000);
});
