/** One real node: containerd, kubelet and kube-proxy in a network namespace. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { ensureCgroup, weighPods } from './cgroups.ts';
import {
  certificateFolder,
  type Context,
  containerdSocket,
  kubeletFolder,
  nodeFolder,
  nodeRunFolder,
  onNode,
} from './context.ts';
import { ownKubeconfig, waitForComponent } from './control-plane.ts';
import { pauseImage } from './images.ts';
import { cniFolder, programPath } from './packages.ts';
import type { ClusterPlan, NodePlan } from './plan.ts';
import { type Component, ensureRunning } from './process.ts';
import { run } from './run.ts';

/** containerd's configuration (version 2, containerd 1.6 and 1.7). */
export function containerdConfig(folder: string, runFolder: string, cni: string): string {
  const text = JSON.stringify; // TOML's basic strings are JSON's.
  return `version = 2
root = ${text(join(folder, 'containerd'))}
state = ${text(join(runFolder, 'containerd'))}
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]

[grpc]
address = ${text(join(runFolder, 'containerd.sock'))}

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = ${text(pauseImage)}
stream_server_address = "127.0.0.1"
stream_server_port = "0"
netns_mounts_under_state_dir = true
# Without CAP_SYS_RESOURCE no process may lower its score, and every pod would fail with
# "can't get final child's PID from pipe: EOF".
restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = ${text(cni)}
conf_dir = ${text(join(folder, 'cni'))}

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
`;
}

/**
 * The pod network of a node. `ptp`, not `bridge`: every packet is then routed by the node, so that an answer passes
 * the connection table that a Service's translation needs, whether or not the kernel has br_netfilter.
 */
export function cniConfig(node: NodePlan, folder: string): string {
  const ipam = {
    type: 'host-local',
    dataDir: join(folder, 'ipam'),
    ranges: [[{ subnet: node.podRange }]],
    routes: [{ dst: '0.0.0.0/0' }],
  };
  const plugins = [
    { type: 'ptp', ipMasq: false, ipam },
    { type: 'portmap', capabilities: { portMappings: true }, snat: true },
  ];
  return `${JSON.stringify({ cniVersion: '0.4.0', name: node.netns, plugins }, undefined, 2)}\n`;
}

/** The kubelet's configuration (JSON is YAML). */
export function kubeletConfig(
  cluster: ClusterPlan,
  node: NodePlan,
  folder: string,
  pki: string,
  socket: string,
): string {
  const configuration = {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: join(pki, 'ca.crt') },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: join(pki, `kubelet-${node.name}-serving.crt`),
    tlsPrivateKeyFile: join(pki, `kubelet-${node.name}-serving.key`),
    clusterDNS: [cluster.dnsService],
    clusterDomain: 'cluster.local',
    resolvConf: join(folder, 'resolv.conf'),
    containerRuntimeEndpoint: `unix://${socket}`,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${node.cgroup}`,
    failCgroupV1: false,
    enforceNodeAllocatable: ['pods'],
    failSwapOn: false,
    oomScoreAdj: 0,
    podLogsDir: join(folder, 'pod-logs'),
    volumePluginDir: join(folder, 'volume-plugins'),
    // The disk and memory are the machine's: nothing here may decide that they are short.
    evictionHard: {
      'memory.available': '50Mi',
      'nodefs.available': '1%',
      'nodefs.inodesFree': '1%',
      'imagefs.available': '1%',
    },
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
  };
  return `${JSON.stringify(configuration, undefined, 2)}\n`;
}

/** containerd of a node, answering. */
export async function startContainerd(context: Context, node: NodePlan): Promise<void> {
  const { index } = context.plan;
  const [folder, runFolder] = [nodeFolder(index, node), nodeRunFolder(index, node)];
  for (const path of [folder, runFolder, join(folder, 'cni')]) mkdirSync(path, { recursive: true });
  const config = containerdConfig(folder, runFolder, cniFolder());
  const file = join(folder, 'containerd.toml');
  writeFileSync(file, config);
  writeFileSync(join(folder, 'cni/10-pods.conflist'), cniConfig(node, folder));
  const component: Component = {
    name: onNode('containerd', node),
    cluster: node.cluster,
    netns: node.netns,
    argv: [programPath('containerd'), '--config', file],
    inputs: [config],
  };
  await ensureRunning(context.supervisor, component);
  const ask = ['ctr', '--address', containerdSocket(index, node), '--connect-timeout', '1s', 'version'];
  await waitForComponent(context, component, 30_000, async () => (await run(ask, { anyExit: true })).status === 0);
}

/** kubelet and kube-proxy of a node; the API server must be ready. */
export async function startKubelet(context: Context, cluster: ClusterPlan, node: NodePlan): Promise<void> {
  const { index } = context.plan;
  const folder = nodeFolder(index, node);
  ensureCgroup(node.cgroup);
  weighPods(context.plan.cgroup);
  writeFileSync(join(folder, 'resolv.conf'), '# The cluster DNS answers everything; there is nothing beyond it.\n');
  const config = kubeletConfig(cluster, node, folder, certificateFolder(index, cluster), containerdSocket(index, node));
  const file = join(folder, 'kubelet.json');
  writeFileSync(file, config);
  await ensureRunning(context.supervisor, {
    name: onNode('kubelet', node),
    cluster: node.cluster,
    netns: node.netns,
    argv: [
      context.programs.kubernetes,
      'kubelet',
      `--config=${file}`,
      `--kubeconfig=${ownKubeconfig(context, cluster, `kubelet-${node.name}`)}`,
      `--root-dir=${kubeletFolder(index, node)}`,
      `--cert-dir=${join(folder, 'kubelet-certificates')}`,
      `--hostname-override=${node.name}`,
      `--node-ip=${node.address}`,
    ],
    inputs: [config],
  });
  await ensureRunning(context.supervisor, {
    name: onNode('kube-proxy', node),
    cluster: node.cluster,
    netns: node.netns,
    argv: [
      context.programs.kubernetes,
      'kube-proxy',
      `--kubeconfig=${ownKubeconfig(context, cluster, 'kube-proxy')}`,
      `--hostname-override=${node.name}`,
      `--cluster-cidr=${cluster.podRange}`,
      '--proxy-mode=nftables',
      '--conntrack-max-per-core=0',
      '--oom-score-adj=0',
    ],
  });
}
