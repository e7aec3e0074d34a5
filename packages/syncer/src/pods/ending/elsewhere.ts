/**
 * Whether a home pod and its worker pod are on different nodes. A home that was put back from a backup may place a pod
 * again, with the UID it had, somewhere else: on a real node or on another vnode. Then it must not run here, too. Pure.
 */
import { Annotation, vnodeNames } from '@kubeocean/shared/api';
import type { Pod } from '../types.ts';

interface Affinity {
  nodeAffinity?: {
    requiredDuringSchedulingIgnoredDuringExecution?: {
      nodeSelectorTerms?: { matchFields?: { key: string; values?: string[] }[] }[];
    };
  };
}

/**
 * True when the worker pod was made for another node of home than the one the home pod is on. The annotation that says for
 * which may have been changed by hand (it is given back then), so the worker node, which nobody can change, decides.
 */
export function isElsewhere(worker: Pod, home: Pod, clusterID: string): boolean {
  const vnode = home.spec.nodeName;
  const madeFor = worker.metadata.annotations?.[Annotation.virtualNodeName];
  if (!vnode || madeFor === vnode) return false;
  const node = worker.spec.nodeName || requiredNode(worker);
  if (!node) return madeFor !== undefined;
  return !vnodeNames(clusterID, node).includes(vnode);
}

/** The node that the worker's scheduler was told to place it on. */
function requiredNode(worker: Pod): string | undefined {
  const { nodeAffinity } = (worker.spec['affinity'] ?? {}) as Affinity;
  const terms = nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  const fields = terms.length === 1 ? (terms[0]?.matchFields ?? []) : [];
  return fields.find(({ key }) => key === 'metadata.name')?.values?.[0];
}
