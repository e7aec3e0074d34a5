/**
 * The system that is measured: installed from this checkout's charts, or whatever is installed; and what a user of it
 * writes: bindings in the computing cluster, policies in the worker.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { ClusterBindings, ResourceLeasingPolicies } from '@kubeocean/shared/api';
import {
  isAlreadyExists,
  isNotFound,
  type KubeClient,
  type KubeObject,
  messageOf,
  Namespaces,
  Nodes,
  Pods,
  type Resource,
  Secrets,
  ServiceAccounts,
} from '@kubeocean/shared/kube';
import { writeKubeconfig } from '../e2e/clusters/credentials.ts';
import { binFolder, checkout } from '../e2e/clusters/paths.ts';
import { run, waitFor } from '../e2e/clusters/local/run.ts';
import type { BenchOptions } from './options.ts';
import { BENCH_LABEL, BENCH_NAMESPACE, groupLabel } from './pods.ts';
import { stopping } from './stop.ts';

export interface Sides {
  computing: KubeClient;
  worker: KubeClient;
}

/** For all vnodes to come or to go; some ten seconds on a quiet machine. */
const SET_UP_MS = 600_000;

type Say = (line: string) => void;

/** Installs the charts with images of this checkout, and gives the worker's kubeconfig to the computing cluster. */
export async function installCharts(options: BenchOptions, sides: Sides, say: Say): Promise<void> {
  const node = process.execPath;
  const { stdout } = await run([node, join(checkout, 'scripts/image.ts')], { cwd: checkout });
  say(stdout.trim().split('\n').at(-1) ?? '');
  const helm = (kubeconfig: string, release: string, ...values: string[]): Promise<unknown> =>
    run([
      join(binFolder(), 'helm'),
      '--kubeconfig',
      kubeconfig,
      'upgrade',
      '--install',
      '--reset-values',
      release,
      join(checkout, 'charts', release),
      ...values.flatMap((value) => ['--set', value]),
    ]);
  const tenant = `tenants[0].namespace=${options.mountNamespace},tenants[0].serviceAccount=kubeocean-syncer,tenants[0].bindings={*}`;
  await Promise.all([helm(options.computing, 'kubeocean'), helm(options.worker, 'kubeocean-worker', tenant)]);
  if (stdout.includes(' made')) {
    // The tag stays the same: pods that run go on with the old code until they are made anew.
    for (const [client, namespace] of [
      [sides.computing, 'kubeocean-system'],
      [sides.worker, 'kubeocean-agent'],
    ] as const) {
      const { items } = await client.list<KubeObject>(Pods, { namespace });
      for (const { metadata } of items) await gone(client.delete(Pods, namespace, metadata.name));
    }
  }
  await giveKubeconfig(options, sides);
}

