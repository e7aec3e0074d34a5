/** What is in both clusters besides the load, by which the writes that are nobody's fault are bounded. */
import { type KubeObject, Nodes, Pods } from '@kubeocean/shared/kube';
import { BENCH_LABEL } from '../pods.ts';
import type { Sides } from '../sides.ts';
import { HOME_NAMESPACE } from '../tracker.ts';

export interface NodeCounts {
  /** Nodes that kubelets, real or hollow, speak for. */
  computing: number;
  worker: number;
  /** resourceVersion of each vnode. */
  vnodes: Map<string, string>;
}

export async function readNodes(sides: Sides): Promise<NodeCounts> {
  const [home, worker] = await Promise.all([
    sides.computing.list<KubeObject>(Nodes, {}, { timeoutMs: 60_000 }),
    sides.worker.list<KubeObject>(Nodes, {}, { timeoutMs: 60_000 }),
  ]);
  const vnodes = home.items.filter(({ metadata }) => metadata.labels?.['type'] === 'virtual-kubelet');
  return {
    computing: home.items.length - vnodes.length,
    worker: worker.items.length,
    vnodes: new Map(vnodes.map(({ metadata }) => [metadata.name, metadata.resourceVersion ?? ''])),
  };
}

/** Writes on vnodes, of which each changed one has had at least one; nothing when there were none. */
export function changedRevisions(
  before: ReadonlyMap<string, string>,
  now: ReadonlyMap<string, string>,
): Record<string, number> {
  const changed = [...now].filter(([name, revision]) => before.get(name) !== revision).length;
  return changed > 0 ? { 'computing: on vnodes': changed } : {};
}

/** Pods of real nodes: the systems' and the clusters' own. */
export async function otherPods(sides: Sides): Promise<{ computing: number; worker: number }> {
  const query = { labelSelector: `${BENCH_LABEL}!=pod` };
  const count = async (client: Sides['computing']): Promise<number> => {
    const { items } = await client.list<KubeObject>(Pods, query, { timeoutMs: 60_000 });
    return items.filter(({ metadata }) => metadata.annotations?.[HOME_NAMESPACE] === undefined).length;
  };
  const [computing, worker] = await Promise.all([count(sides.computing), count(sides.worker)]);
  return { computing, worker };
}
