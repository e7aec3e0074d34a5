/** Hollow nodes: Node objects that kwok keeps alive, whose pods it shows running. For load tests. */

import type { Api } from './api.ts';
import type { Context } from './context.ts';
import { ownKubeconfig } from './control-plane.ts';
import { type ClusterPlan, hollowNodeName } from './plan.ts';
import { ensureRunning } from './process.ts';

const size = { cpu: '32', memory: '256Gi', pods: '1000', 'ephemeral-storage': '1Ti' };

/** The object of hollow node number `n`. The taint keeps off pods that did not ask for it. */
export function hollowNode(n: number): Record<string, unknown> {
  const name = hollowNodeName(n);
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: {
        type: 'kwok',
        'kubernetes.io/hostname': name,
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': 'amd64',
      },
      annotations: { 'kwok.x-k8s.io/node': 'fake' },
    },
    spec: { taints: [{ key: 'kwok.x-k8s.io/node', value: 'fake', effect: 'NoSchedule' }] },
    status: { capacity: size, allocatable: size },
  };
}

export async function startHollowNodes(context: Context, cluster: ClusterPlan, api: Api): Promise<void> {
  if (cluster.hollow === 0) return;
  const first = cluster.nodes[0]!;
  await ensureRunning(context.supervisor, {
    name: 'kwok',
    cluster: cluster.name,
    netns: first.netns,
    argv: [
      context.programs.kwok!,
      `--kubeconfig=${ownKubeconfig(context, cluster, 'admin')}`,
      '--manage-nodes-with-label-selector=type=kwok',
      '--node-lease-duration-seconds=40',
      `--node-ip=${first.address}`,
      '--node-port=10247',
      `--cidr=${cluster.hollowPodRange}`,
    ],
  });
  let next = 1;
  const create = async (): Promise<void> => {
    for (let n = next++; n <= cluster.hollow; n = next++) {
      const answer = await api.send('POST', '/api/v1/nodes', hollowNode(n));
      if (answer.status !== 201 && answer.status !== 409) {
        throw new Error(`creating ${hollowNodeName(n)} in ${cluster.name}: ${answer.status} ${answer.text}`);
      }
    }
  };
  await Promise.all(Array.from({ length: 8 }, create));
}