async function giveKubeconfig(options: BenchOptions, { computing }: Sides): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'kubeocean-bench-'));
  try {
    const file = join(folder, 'kubeconfig');
    await writeKubeconfig(options.worker, 'kubeocean-syncer', options.mountNamespace, file);
    const { namespace, name } = options.secret;
    await gone(computing.delete(Secrets, namespace, name));
    await computing.create(Secrets, {
      metadata: { name, namespace },
      data: { kubeconfig: readFileSync(file).toString('base64') },
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @throws Error when an installed system has no way to the worker: no vnode would ever come. */
export async function needSecret({ secret: { namespace, name } }: BenchOptions, { computing }: Sides): Promise<void> {
  try {
    await computing.get(Secrets, namespace, name);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    throw new Error(
      `the computing cluster has no Secret ${namespace}/${name} with the worker's kubeconfig, which "--system installed" needs: name yours by --secret NAMESPACE/NAME`,
      { cause: error },
    );
  }
}

/**
 * Waits until `probe` finds nothing missing; says every ten seconds what is. An API server that does not answer for a
 * moment is asked again; `signal` ends the wait at once.
 */
async function waitTelling(
  what: string,
  say: Say,
  probe: () => Promise<string | undefined>,
  signal?: AbortSignal,
): Promise<void> {
  const start = performance.now();
  let told = start;
  for (;;) {
    const missing = await probe().catch(messageOf);
    if (missing === undefined) return;
    signal?.throwIfAborted();
    const now = performance.now();
    if (now - start > SET_UP_MS) throw new Error(`${what}: not within ${SET_UP_MS / 1000} s: ${missing}`);
    if (now - told > 10_000) {
      told = now;
      say(`    ${what}: ${missing}`);
    }
    await after(500);
  }
}

/** The namespace of the load on both sides, ready for pods. */
export async function makeNamespaces(sides: Sides): Promise<void> {
  for (const client of [sides.computing, sides.worker]) {
    // That of a session just over may still be on its way out.
    await waitFor(`the namespace ${BENCH_NAMESPACE}`, 120_000, async () => {
      await client.create(Namespaces, { metadata: { name: BENCH_NAMESPACE } }).catch((error: unknown) => {
        if (!isAlreadyExists(error)) throw error;
      });
      const { metadata } = await client.get<KubeObject>(Namespaces, '', BENCH_NAMESPACE);
      return metadata.deletionTimestamp ? undefined : metadata;
    });
    await waitFor(`the ServiceAccount of ${BENCH_NAMESPACE}`, 30_000, async () =>
      client.get<KubeObject>(ServiceAccounts, BENCH_NAMESPACE, 'default'),
    );
  }
}

/** Makes the bindings and their policies, each of one group of hollow nodes, and waits until all nodes are lent. */
export async function bind(
  options: BenchOptions,
  sides: Sides,
  bindings: number,
  nodes: number,
  say: Say,
): Promise<void> {
  for (let group = 0; group < bindings; group++) {
    const name = bindingName(options, group);
    const nodeSelector = {
      nodeSelectorTerms: [{ matchExpressions: [{ key: BENCH_LABEL, operator: 'In', values: [groupLabel(group)] }] }],
    };
    await sides.worker.create(ResourceLeasingPolicies, {
      metadata: { name, labels: { [BENCH_LABEL]: 'policy' } },
      spec: { cluster: name, nodeSelector, forceReclaim: false },
    });
    await sides.computing.create(ClusterBindings, {
      metadata: { name, labels: { [BENCH_LABEL]: 'binding' } },
      spec: {
        clusterID: name,
        mountNamespace: options.mountNamespace,
        secretRef: options.secret,
        nodeSelector,
        ...(options.directScheduling && { directScheduling: true }),
      },
    });
  }
  await waitTelling(
    `${nodes} vnodes Ready; see "kubectl get clusterbindings" and the pods of kubeocean-system`,
    say,
    async () => {
      const { items } = await sides.computing.list<KubeObject>(Nodes, {
        labelSelector: 'type=virtual-kubelet,kubeocean.io/cluster-binding',
      });
      const mine = items.filter(({ metadata }) =>
        metadata.labels?.['kubeocean.io/cluster-binding']?.startsWith(`${options.prefix}-`),
      );
      const ready = mine.filter((node) => isOpen(node));
      return ready.length < nodes ? `${ready.length} of ${mine.length} are` : undefined;
    },
    stopping,
  );
}

interface NodeParts {
  spec?: { taints?: { key: string; effect: string }[] };
  status?: { conditions?: { type: string; status: string }[] };
}

/** Ready, and nothing on it that keeps new pods away but the default taint and the hollow nodes' own. */
function isOpen(node: KubeObject): boolean {
  const { spec, status } = node as KubeObject & NodeParts;
  const ready = status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True');
  const usual = ['kubeocean.io/vnode', 'kwok.x-k8s.io/node'];
  return Boolean(ready) && (spec?.taints ?? []).every(({ key }) => usual.includes(key));
}

export function bindingName(options: BenchOptions, group: number): string {
  return `${options.prefix}-${group + 1}`;
}

/** Takes bindings and policies of the bench away, and waits until their vnodes are gone. */
export async function unbind(sides: Sides, say: Say): Promise<void> {
  const own = { labelSelector: BENCH_LABEL };
  const bindings = await listed(sides.computing, ClusterBindings, own);
  for (const { metadata } of bindings) await gone(sides.computing.delete(ClusterBindings, '', metadata.name));
  await waitTelling('the bindings of the bench are gone', say, async () => {
    const left = await listed(sides.computing, ClusterBindings, own);
    return left.length > 0 ? `${left.map(({ metadata }) => metadata.name).join(', ')} left` : undefined;
  });
  for (const { metadata } of await listed(sides.worker, ResourceLeasingPolicies, own)) {
    await gone(sides.worker.delete(ResourceLeasingPolicies, '', metadata.name));
  }
}

/** The objects; none when the kind is not installed. */
async function listed(client: KubeClient, kind: Resource, query: { labelSelector: string }): Promise<KubeObject[]> {
  try {
    return (await client.list<KubeObject>(kind, query)).items;
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}

/** Deletes all pods of the load, at once and for good. */
export async function removeLoad(sides: Sides): Promise<void> {
  for (const client of [sides.computing, sides.worker]) {
    await gone(
      client.transport.call({
        method: 'DELETE',
        path: `/api/v1/namespaces/${BENCH_NAMESPACE}/pods`,
        body: JSON.stringify({ kind: 'DeleteOptions', apiVersion: 'v1', gracePeriodSeconds: 1 }),
        timeoutMs: 300_000,
      }),
    );
  }
}

async function gone(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
