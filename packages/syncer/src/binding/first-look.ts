/** What a leader must know of the computing cluster before anything else. It waits for as long as that takes. */
import { type ClusterBinding, Namespace } from '@kubeocean/shared/api';
import type { Logger } from '@kubeocean/shared/daemon';
import {
  isForbidden,
  type KubeClient,
  type KubeObject,
  messageOf,
  Namespaces,
  type ReadonlyStore,
  sleep,
  untilAborted,
} from '@kubeocean/shared/kube';

/** The binding as soon as there is one; undefined when the signal aborts before. */
export async function bindingSeen(
  bindings: ReadonlyStore<ClusterBinding>,
  name: string,
  log: Logger,
  signal: AbortSignal,
): Promise<ClusterBinding | undefined> {
  await Promise.race([bindings.synced, untilAborted(signal)]);
  if (!signal.aborted && !bindings.has(name))
    log.warn({ clusterBinding: name }, 'there is no such ClusterBinding; waiting for it');
  while (!signal.aborted) {
    const binding = bindings.get(name);
    if (binding) return binding;
    await sleep(500, signal).catch(() => undefined);
  }
  return undefined;
}

/** UID of the computing cluster's kube-system namespace: what tells one cluster from another. */
export async function homeIdentity(home: KubeClient, log: Logger, signal: AbortSignal): Promise<string | undefined> {
  while (!signal.aborted) {
    try {
      return (await home.get<KubeObject>(Namespaces, '', Namespace.kubeSystem, { signal })).metadata.uid;
    } catch (error) {
      if (isForbidden(error)) {
        throw new Error(
          `may not read the namespace ${Namespace.kubeSystem}: the ClusterRole kubeocean-syncer must allow "get namespaces"`,
          { cause: error },
        );
      }
      if (!signal.aborted) log.warn({ error: messageOf(error) }, 'the computing cluster does not answer');
      await sleep(2000, signal).catch(() => undefined);
    }
  }
  return undefined;
}
