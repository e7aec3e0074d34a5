/**
 * What the processes of gocrane/kubeocean leave of one binding with pods that run, written by hand: the names, labels,
 * annotations and finalizers are those of its release v0.1.1.
 */
import { Annotation, Label, migratedWorkerName } from '@kubeocean/shared/api';
import type { KubeObject } from '@kubeocean/shared/kube';
import { bash } from '../../scripts/tutorial.ts';
import { waitFor } from '../harness/index.ts';

export const BINDING = 'example-cluster';
export const CLUSTER_ID = 'cls-example';
export const NODE = 'node1';
export const VNODE = `vnode-${CLUSTER_ID}-${NODE}`;
export const MOUNT = 'kubeocean-worker';
export const SYSTEM = 'kubeocean-system';

type Cluster = 'computing' | 'worker-1';
export type Pod = KubeObject & {
  spec: { nodeName?: string };
  status?: {
    phase?: string;
    podIP?: string;
    startTime?: string;
    conditions?: { type: string; status: string }[];
    containerStatuses?: { containerID?: string; restartCount: number }[];
  };
};

/** @throws Error with what the command said when it fails */
export function ok(cluster: Cluster, command: string): string {
  const { stdout, stderr, status } = bash(cluster, command);
  if (status !== 0) throw new Error(`${command}: exit code ${status}: ${stdout}${stderr}`);
  return stdout;
}

export function apply(cluster: Cluster, ...objects: object[]): void {
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
  ok(cluster, `kubectl apply -f - <<'LIST'\n${list}\nLIST`);
}

function patchStatus(cluster: Cluster, what: string, status: object): void {
  const patch = JSON.stringify({ status });
  ok(cluster, `kubectl patch ${what} --subresource=status --type=merge -p '${patch}'`);
}

export function json<T = KubeObject>(cluster: Cluster, what: string): T {
  return JSON.parse(ok(cluster, `kubectl get ${what} -o json`)) as T;
}

export function pods(cluster: Cluster, selection: string): Pod[] {
  return json<{ items: Pod[] }>(cluster, `pod ${selection}`).items;
}

/** Kinds outlive our charts; what is installed next brings its own. */
export function removeKinds(): void {
  const kinds = ['clusterbindings', 'resourceleasingpolicies', 'leasednodes', 'leaseguards'];
  for (const cluster of ['computing', 'worker-1'] as const) {
    const names = kinds.map((kind) => `crd/${kind}.cloud.tencent.com`).join(' ');
    bash(cluster, `kubectl delete ${names} --ignore-not-found --timeout=60s`);
  }
}

/** Kubernetes' conditions and resources of a Node that works. */
const NODE_STATUS = {
  capacity: { cpu: '2', memory: '1Gi', pods: '20' },
  allocatable: { cpu: '2', memory: '1Gi', pods: '20' },
  conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'copied' }],
};

