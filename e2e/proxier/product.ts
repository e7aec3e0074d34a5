/** The whole product as pods, both charts, one binding: for what only real Deployments can show. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Namespace, proxierName, VnodeType } from '@kubeocean/shared/api';
import { type KubeObject, Nodes, Pods } from '@kubeocean/shared/kube';
import { checkout } from '../clusters/paths.ts';
import { run } from '../clusters/local/run.ts';
import {
  bindWorker,
  cleanup,
  client,
  type ClusterName,
  kubeconfigOf,
  isReady,
  kubectl,
  programPath,
  uniqueName,
  waitFor,
} from '../harness/index.ts';

export interface Replica {
  name: string;
  address: string;
  ready: boolean;
}

export interface Product {
  /** Of binding, cluster, home namespace, policy and Secret. */
  readonly id: string;
  readonly vnodes: readonly string[];
  /** Proxier pods that are not being deleted. */
  replicas(): Promise<Replica[]>;
  /** Syncer pods that are not being deleted. */
  syncers(): Promise<string[]>;
  /** Address that each vnode names. */
  addresses(): Promise<Map<string, string>>;
  kubectl(args: readonly string[], input?: object): ReturnType<typeof kubectl>;
}

async function ok(cluster: ClusterName, args: string[], input?: object): Promise<string> {
  return (await kubectl(cluster, args, input && { input: JSON.stringify(input) })).stdout;
}

function helm(cluster: ClusterName, release: string, values: readonly string[]): Promise<unknown> {
  const chart = join(checkout, 'charts', release);
  const sets = values.flatMap((value) => ['--set', value]);
  const command = [
    programPath('helm'),
    '--kubeconfig',
    kubeconfigOf(cluster),
    'upgrade',
    '--install',
    '--reset-values',
  ];
  return run([...command, release, chart, ...sets, '--wait', '--timeout=120s']);
}

interface VnodeObject extends KubeObject {
  status: { addresses?: { type: string; address: string }[] };
}

interface PodObject extends KubeObject {
  status?: { podIP?: string; conditions?: { type: string; status: string }[] };
}

/** Installs, lends all nodes of the worker, and waits for vnodes. `settings`: more values of the home chart. */
export async function startProduct(settings: readonly string[]): Promise<Product> {
  const id = uniqueName('prod').slice(0, 13);
  const home = client('computing');
  const proxiers = `app.kubernetes.io/name=kubeocean-proxier,kubeocean.io/cluster-binding=${id}`;
  await Promise.all([
    helm('worker-1', 'kubeocean-worker', ['agent.replicas=1']),
    helm('computing', 'kubeocean', [
      'manager.replicas=1',
      'syncer.replicas=1',
      'proxier.replicas=2',
      'proxier.servingCertificate=csr',
      ...settings,
    ]),
  ]);
  const folder = mkdtempSync(join(tmpdir(), 'kubeocean-product-'));
  cleanup(() => rmSync(folder, { recursive: true }));
  await bindWorker(id, folder);
  const deployment = `deployment/${proxierName(id)}`;
  await waitFor('the proxiers', () => ok('computing', ['-n', Namespace.system, 'get', deployment]), {
    timeoutMs: 60_000,
  });
  await ok('computing', ['-n', Namespace.system, 'rollout', 'status', deployment, '--timeout=120s']);

  async function nodes(): Promise<VnodeObject[]> {
    const labelSelector = `type=${VnodeType},kubeocean.io/cluster-binding=${id}`;
    return (await home.list<VnodeObject>(Nodes, { labelSelector })).items;
  }
  const made = await waitFor(
    'vnodes with an address',
    async () => {
      const [list, lent] = [await nodes(), await client('worker-1').list(Nodes)];
      return (
        list.length === lent.items.length && list.every(({ status }) => (status.addresses ?? []).length > 0) && list
      );
    },
    { timeoutMs: 120_000, everyMs: 500 },
  );

  return {
    id,
    vnodes: made.map(({ metadata }) => metadata.name),
    async replicas() {
      const { items } = await home.list<PodObject>(Pods, { namespace: Namespace.system, labelSelector: proxiers });
      return items
        .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
        .map((pod) => ({
          name: pod.metadata.name,
          address: pod.status?.podIP ?? '',
          ready: isReady(pod),
        }));
    },
    async syncers() {
      const labelSelector = `app.kubernetes.io/name=kubeocean-syncer,kubeocean.io/cluster-binding=${id}`;
      const { items } = await home.list<PodObject>(Pods, { namespace: Namespace.system, labelSelector });
      return items.filter((pod) => !pod.metadata.deletionTimestamp).map(({ metadata }) => metadata.name);
    },
    async addresses() {
      return new Map(
        (await nodes()).map(({ metadata, status }) => [metadata.name, status.addresses?.[0]?.address ?? '']),
      );
    },
    kubectl: (args, input) =>
      kubectl('computing', ['-n', id, ...args], { anyExit: true, ...(input && { input: JSON.stringify(input) }) }),
  };
}

/** The process of a pod, which runs on this machine: its environment names the pod. */
export function pidOf(pod: string): number {
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const environment = readFileSync(`/proc/${entry}/environ`, 'utf8').split('\0');
      if (environment.includes(`POD_NAME=${pod}`)) return Number(entry);
    } catch {
      // Ended meanwhile, or a thread of the kernel.
    }
  }
  throw new Error(`no process of pod ${pod} on this machine: are the clusters those of the provider local?`);
}
