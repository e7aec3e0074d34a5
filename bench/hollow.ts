/**
 * Hollow nodes on both sides: Node objects that kwok keeps alive and whose pods it shows running. Their pods end as on a
 * real kubelet: kwok's own stages strip finalizers, which no kubelet does, so these stages do not.
 */
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type KubeClient, type KubeObject, Nodes, isAlreadyExists, isNotFound } from '@kubeocean/shared/kube';
import { waitFor } from '../e2e/clusters/local/run.ts';
import { type Child, startChild } from '../e2e/harness/child.ts';
import { freePort } from '../e2e/harness/ports.ts';
import { BENCH_LABEL, groupLabel, HOLLOW_TYPE, NOT_LENT } from './pods.ts';

const SIZE = { cpu: '4000', memory: '16Ti', pods: '25000', 'ephemeral-storage': '1Ti' };

function hollowNode(name: string, group: string): KubeObject {
  return {
    metadata: {
      name,
      labels: {
        type: HOLLOW_TYPE,
        [BENCH_LABEL]: group,
        'kubernetes.io/hostname': name,
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': 'amd64',
      },
      annotations: { 'kwok.x-k8s.io/node': 'fake' },
    },
    spec: { taints: [{ key: 'kwok.x-k8s.io/node', value: 'fake', effect: 'NoSchedule' }] },
    status: { capacity: SIZE, allocatable: SIZE },
  };
}

/**
 * Makes exactly `count` hollow nodes of no group, for the pods that the generator writes itself, and, where `groups` is
 * not 0, as many in so many groups, to be lent. Lent nodes would have the agent recompute for each of the generator's own
 * pods what is left, which is no part of a direct write. Those of an earlier run go.
 */
export async function makeHollowNodes(client: KubeClient, count: number, groups: number): Promise<void> {
  await removeHollowNodes(client);
  for (let n = 0; n < count; n++) {
    const number = String(n).padStart(3, '0');
    const nodes = [hollowNode(`bench-own-${number}`, NOT_LENT)];
    if (groups > 0) nodes.push(hollowNode(`bench-${number}`, groupLabel(n % groups)));
    for (const node of nodes) {
      await client.create(Nodes, node).catch((error: unknown) => {
        if (!isAlreadyExists(error)) throw error;
      });
    }
  }
}

export async function removeHollowNodes(client: KubeClient): Promise<void> {
  const { items } = await client.list<KubeObject>(Nodes, { labelSelector: `type=${HOLLOW_TYPE}` });
  for (const { metadata } of items) {
    await client.delete(Nodes, '', metadata.name).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }
}

const NODE_STATUS = `
      {{ $now := Now }}
      conditions:
      - type: Ready
        status: "True"
        reason: KubeletReady
        message: kwok plays the kubelet
        lastHeartbeatTime: {{ $now | Quote }}
        lastTransitionTime: {{ .metadata.creationTimestamp | Quote }}
      addresses:
      - {type: InternalIP, address: {{ NodeIP | Quote }}}
      - {type: Hostname, address: {{ NodeName | Quote }}}
      daemonEndpoints: {kubeletEndpoint: {Port: {{ NodePort }}}}
      nodeInfo: {architecture: amd64, operatingSystem: linux, kubeletVersion: kwok}
`;

/** A stage that writes the status of nodes whose condition Ready is, or is not, True. */
function nodeStage(name: string, operator: string, delay: string): string {
  return `apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {name: ${name}}
spec:
  resourceRef: {apiGroup: v1, kind: Node}
  selector:
    matchExpressions:
      - {key: '.status.conditions.[] | select( .type == "Ready" ) | .status', operator: ${operator}, values: ["True"]}
${delay}  next:
    statusTemplate: |${NODE_STATUS}---
`;
}

/**
 * How kwok plays a kubelet: nodes Ready at once, which say so by Leases and write their status every five minutes (kwok's
 * own stages do it every twenty seconds); pods Running and Ready at once; a deleted pod ends at once and keeps its finalizers.
 */
const STAGES = `apiVersion: config.kwok.x-k8s.io/v1alpha1
kind: KwokConfiguration
options:
  podPlayStageParallelism: 16
---
${nodeStage('node-ready', 'NotIn', '')}${nodeStage(
  'node-status',
  'In',
  '  delay: {durationMilliseconds: 300000, jitterDurationMilliseconds: 310000}\n',
)}apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {name: pod-ready}
spec:
  resourceRef: {apiGroup: v1, kind: Pod}
  selector:
    matchExpressions:
      - {key: .metadata.deletionTimestamp, operator: DoesNotExist}
      - {key: .status.podIP, operator: DoesNotExist}
  next:
    statusTemplate: |
      {{ $now := Now }}
      conditions:
      - {type: Initialized, status: "True", lastTransitionTime: {{ $now | Quote }}}
      - {type: Ready, status: "True", lastTransitionTime: {{ $now | Quote }}}
      - {type: ContainersReady, status: "True", lastTransitionTime: {{ $now | Quote }}}
      containerStatuses:
      {{ range .spec.containers }}
      - name: {{ .name | Quote }}
        image: {{ .image | Quote }}
        ready: true
        restartCount: 0
        state: {running: {startedAt: {{ $now | Quote }}}}
      {{ end }}
      hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
      podIP: {{ PodIPWith .spec.nodeName ( or .spec.hostNetwork false ) ( or .metadata.uid "" ) ( or .metadata.name "" ) ( or .metadata.namespace "" ) | Quote }}
      phase: Running
      startTime: {{ $now | Quote }}
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {name: pod-delete}
spec:
  resourceRef: {apiGroup: v1, kind: Pod}
  selector:
    matchExpressions:
      - {key: .metadata.deletionTimestamp, operator: Exists}
      # Deleted with a grace: nothing of it runs any more once the grace is 0, even if a finalizer keeps the object.
      - {key: .metadata.deletionGracePeriodSeconds > 0, operator: In, values: ["true"]}
  next: {delete: true}
`;

function listens(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(port, '127.0.0.1', () => resolve(true));
  socket.once('error', () => resolve(false));
  return promise.finally(() => socket.destroy());
}

/**
 * Starts kwok for one cluster; it ends with this process, whatever happens to it.
 * @throws Error in kwok's own words when it ends instead.
 */
export async function startKwok(program: string, kubeconfig: string, folder: string, cidr: string): Promise<Child> {
  const config = join(folder, 'kwok.yaml');
  writeFileSync(config, STAGES);
  const port = await freePort();
  const kwok = startChild([
    program,
    `--kubeconfig=${kubeconfig}`,
    `--config=${config}`,
    `--manage-nodes-with-label-selector=type=${HOLLOW_TYPE}`,
    '--node-lease-duration-seconds=40',
    '--node-ip=127.0.0.1',
    `--node-port=${port}`,
    `--cidr=${cidr}`,
    '--v=ERROR',
  ]);
  await waitFor(`kwok of ${kubeconfig}`, 60_000, async () =>
    kwok.exit !== undefined || (await listens(port)) ? true : undefined,
  );
  if (kwok.exit !== undefined)
    throw new Error(`${program} ended with ${kwok.exit}: ${kwok.lines.slice(-3).join('; ')}`);
  return kwok;
}