/** Binding, policy, processes and vnode, as they are before a pod comes. */
export function leaveBinding(): void {
  const bound = json('computing', `cb ${BINDING}`);
  const owner = {
    apiVersion: 'cloud.tencent.com/v1beta1',
    kind: 'ClusterBinding',
    name: BINDING,
    uid: bound.metadata.uid,
    controller: true,
    blockOwnerDeletion: true,
  };
  const finalizers = ['kubeocean.io/clusterbinding-manager', 'kubeocean.io/clusterbinding-syncer'];
  ok('computing', `kubectl patch cb ${BINDING} --type=merge -p '${JSON.stringify({ metadata: { finalizers } })}'`);
  const at = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  const told = { status: 'True', reason: 'ValidationPassed', message: 'ready', lastTransitionTime: at };
  const conditions = ['Ready', 'Connected', 'SyncerReady', 'ProxierReady'].map((type) => ({ type, ...told }));
  patchStatus('computing', `cb ${BINDING}`, { phase: 'Ready', lastSyncTime: at, conditions });
  const process = (name: string, component: string) => {
    const labels = { 'app.kubernetes.io/name': `kubeocean-${component}`, 'k8s-app': name };
    const container = { name: component, image: 'busybox:1.36', command: ['sleep', 'infinity'] };
    return {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace: SYSTEM, labels: { [Label.clusterBinding]: BINDING }, ownerReferences: [owner] },
      spec: {
        replicas: 1,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { terminationGracePeriodSeconds: 1, containers: [container] } },
      },
    };
  };
  const identity = {
    [Label.managedBy]: 'kubeocean',
    [Label.clusterBinding]: BINDING,
    [Label.physicalClusterID]: CLUSTER_ID,
    [Label.physicalNodeName]: NODE,
    [Label.policyApplied]: 'example-policy',
    'kubeocean.io/proxier_port': '41234',
    type: 'virtual-kubelet',
    'kubernetes.io/hostname': VNODE,
  };
  const copied = { 'from-worker': 'long-ago' };
  const expected = Buffer.from(JSON.stringify({ labels: { ...identity, ...copied }, annotations: {} }));
  apply(
    'computing',
    process(`kubeocean-syncer-${CLUSTER_ID}`, 'syncer'),
    process(`kubeocean-proxier-${CLUSTER_ID}`, 'proxier'),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: `kubeocean-proxier-${CLUSTER_ID}-svc`, namespace: SYSTEM, ownerReferences: [owner] },
      spec: { selector: { none: 'here' }, ports: [{ port: 10250 }] },
    },
    // Its proxier has one made by itself; nobody owns it.
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: `${CLUSTER_ID}-logs-proxy-tls`, namespace: SYSTEM } },
    {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: {
        name: VNODE,
        labels: { ...identity, ...copied, mine: 'kept' },
        annotations: {
          'kubeocean.io/last-sync-time': at,
          'kubeocean.io/expected-metadata': expected.toString('base64'),
        },
        finalizers: ['kubeocean.io/vnode'],
      },
      spec: { taints: [{ key: 'kubeocean.io/vnode', effect: 'NoSchedule' }] },
    },
  );
  patchStatus('computing', `node ${VNODE}`, NODE_STATUS);
  apply('worker-1', {
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name: 'kubeocean-default', labels: { [Label.managedBy]: 'kubeocean' } },
    value: -10000,
    description: 'made by the syncer',
  });
  const patch = { metadata: { finalizers: ['policy.kubeocean.io/finalizer'] } };
  ok('worker-1', `kubectl patch rlp example-policy --type=merge -p '${JSON.stringify(patch)}'`);
  ok('worker-1', `kubectl label node ${NODE} ${Label.policyApplied}=example-policy --overwrite`);
}

/** A pod of the mount namespace as its syncer makes it. */
export function counterpart(namespace: string, name: string, uid: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: migratedWorkerName(namespace, name),
      namespace: MOUNT,
      labels: { [Label.managedBy]: 'kubeocean', [Label.virtualNamespace]: namespace, app: 'moved' },
      annotations: {
        [Annotation.virtualPodNamespace]: namespace,
        [Annotation.virtualPodName]: name,
        [Annotation.virtualPodUID]: uid,
        [Annotation.virtualNodeName]: VNODE,
      },
    },
    spec: {
      nodeName: NODE,
      priorityClassName: 'kubeocean-default',
      terminationGracePeriodSeconds: 1,
      automountServiceAccountToken: false,
      containers: [
        {
          name: 'main',
          image: 'busybox:1.35',
          command: ['sh', '-c', 'echo "began once"; exec sleep infinity'],
          resources: { requests: { cpu: '10m' } },
        },
      ],
    },
  };
}

/** Runs every home pod of the selection that is on the vnode, and shows it at home. */
export async function runPods(selection: string, count: number): Promise<void> {
  const home = await waitFor(
    `${count} pods on ${VNODE}`,
    () => {
      const found = pods('computing', selection).filter(({ spec }) => spec.nodeName === VNODE);
      return found.length === count && found;
    },
    { timeoutMs: 60_000 },
  );
  apply(
    'worker-1',
    ...home.map(({ metadata: { namespace = '', name, uid = '' } }) => counterpart(namespace, name, uid)),
  );
  for (const { metadata } of home) {
    const { namespace = '', name } = metadata;
    const worker = await waitFor(
      `the worker pod of ${name} running`,
      () => {
        const found = json<Pod>('worker-1', `pod -n ${MOUNT} ${migratedWorkerName(namespace, name)}`);
        return found.status?.phase === 'Running' && found;
      },
      { timeoutMs: 90_000 },
    );
    const annotations = {
      [Annotation.physicalPodNamespace]: MOUNT,
      [Annotation.physicalPodName]: worker.metadata.name,
      [Annotation.physicalPodUID]: worker.metadata.uid,
    };
    const patch = JSON.stringify({ metadata: { annotations } });
    ok('computing', `kubectl -n ${namespace} patch pod ${name} --type=merge -p '${patch}'`);
    patchStatus('computing', `pod -n ${namespace} ${name}`, worker.status ?? {});
  }
}
