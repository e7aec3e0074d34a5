/** Hollow nodes: Node objects that kwok keeps alive, whose pods it shows running. For load tests. */

import type { Api } from './api.ts';
import type { Context } from './context.ts';
import { ownKubeconfig } from './control-plane.ts';
import { type ClusterPlan, hollowNodeName } from './plan.ts';
import { ensureRunning } from './process.ts';

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
  };
}

const size = { cpu: '32', memory: '256Gi', pods: '1000', 'ephemeral-storage': '1Ti' };

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
  for (let n = 1; n <= cluster.hollow; n++) {
    const node = hollowNode(n);
    const answer = await api.send('POST', '/api/v1/nodes', node);
    if (answer.status === 409) continue;
    if (answer.status !== 201) throw new Error(`creating ${hollowNodeName(n)} in ${cluster.name}: ${answer.text}`);
    await api.send(
      'PATCH',
      `/api/v1/nodes/${hollowNodeName(n)}/status`,
      { status: { capacity: size, allocatable: size } },
      'application/strategic-merge-patch+json',
    );
  }
}
