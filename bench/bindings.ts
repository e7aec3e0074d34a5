/** What a user of the system writes: bindings in the computing cluster, policies in the worker. */
import { ClusterBindings, ResourceLeasingPolicies } from '@kubeocean/shared/api';
import { type KubeObject, Nodes } from '@kubeocean/shared/kube';
import type { BenchOptions } from './options.ts';
import { BENCH_LABEL, groupLabel } from './pods.ts';
import { gone, listed, type Say, type Sides, waitTelling } from './sides.ts';
import { stopping } from './stop.ts';

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
  const probe = async (): Promise<string | undefined> => {
    const { items } = await sides.computing.list<KubeObject>(Nodes, {
      labelSelector: 'type=virtual-kubelet,kubeocean.io/cluster-binding',
    });
    const mine = items.filter(({ metadata }) =>
      metadata.labels?.['kubeocean.io/cluster-binding']?.startsWith(`${options.prefix}-`),
    );
    const ready = mine.filter((node) => isOpen(node));
    return ready.length < nodes ? `${ready.length} of ${mine.length} are` : undefined;
  };
  const what = `${nodes} vnodes Ready; see "kubectl get clusterbindings" and the pods of kubeocean-system`;
  await waitTelling({ what, say, probe, signal: stopping });
}

interface NodeParts {
  spec?: { taints?: { key: string; effect: string }[] };
  status?: { conditions?: { type: string; status: string }[] };
}

/** Ready, and nothing on it that keeps new pods away but the default taint and the hollow nodes' own. */
export function isOpen(node: KubeObject): boolean {
  const { spec, status } = node as KubeObject & NodeParts;
  const ready = status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True');
  const usual = ['kubeocean.io/vnode', 'kwok.x-k8s.io/node'];
  const closed = (spec?.taints ?? []).some(({ key, effect }) => effect !== 'PreferNoSchedule' && !usual.includes(key));
  return Boolean(ready) && !closed;
}

export function bindingName(options: BenchOptions, group: number): string {
  return `${options.prefix}-${group + 1}`;
}

/** Takes bindings and policies of the bench away, and waits until their vnodes are gone. */
export async function unbind(sides: Sides, say: Say): Promise<void> {
  const own = { labelSelector: BENCH_LABEL };
  const bindings = await listed(sides.computing, ClusterBindings, own);
  for (const { metadata } of bindings) await gone(sides.computing.delete(ClusterBindings, '', metadata.name));
  const probe = async (): Promise<string | undefined> => {
    const left = await listed(sides.computing, ClusterBindings, own);
    return left.length > 0 ? `${left.map(({ metadata }) => metadata.name).join(', ')} left` : undefined;
  };
  await waitTelling({ what: 'the bindings of the bench are gone', say, probe });
  for (const { metadata } of await listed(sides.worker, ResourceLeasingPolicies, own)) {
    await gone(sides.worker.delete(ResourceLeasingPolicies, '', metadata.name));
  }
}
