/**
 * Whether the worker cluster is still the one that we began with, by the UID that its agent says in the heartbeat: a
 * kubeconfig, a name or an address may lead to another cluster one day, whose state is no continuation of the first one's.
 */
import { Annotation } from '@kubeocean/shared/api';
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
    const uid = lease?.metadata.annotations?.[Annotation.workerClusterUID];
    if (uid === undefined || uid === known) return;
    if (known === undefined) known = uid;
    else
      onOther(new Error(`the worker cluster is another one by now (its kube-system has the UID ${uid}, not ${known})`));
  }
  for (const lease of heartbeats.values()) look(lease);
  return heartbeats.onChange(({ current }) => look(current));
}
