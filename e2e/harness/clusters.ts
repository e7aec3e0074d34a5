/** The running set of local clusters: kubeconfigs, kubectl, clients. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type KubeClient, kubeconfigFile, KubeClient as Client, Transport } from '@kubeocean/shared/kube';
import { writeKubeconfig } from '../clusters/credentials.ts';
import { binFolder, kubeconfigPath, stateRoot } from '../clusters/paths.ts';
import { run, type RunResult } from '../clusters/local/run.ts';

/** `computing`, `worker-1`, ... or the path of a kubeconfig. */
export type ClusterName = 'computing' | `worker-${number}` | `/${string}`;

export interface Clusters {
  /** Folder of kubeconfigs, programs and logs. */
  root: string;
  /** Kubeconfig of the computing cluster. */
  computing: string;
  /** Kubeconfigs of worker-1, worker-2, ... */
  workers: string[];
}

/**
 * Kubeconfigs of the clusters that `npm run cluster -- up` made in ./.local, or in the folder of KUBEOCEAN_LOCAL.
 * @throws Error naming the command that brings them up.
 */
export function clusters(): Clusters {
  const root = stateRoot();
  const computing = kubeconfigPath('computing', root);
  const workers = existsSync(root)
    ? readdirSync(root)
        .filter((file) => /^worker-\d+\.kubeconfig$/.test(file))
        .toSorted((a, b) => Number(/\d+/.exec(a)?.[0]) - Number(/\d+/.exec(b)?.[0]))
        .map((file) => join(root, file))
    : [];
  if (!existsSync(computing) || workers.length === 0) {
    throw new Error(
      `there are no clusters in ${root}: bring them up with "npm run cluster -- up", or name their folder in KUBEOCEAN_LOCAL`,
    );
  }
  return { root, computing, workers };
}

/** Path of the kubeconfig of a cluster of the running set. */
export function kubeconfigOf(cluster: ClusterName): string {
  if (cluster.startsWith('/')) return cluster;
  const { root } = clusters();
  const path = kubeconfigPath(cluster, root);
  if (!existsSync(path)) throw new Error(`there is no cluster ${cluster} in ${root}: see "npm run cluster -- status"`);
  return path;
}

export interface KubectlOptions {
  /** Text for standard input, for `-f -`. */
  input?: string;
  /** Give the result back whatever the exit code. */
  anyExit?: boolean;
}

/** Runs the built kubectl. Throws with its own words when it fails, unless `anyExit`. */
export function kubectl(
  cluster: ClusterName,
  args: readonly string[],
  options: KubectlOptions = {},
): Promise<RunResult> {
  const { KUBECONFIG: _, ...env } = process.env;
  return run([programPath('kubectl'), '--kubeconfig', kubeconfigOf(cluster), ...args], { ...options, env });
}

const clients = new Map<string, KubeClient>();

/** A client with the rights of the cluster's administrator. */
export function client(cluster: ClusterName): KubeClient {
  const path = kubeconfigOf(cluster);
  let known = clients.get(path);
  if (!known) {
    known = new Client(new Transport(kubeconfigFile(path, { trust: 'trusted' }), { userAgent: 'kubeocean-e2e' }));
    clients.set(path, known);
  }
  return known;
}

/**
 * Writes what scripts/kubeconfig.sh hands out for a ServiceAccount of the worker cluster.
 * @returns `file`, which {@link client} and {@link kubectl} take as a cluster
 */
export function giveKubeconfig(account: string, namespace: string, file: string): Promise<`/${string}`> {
  return writeKubeconfig(kubeconfigOf('worker-1'), account, namespace, file);
}

/**
 * Path of one of the built programs.
 * @throws Error naming the command that builds it.
 */
export function programPath(name: string): string {
  const path = join(binFolder(), name);
  if (!existsSync(path)) throw new Error(`${path} is missing: "npm run cluster -- up" builds it`);
  return path;
}
