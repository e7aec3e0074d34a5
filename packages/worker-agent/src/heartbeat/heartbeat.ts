/** The agent's sign of life: a Lease in each mount namespace, by which syncers know that records are kept true. */
import { Annotation, ChartName, FieldManager, Label, ManagedByValue, Namespace, Seconds } from '@kubeocean/shared/api';
import { createFailureLog, type Logger } from '@kubeocean/shared/daemon';
import {
  endsWithin,
  type KubeClient,
  type KubeObject,
  Leases,
  messageOf,
  microTime,
  Namespaces,
  sleep,
  untilAborted,
} from '@kubeocean/shared/kube';

const CALL_MS = 8000;
/**
 * Records are waited for no longer: a webhook that hangs may keep them for minutes, and another that led 25 s ago must not be
 * thought silent meanwhile.
 */
const RECORDS_MS = 10_000;

/** What syncers read there, beside that the agent lives. */
export interface Said {
  /** What the owner lets home's pods carry, parted by commas. */
  prefixes?: string | undefined;
  /** UID of this cluster's kube-system namespace: syncers may not read it themselves. */
  clusterUID?: string | undefined;
}

export interface BeatOptions extends Pick<Said, 'prefixes'> {
  client: KubeClient;
  /** Asked before each renewal. */
  namespaces: () => readonly string[];
  /**
   * Resolves when records were written for the first time. On a sign of life before that, vnodes would take pods on the word
   * of one that led when other windows were open.
   */
  recordsWritten: Promise<void>;
  identity: string;
  log: Logger;
  signal: AbortSignal;
  /** The clock by which leases go: syncers learn from it how far theirs differ. */
  now: () => Date;
}

/** The Lease of one namespace at one moment. */
export function heartbeatLease(namespace: string, identity: string, now: Date, said: Said = {}): KubeObject {
  const annotations = {
    ...(said.prefixes && { [Annotation.metadataPrefixes]: said.prefixes }),
    ...(said.clusterUID && { [Annotation.workerClusterUID]: said.clusterUID }),
  };
  return {
    metadata: {
      namespace,
      name: ChartName.agent,
      labels: { [Label.managedBy]: ManagedByValue },
      ...(Object.keys(annotations).length > 0 && { annotations }),
    },
    spec: { holderIdentity: identity, leaseDurationSeconds: Seconds.leaseDuration, renewTime: microTime(now) },
  };
}

/** Renews the Leases every 10 s until the signal aborts. A namespace that fails does not hold up the others. */
export async function beat(options: BeatOptions): Promise<void> {
  const { client, namespaces, recordsWritten, identity, log, signal, prefixes, now } = options;
  let clusterUID: string | undefined;
  const tellFailure = createFailureLog(log);
  await endsWithin(RECORDS_MS, Promise.race([recordsWritten, untilAborted(signal)]));
  while (!signal.aborted) {
    clusterUID ??= await uidOf(options);
    const said = { prefixes, clusterUID };
    const call = { signal, timeoutMs: CALL_MS };
    const living = namespaces();
    const results = await Promise.allSettled(
      living.map((namespace) =>
        client.apply(Leases, heartbeatLease(namespace, identity, now(), said), FieldManager.agent, call),
      ),
    );
    for (const [index, result] of results.entries()) {
      if (result.status === 'rejected' && !signal.aborted) {
        tellFailure({ namespace: living[index] }, result.reason, 'the heartbeat was not written');
      }
    }
    await sleep(Seconds.renewEvery * 1000, signal).catch(() => undefined);
  }
}

/** Undefined when it cannot be read now: the sign of life does not wait for it. */
async function uidOf({ client, log, signal }: BeatOptions): Promise<string | undefined> {
  try {
    const call = { signal, timeoutMs: CALL_MS, retry: false };
    return (await client.get<KubeObject>(Namespaces, '', Namespace.kubeSystem, call)).metadata.uid;
  } catch (error) {
    if (!signal.aborted) log.warn({ error: messageOf(error) }, 'which cluster this is cannot be read');
    return undefined;
  }
}
