/** What a leader must know of the computing cluster before anything else. It waits for as long as that takes. */
import { type ClusterBinding, Namespace } from '@kubeocean/shared/api';
import type { Logger } from '@kubeocean/shared/daemon';
import {
  createNews,
  isForbidden,
  type KubeClient,
  type KubeObject,
  messageOf,
  Namespaces,
  type ReadonlyStore,
  sleep,
  untilAborted,
} from '@kubeocean/shared/kube';

export interface FirstLook {
  /** As it is known at this moment: whoever follows its changes from here on misses none. */
  binding: ClusterBinding;
  /** UID of the computing cluster's kube-system namespace: what tells one cluster from another. */
  homeUID: string;
}

/** Undefined when the signal aborts before. @throws Error when we lack the right to it */
export async function firstLook(
  home: KubeClient,
  bindings: ReadonlyStore<ClusterBinding>,
  name: string,
  log: Logger,
  signal: AbortSignal,
): Promise<FirstLook | undefined> {
  // It may take long to answer: the binding is looked at after that.
  const homeUID = await homeIdentity(home, log, signal);
  const binding = homeUID === undefined ? undefined : await bindingSeen(bindings, name, log, signal);
  return homeUID === undefined || !binding ? undefined : { binding, homeUID };
}

async function bindingSeen(
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

async function homeIdentity(home: KubeClient, log: Logger, signal: AbortSignal): Promise<string | undefined> {
  const isNews = createNews();
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
      const cause = messageOf(error);
      if (!signal.aborted && isNews(cause)) log.warn({ error: cause }, 'the computing cluster does not answer');
      await sleep(2000, signal).catch(() => undefined);
    }
  }
  return undefined;
}
