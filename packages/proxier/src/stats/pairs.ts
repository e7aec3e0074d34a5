/**
 * The pods of one vnode with their counterparts. As for sessions, nothing that a home user can write decides: the worker
 * name is derived, and the worker pod must carry the home pod's UID.
 */
import { Annotation, Label, migratedWorkerName, workerName } from '@kubeocean/shared/api';
import { type KubeClient, type KubeObject, messageOf, Pods } from '@kubeocean/shared/kube';
import { Refusal, workerRefusal } from '../errors.ts';
import { CACHED, type Clusters, podsOf } from '../kubelet/pods.ts';
import type { PodPair, PodPairs } from './rename.ts';

interface HomePodSpec {
  volumes?: { name: string; persistentVolumeClaim?: { claimName: string } }[];
}

/** Pure: pairs home pods with worker pods. */
export function pairUp(
  bindingUID: string,
  homePods: readonly KubeObject[],
  workerPods: readonly KubeObject[],
): PodPairs {
  const byName = new Map(workerPods.map((pod) => [pod.metadata.name, pod]));
  const pairs = new Map<string, PodPair>();
  for (const { metadata, spec } of homePods as (KubeObject & { spec?: HomePodSpec })[]) {
    const { name, namespace = '', uid } = metadata;
    // All of them bear the binding's label, so that one with the other name was adopted.
    const counterpart =
      byName.get(workerName(bindingUID, namespace, name)) ?? byName.get(migratedWorkerName(namespace, name));
    if (!uid || counterpart?.metadata.annotations?.[Annotation.virtualPodUID] !== uid) continue;
    const claims = (spec?.volumes ?? []).flatMap(({ name: volume, persistentVolumeClaim: claim }) =>
      claim ? [[volume, claim.claimName] as const] : [],
    );
    pairs.set(counterpart.metadata.name, {
      namespace,
      name,
      uid,
      workerName: counterpart.metadata.name,
      workerUID: counterpart.metadata.uid ?? '',
      createdAt: Date.parse(counterpart.metadata.creationTimestamp ?? ''),
      claims: new Map(claims),
    });
  }
  return pairs;
}

/** Reads both sides, as they were a moment ago, until the signal aborts. @throws Refusal 503 or 502 when one of them does not answer. */
export async function pairsOf(
  { home, worker, binding }: Clusters,
  vnode: string,
  node: string,
  signal: AbortSignal,
): Promise<PodPairs> {
  const [homePods, workerPods] = await Promise.all([
    podsOf(home, vnode, signal).catch((error: unknown) => {
      throw new Refusal(503, `cannot list the pods of ${vnode}: ${messageOf(error)}`, { cause: error });
    }),
    workerPodsOf(worker, binding, node, signal).catch((error: unknown) => {
      throw workerRefusal(error, { worker: node, home: vnode });
    }),
  ]);
  return pairUp(binding.uid, homePods, workerPods);
}

async function workerPodsOf(worker: KubeClient, binding: Clusters['binding'], node: string, signal: AbortSignal) {
  const pods: KubeObject[] = [];
  const selection = {
    namespace: binding.mountNamespace,
    labelSelector: `${Label.bindingUID}=${binding.uid}`,
    fieldSelector: `spec.nodeName=${node}`,
    ...CACHED,
  };
  const pages = worker.pages(Pods, selection, { signal, metadataOnly: true });
  for await (const page of pages) {
    pods.push(
      ...page.items.map(({ metadata: { name, uid, annotations, creationTimestamp } }) => ({
        metadata: { name, uid, annotations, creationTimestamp } as KubeObject['metadata'],
      })),
    );
  }
  return pods;
}
