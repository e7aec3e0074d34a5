/**
 * The quick end of a test's binding. How one ends properly has tests of its own (syncer-unbinding, syncer-closing); after
 * all other files it only takes time, so here nobody is waited for: no syncer, no agent, no kubelet.
 */
import { ClusterBindings } from '@kubeocean/shared/api';
import { isConflict, isNotFound, type KubeClient, type KubeObject, Leases, Nodes, Pods } from '@kubeocean/shared/kube';
import type { Resource } from '@kubeocean/shared/kube';
import { client } from './clusters.ts';

export interface Forgotten {
  /** Name of the binding. */
  binding: string;
  vnodes: readonly string[];
  /** Namespaces that the test takes away afterwards, in either cluster. */
  homeNamespace: string;
  mountNamespace: string;
  /** The computing cluster, when it is not that of the set. */
  home?: KubeClient;
}

/** Deletes an object whatever holds it; one that is gone is gone. */
export async function free(on: KubeClient, resource: Resource, namespace: string, name: string): Promise<void> {
  try {
    await on.delete(resource, namespace, name, { gracePeriodSeconds: 0 });
    await on.patch(resource, namespace, name, { metadata: { finalizers: null } });
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}

/** Binding, vnodes and all pods on them. The processes of the binding must have ended. */
export async function forgetBinding(what: Forgotten): Promise<void> {
  const { binding, vnodes, homeNamespace, mountNamespace } = what;
  const home = what.home ?? client('computing');
  const worker = client('worker-1');
  // First, so that what a controller makes anew finds no vnode.
  await Promise.all(vnodes.map((vnode) => free(home, Nodes, '', vnode)));
  await Promise.all([
    free(home, ClusterBindings, '', binding),
    ...vnodes.map((vnode) => free(home, Leases, 'kube-node-lease', vnode)),
    freePods(
      home,
      homeNamespace,
      ({ spec, metadata }) => metadata.finalizers !== undefined || vnodes.includes(spec.nodeName ?? ''),
    ),
    freePods(worker, mountNamespace, () => true),
  ]);
}

interface Pod extends KubeObject {
  spec: { nodeName?: string };
}

async function freePods(on: KubeClient, namespace: string, which: (pod: Pod) => boolean): Promise<void> {
  const { items } = await on.list<Pod>(Pods, { namespace });
  await Promise.all(items.filter(which).map(({ metadata }) => free(on, Pods, namespace, metadata.name)));
}
