/**
 * Two API servers with the charts' kinds, an agent, and what a syncer would have written: node1 is lent to a binding, node2
 * is its owner's own, a native pod takes 2 of node1's 8 processors.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  Annotation,
  claimName,
  type ClusterBinding,
  ClusterBindings,
  Label,
  type LeasedNode,
  LeasedNodes,
  ResourceLeasingPolicies,
  type ResourceLeasingPolicySpec,
} from '@kubeocean/shared/api';
import { type KubeClient, type KubeObject, Leases, microTime, Nodes, Pods } from '@kubeocean/shared/kube';
import {
  type ApiServer,
  applyChart,
  type RunningProcess,
  startApiServer,
  startProcess,
  waitFor,
} from '../harness/index.ts';

export const mount = 'kubeocean-worker';
export const binding = 'example-cluster';
const clusterID = 'cls-example';
export const vnode = `vnode-${clusterID}-node1`;

export interface World {
  homeServer: ApiServer;
  workerServer: ApiServer;
  home: KubeClient;
  worker: KubeClient;
  agent: RunningProcess;
  bindingUID: string;
}

/** Made in a hook; all goes with the file. */
export async function createWorld(): Promise<World> {
  const [homeServer, workerServer] = await Promise.all([startApiServer(), startApiServer()]);
  const [home, worker] = [homeServer.client(), workerServer.client()];
  await Promise.all([
    applyChart(homeServer, 'kubeocean', 'manager.replicas=0'),
    applyChart(workerServer, 'kubeocean-worker', 'agent.replicas=0', 'agent.timeZone=Asia/Shanghai'),
  ]);
  for (const name of ['node1', 'node2']) await createNode(worker, name, name === 'node1' ? 'worker' : 'own');
  const agent = startAgent(workerServer);
  const bindingUID = await createBinding(home);
  await writeClaim(worker);
  await createPolicy(worker, 'example-policy', {
    nodeSelector: selects('worker'),
    timeZone: 'UTC',
    timeWindows: [
      { start: '00:00', end: '23:58' },
      { start: '23:59', end: '23:59' },
    ],
    resourceLimits: [{ resource: 'cpu', quantity: '4', percent: 80 }],
  });
  await createPolicy(worker, 'later-policy', { nodeSelector: selects('worker') });
  await createPod(worker, 'default', 'native', 'node1', '2');
  await waitFor(
    'node1 lent',
    async () => {
      const { status } = await worker.get<LeasedNode>(LeasedNodes, mount, `${binding}.node1`);
      return status?.allocatable?.['cpu'] === '4';
    },
    { timeoutMs: 60_000 },
  );
  await createVnode(home, worker, bindingUID);
  return { homeServer, workerServer, home, worker, agent, bindingUID };
}

function startAgent({ folder, kubeconfig }: ApiServer): RunningProcess {
  const tenants = join(folder, 'tenants.json');
  writeFileSync(tenants, JSON.stringify([{ namespace: mount, serviceAccount: 'kubeocean-syncer', bindings: ['*'] }]));
  return startProcess('worker-agent', [
    `--kubeconfig=${kubeconfig}`,
    `--tenants-file=${tenants}`,
    '--leader-election-namespace=kubeocean-agent',
  ]);
}

function selects(role: string): NonNullable<ResourceLeasingPolicySpec['nodeSelector']> {
  return { nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubeocean.io/role', operator: 'In', values: [role] }] }] };
}

async function createNode(worker: KubeClient, name: string, role: string): Promise<void> {
  const amounts = { cpu: '8', memory: '32Gi', pods: '110' };
  await worker.create(Nodes, {
    metadata: { name, labels: { 'kubeocean.io/role': role } },
    spec: {},
    status: { capacity: amounts, allocatable: amounts },
  });
}

/** Gives its UID. */
async function createBinding(home: KubeClient): Promise<string> {
  const { metadata } = await home.create<ClusterBinding>(ClusterBindings, {
    metadata: { name: binding },
    spec: {
      clusterID,
      mountNamespace: mount,
      secretRef: { name: 'worker-cluster-kubeconfig', namespace: 'kubeocean-system' },
      nodeSelector: selects('worker'),
    },
  });
  return metadata.uid ?? '';
}

/** As the syncer claims. */
async function writeClaim(worker: KubeClient): Promise<void> {
  await worker.create(Leases, {
    metadata: {
      namespace: mount,
      name: claimName(binding),
      labels: { [Label.claim]: 'true', [Label.clusterBinding]: binding },
      annotations: {
        [Annotation.nodeSelector]: JSON.stringify(selects('worker')),
        [Annotation.clusterID]: clusterID,
      },
    },
    spec: { holderIdentity: 'home/binding', leaseDurationSeconds: 40, renewTime: microTime(new Date()) },
  });
}

async function createVnode(home: KubeClient, worker: KubeClient, bindingUID: string): Promise<void> {
  const { metadata } = await worker.get(Nodes, '', 'node1');
  await home.create(Nodes, {
    metadata: {
      name: vnode,
      labels: {
        [Label.clusterBinding]: binding,
        [Label.bindingUID]: bindingUID,
        [Label.physicalNodeName]: 'node1',
        [Label.physicalNodeUID]: metadata.uid ?? '',
      },
    },
    spec: { taints: [{ key: 'kubeocean.io/vnode', effect: 'NoSchedule' }] },
    status: {
      allocatable: { cpu: '4', memory: '32Gi', pods: '109' },
      conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'ready' }],
    },
  });
}

export async function createPolicy(
  worker: KubeClient,
  name: string,
  spec: Partial<ResourceLeasingPolicySpec>,
): Promise<void> {
  await worker.create(ResourceLeasingPolicies, { metadata: { name }, spec: { cluster: binding, ...spec } });
}

export async function createPod(
  client: KubeClient,
  namespace: string,
  name: string,
  nodeName: string,
  cpu: string,
  annotations: Record<string, string> = {},
): Promise<KubeObject> {
  return client.create(Pods, {
    metadata: { namespace, name, annotations },
    spec: {
      ...(nodeName && { nodeName }),
      automountServiceAccountToken: false,
      containers: [{ name: 'c', image: 'none', resources: { requests: { cpu } } }],
    },
  });
}
