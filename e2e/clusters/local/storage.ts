/**
 * Storage of a worker cluster: rancher's local-path-provisioner, as worker clusters really have it. It runs beside the
 * control plane and makes volumes by helper pods, in a folder of each node, or in one that all nodes share.
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { kubeconfigPath } from '../paths.ts';
import { ensureProgram } from '../programs.ts';
import type { Progress } from '../progress.ts';
import { adminApi, type Api } from './api.ts';
import { daemonsCgroup } from './cgroups.ts';
import { certificateFolder, clusterFolder, nodeFolder, supervisorFor } from './context.ts';
import { shellImages } from './images.ts';
import type { ClusterPlan } from './plan.ts';
import { ensureRunning } from './process.ts';
import { runningPlan } from './provider.ts';

const namespace = 'local-path-storage';
const configMap = 'local-path-config';
const provisioner = 'rancher.io/local-path';

/** StorageClasses that it serves: volumes of one node, and volumes of all. */
export const storageClasses = { node: 'local-path', shared: 'shared-path' } as const;

/** What the helper pods run. */
const scripts = {
  setup: '#!/bin/sh\nset -eu\nmkdir -m 0777 -p "$VOL_DIR"\n',
  teardown: '#!/bin/sh\nset -eu\nrm -rf "$VOL_DIR"\n',
};

function helperPod(image: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'helper-pod' },
    spec: {
      terminationGracePeriodSeconds: 0,
      tolerations: [{ operator: 'Exists' }],
      containers: [{ name: 'helper-pod', image, imagePullPolicy: 'IfNotPresent' }],
    },
  };
}

/** Starts it in one worker cluster of the running set, or finds it running. Builds it when it never was: some 90 s. */
export async function startStorage(name: string, progress: Progress): Promise<void> {
  const { claim, plan } = runningPlan();
  const cluster = plan.clusters.find((each) => each.name === name);
  if (!cluster) throw new Error(`no cluster ${name} runs`);
  const program = await ensureProgram('local-path', claim.root, progress);
  const folder = clusterFolder(plan.index, cluster);
  const shared = join(folder, 'shared-path');
  mkdirSync(shared, { recursive: true });
  const image = shellImages[0]!;
  const config = JSON.stringify({
    storageClassConfigs: {
      [storageClasses.node]: {
        nodePathMap: cluster.nodes.map((node) => ({
          node: node.name,
          paths: [join(nodeFolder(plan.index, node), 'local-path')],
        })),
      },
      [storageClasses.shared]: { sharedFileSystemPath: shared },
    },
  });
  const file = join(folder, 'local-path.json');
  const helper = join(folder, 'local-path-helper.json');
  writeFileSync(file, config);
  writeFileSync(helper, JSON.stringify(helperPod(image)));
  const api = adminApi(cluster, certificateFolder(plan.index, cluster));
  await applyStorage(api).finally(() => api.close());
  await ensureRunning(supervisorFor(claim, daemonsCgroup(plan.cgroup)), {
    name: 'local-path',
    cluster: cluster.name,
    netns: firstNode(cluster),
    argv: [
      program,
      'start',
      `--kubeconfig=${kubeconfigPath(cluster.name, claim.root)}`,
      `--config=${file}`,
      `--provisioner-name=${provisioner}`,
      `--namespace=${namespace}`,
      `--configmap-name=${configMap}`,
      `--helper-image=${image}`,
      `--helper-pod-file=${helper}`,
      '--service-account-name=default',
    ],
    inputs: [config],
  });
  progress(`${cluster.name}: storage classes ${Object.values(storageClasses).join(', ')}`);
}

function firstNode(cluster: ClusterPlan): string {
  return cluster.nodes[0]!.netns;
}

async function applyStorage(api: Api): Promise<void> {
  await api.apply(`/api/v1/namespaces/${namespace}`, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: namespace },
  });
  await api.apply(`/api/v1/namespaces/${namespace}/configmaps/${configMap}`, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: configMap, namespace },
    data: scripts,
  });
  for (const name of Object.values(storageClasses)) {
    await api.apply(`/apis/storage.k8s.io/v1/storageclasses/${name}`, {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name },
      provisioner,
      volumeBindingMode: 'WaitForFirstConsumer',
      reclaimPolicy: 'Delete',
      // It does not enlarge by itself; what is asked of it is seen, and somebody else may.
      allowVolumeExpansion: true,
    });
  }
}
