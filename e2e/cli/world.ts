/**
 * Two API servers with the charts' kinds, an agent, and what a syncer would have written: node1 is lent to a binding, node2
 * is its owner's own, a native pod takes 2 of node1's 8 processors.
 */
import { Annotation, type ClusterBinding, ClusterBindings, Label } from '@kubeocean/shared/api';
import { type KubeClient, type KubeObject, Nodes, type ObjectMeta, Pods } from '@kubeocean/shared/kube';
import { type ApiServer, applyChart, type RunningProcess, startApiServer } from '../harness/index.ts';
import { becomes, binding, mount, PlainCluster, selectsWorkers } from '../worker-agent/plain.ts';

const clusterID = 'cls-example';
export const vnode = `vnode-${clusterID}-node1`;

export interface World {
  homeServer: ApiServer;
  home: KubeClient;
  worker: PlainCluster;
  agent: RunningProcess;
  bindingUID: string;
}

/** Made in a hook; all goes with the file. */
export async function createWorld(): Promise<World> {
  const worker = new PlainCluster();
  const [homeServer] = await Promise.all([startApiServer(), worker.setUp('agent.timeZone=Asia/Shanghai')]);
  const home = homeServer.client();
  await applyChart(homeServer, 'kubeocean', 'manager.replicas=0');
  await worker.client.patch(Nodes, '', 'node2', { metadata: { labels: { 'kubeocean.io/role': 'own' } } });
  const agent = await worker.startAgent('agent');
  const bindingUID = await createBinding(home);
  await worker.createClaim({ [Annotation.clusterID]: clusterID });
  await worker.createPolicy('example-policy', {
    timeZone: 'UTC',
    timeWindows: [
      { start: '00:00', end: '23:58' },
      { start: '23:59', end: '23:59' },
    ],
    resourceLimits: [{ resource: 'cpu', quantity: '4', percent: 80 }],
  });
  await worker.createPolicy('later-policy');
  await createPod(worker.client, 'default', 'native', 'node1', '2');
  // By the number of pods: the first look may have come before the native pod, and lends as much cpu.
  await becomes(() => worker.record(), { status: { allocatable: { cpu: '4', pods: '109' } } });
  await createVnode(home, worker.client, bindingUID);
  return { homeServer, home, worker, agent, bindingUID };
}

/** Gives its UID. */
async function createBinding(home: KubeClient): Promise<string> {
  const { metadata } = await home.create<ClusterBinding>(ClusterBindings, {
    metadata: { name: binding },
    spec: {
      clusterID,
      mountNamespace: mount,
      secretRef: { name: 'worker-cluster-kubeconfig', namespace: 'kubeocean-system' },
      nodeSelector: selectsWorkers,
    },
  });
  return metadata.uid ?? '';
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

export async function createPod(
  client: KubeClient,
  namespace: string,
  name: string,
  nodeName: string,
  cpu: string,
  marks: Pick<ObjectMeta, 'annotations' | 'labels'> = {},
): Promise<KubeObject> {
  return client.create(Pods, {
    metadata: { namespace, name, ...marks },
    spec: {
      ...(nodeName && { nodeName }),
      automountServiceAccountToken: false,
      containers: [{ name: 'c', image: 'none', resources: { requests: { cpu } } }],
    },
  });
}
