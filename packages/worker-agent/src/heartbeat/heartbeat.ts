/** The agent's sign of life: a Lease in each mount namespace, by which syncers know that records are kept true. */
import { Annotation, ChartName, FieldManager, Label, ManagedByValue, Seconds } from '@kubeocean/shared/api';
import type { Logger } from '@kubeocean/shared/daemon';
import { type KubeClient, type KubeObject, Leases, messageOf, microTime, sleep } from '@kubeocean/shared/kube';

/**
 * The Lease of one namespace at one moment.
 * @param prefixes what the owner lets home's pods carry, parted by commas: syncers read it here
 */
export function heartbeatLease(namespace: string, identity: string, now: Date, prefixes = ''): KubeObject {
  const annotations = prefixes === '' ? undefined : { [Annotation.metadataPrefixes]: prefixes };
  return {
    metadata: {
      namespace,
      name: ChartName.agent,
      labels: { [Label.managedBy]: ManagedByValue },
      ...(annotations && { annotations }),
    },
    spec: { holderIdentity: identity, leaseDurationSeconds: Seconds.leaseDuration, renewTime: microTime(now) },
  };
}

/**
 * Renews the Leases every 10 s until the signal aborts. A namespace that fails does not hold up the others.
 * @param now the clock by which leases go: syncers learn from it how far theirs differ
 */
export async function beat(
  client: KubeClient,
  namespaces: readonly string[],
  identity: string,
  log: Logger,
  signal: AbortSignal,
  prefixes = '',
  now: () => Date = () => new Date(),
): Promise<void> {
  while (!signal.aborted) {
    const options = { signal, timeoutMs: 8000 };
    const results = await Promise.allSettled(
      namespaces.map((namespace) =>
        client.apply(Leases, heartbeatLease(namespace, identity, now(), prefixes), FieldManager.agent, options),
      ),
    );
    for (const [index, result] of results.entries()) {
      if (result.status === 'rejected' && !signal.aborted) {
        log.warn({ namespace: namespaces[index], error: messageOf(result.reason) }, 'the heartbeat was not written');
      }
    }
    await sleep(Seconds.renewEvery * 1000, signal).catch(() => undefined);
  }
}
