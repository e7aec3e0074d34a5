/**
 * Whether the worker cluster is still the one that we began with, by the UID that its agent says in the heartbeat: a
 * kubeconfig, a name or an address may lead to another cluster one day, whose state is no continuation of the first one's.
 */
import { Annotation, type ClusterBinding } from '@kubeocean/shared/api';
import type { KubeObject, ReadonlyStore } from '@kubeocean/shared/kube';

/**
 * Calls `onOther` when a heartbeat names another cluster than the first that was seen. An agent that says none (an older
 * one, or one that could not read it) changes nothing.
 * @returns what ends the watching
 */
export function followWorkerIdentity(
  heartbeats: Pick<ReadonlyStore<KubeObject>, 'onChange' | 'values'>,
  onOther: (error: Error) => void,
): () => void {
  let known: string | undefined;
  function look(lease: KubeObject | undefined): void {
    const uid = workerUIDOf(lease);
    if (uid === undefined || uid === known) return;
    if (known === undefined) known = uid;
    else
      onOther(new Error(`the worker cluster is another one by now (its kube-system has the UID ${uid}, not ${known})`));
  }
  for (const lease of heartbeats.values()) look(lease);
  return heartbeats.onChange(({ current }) => look(current));
}

/** Whether a worker's word may stand in a command that people copy: it could be one of its own. */
export function isPlain(word: string): boolean {
  return /^[-A-Za-z0-9]{1,63}$/.test(word);
}

/** UID of the worker cluster as its agent says it. */
export function workerUIDOf(heartbeat: KubeObject | undefined): string | undefined {
  const uid = heartbeat?.metadata.annotations?.[Annotation.workerClusterUID];
  return uid !== undefined && isPlain(uid) ? uid : undefined;
}

export interface Stranger {
  reason: 'WorkerReplaced' | 'WorkerNotKnown';
  message: string;
}

/**
 * Why nothing may be claimed in the worker cluster: it is, or may be, another than the one that holds this binding's pods,
 * by the UID in the binding's status. There, every pod would look lost. Undefined: go on. Pure.
 * @param said the UID by the agent's heartbeat; undefined: there is none, or it says nothing
 * @param claimed whether there is a claim, which a cluster that was newly made has not
 */
export function judgeWorker(binding: ClusterBinding, said: string | undefined, claimed: boolean): Stranger | undefined {
  const known = binding.status?.workerUID;
  if (known === undefined || said === known) return undefined;
  const { name } = binding.metadata;
  if (said === undefined) {
    if (claimed) return undefined;
    return {
      reason: 'WorkerNotKnown',
      message: `the worker cluster has neither the claim of this binding nor a heartbeat of the agent that says which cluster it is (known: UID ${known}); nothing is written there until one of them is back`,
    };
  }
  if (binding.metadata.annotations?.[Annotation.approveWorker] === said) return undefined;
  return {
    reason: 'WorkerReplaced',
    message: `the worker cluster is another one (its kube-system has the UID ${said}, not ${known}): nothing is written there and no pod is touched. If the kubeconfig leads to the wrong cluster, correct it. If the old cluster is gone for good, its pods are lost: approve the new one with: kubectl annotate clusterbinding ${name} --overwrite ${Annotation.approveWorker}=${said}`,
  };
}
