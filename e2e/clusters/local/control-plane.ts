/** One cluster's control plane: etcd, API server, controller-manager, scheduler, all in the first node's namespace. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { type Api, adminApi } from './api.ts';
import { type Context, certificateFolder, clusterFolder } from './context.ts';
import { kubeconfig } from './pki.ts';
import type { ClusterPlan } from './plan.ts';
import { type Component, ensureRunning, isAlive, logTail, readRecord } from './process.ts';
import { waitFor } from './run.ts';

export type ControlPlanePart = 'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler';

/** A kubeconfig for one of the cluster's own processes; returns the file. */
export function ownKubeconfig(context: Context, cluster: ClusterPlan, certificate: string): string {
  const certificates = certificateFolder(context.plan.index, cluster);
  const file = join(clusterFolder(context.plan.index, cluster), `${certificate}.kubeconfig`);
  writeFileSync(file, kubeconfig(cluster, certificates, certificate), { mode: 0o600 });
  return file;
}

function flags(values: Record<string, string | number | boolean>): string[] {
  return Object.entries(values).map(([name, value]) => `--${name}=${value}`);
}

/** How a part of the control plane is started. */
export function controlPlanePart(context: Context, cluster: ClusterPlan, part: ControlPlanePart): Component {
  const folder = clusterFolder(context.plan.index, cluster);
  const pki = (file: string): string => join(certificateFolder(context.plan.index, cluster), file);
  // Only its own namespace reaches etcd: it listens on the loopback there.
  const etcd = 'http://127.0.0.1:2379';
  const client = (name: string): Record<string, string> => {
    const file = ownKubeconfig(context, cluster, name);
    return { kubeconfig: file, 'authentication-kubeconfig': file, 'authorization-kubeconfig': file };
  };
  const flagsOf: Record<ControlPlanePart, () => Record<string, string | number | boolean>> = {
    etcd: () => ({
      'data-dir': join(folder, 'etcd'),
      'unsafe-no-fsync': true,
      'listen-client-urls': etcd,
      'advertise-client-urls': etcd,
      'listen-peer-urls': 'http://127.0.0.1:2380',
      'quota-backend-bytes': 4 * 1024 ** 3,
      'log-level': 'warn',
    }),
    'kube-apiserver': () => ({
      'etcd-servers': etcd,
      'advertise-address': cluster.address,
      'bind-address': '0.0.0.0',
      'secure-port': 6443,
      'cert-dir': folder,
      'service-cluster-ip-range': cluster.serviceRange,
      'allow-privileged': true,
      'authorization-mode': 'Node,RBAC',
      'enable-admission-plugins': 'NodeRestriction',
      'client-ca-file': pki('ca.crt'),
      'tls-cert-file': pki('apiserver.crt'),
      'tls-private-key-file': pki('apiserver.key'),
      'kubelet-certificate-authority': pki('ca.crt'),
      'kubelet-client-certificate': pki('apiserver-kubelet-client.crt'),
      'kubelet-client-key': pki('apiserver-kubelet-client.key'),
      'kubelet-preferred-address-types': 'InternalIP',
      'requestheader-client-ca-file': pki('front-proxy-ca.crt'),
      'requestheader-allowed-names': 'front-proxy-client',
      'requestheader-username-headers': 'X-Remote-User',
      'requestheader-group-headers': 'X-Remote-Group',
      'requestheader-extra-headers-prefix': 'X-Remote-Extra-',
      'proxy-client-cert-file': pki('front-proxy-client.crt'),
      'proxy-client-key-file': pki('front-proxy-client.key'),
      'service-account-issuer': 'https://kubernetes.default.svc.cluster.local',
      'service-account-key-file': pki('sa.pub'),
      'service-account-signing-key-file': pki('sa.key'),
    }),
    'kube-controller-manager': () => ({
      ...client('controller-manager'),
      'bind-address': '127.0.0.1',
      'cert-dir': folder,
      'leader-elect': false,
      'allocate-node-cidrs': false,
      'use-service-account-credentials': true,
      'service-account-private-key-file': pki('sa.key'),
      'root-ca-file': pki('ca.crt'),
      'cluster-signing-cert-file': pki('ca.crt'),
      'cluster-signing-key-file': pki('ca.key'),
      'kube-api-qps': 1000,
      'kube-api-burst': 2000,
    }),
    'kube-scheduler': () => ({
      ...client('scheduler'),
      'bind-address': '127.0.0.1',
      'cert-dir': folder,
      'leader-elect': false,
      // The default of 50 would cap any load test at 50 pods a second.
      'kube-api-qps': 5000,
      'kube-api-burst': 5000,
    }),
  };
  mkdirSync(folder, { recursive: true });
  return {
    name: part,
    cluster: cluster.name,
    netns: cluster.nodes[0]!.netns,
    argv: [context.programs.kubernetes, part, ...flags(flagsOf[part]())],
  };
}

/** Waits until `ready`, and when it does not come tells with the end of the component's log why. */
export async function waitForComponent(
  context: Context,
  component: Pick<Component, 'cluster' | 'name'>,
  deadline: number,
  ready: () => Promise<boolean>,
): Promise<void> {
  const what = `${component.cluster} ${component.name} is not ready`;
  const log = context.supervisor.logFile(component);
  let died = false;
  try {
    await waitFor(what, deadline, async () => {
      const record = readRecord(context.supervisor, component);
      died = !record || !isAlive(record);
      return died || (await ready()) ? true : undefined;
    });
  } catch (error) {
    throw new Error(`${(error as Error).message}\nthe end of ${log}:\n${logTail(log, 8)}`, { cause: error });
  }
  if (died) throw new Error(`${what}: it ended\nthe end of ${log}:\n${logTail(log, 8)}`);
}

/** etcd and the API server, ready to answer. */
export async function startApiServer(context: Context, cluster: ClusterPlan): Promise<Api> {
  await ensureRunning(context.supervisor, controlPlanePart(context, cluster, 'etcd'));
  const server = controlPlanePart(context, cluster, 'kube-apiserver');
  await ensureRunning(context.supervisor, server);
  const api = adminApi(cluster, certificateFolder(context.plan.index, cluster));
  await waitForComponent(context, server, 60_000, async () => (await api.send('GET', '/readyz')).status === 200);
  context.progress(`${cluster.name}: API server ready at ${cluster.apiServer}`);
  return api;
}

/** Scheduler and controller-manager; only once the API server is ready, for earlier they give up and end. */
export async function startControllers(context: Context, cluster: ClusterPlan): Promise<void> {
  await ensureRunning(context.supervisor, controlPlanePart(context, cluster, 'kube-controller-manager'));
  await ensureRunning(context.supervisor, controlPlanePart(context, cluster, 'kube-scheduler'));
}
