/** Whether the worker cluster that was given is the one of a binding: in another, everything would look gone. */
import { Annotation, ChartName, type ClusterBinding, Namespace } from '@kubeocean/shared/api';
import { type KubeObject, Leases, Namespaces } from '@kubeocean/shared/kube';
import type { Connection } from '../cluster.ts';
import { valueOr } from './facts.ts';
import { readOne } from './read.ts';

/** Says so in words when it is certainly another one; what cannot be read proves nothing. */
export async function otherWorker(
  { client, server }: Connection,
  { metadata: { name }, spec, status }: ClusterBinding,
): Promise<string | undefined> {
  if (status?.workerUID === undefined) return undefined;
  const where = `the worker cluster (${server})`;
  const [system, heartbeat] = await Promise.all([
    readOne<KubeObject>(client, Namespaces, where, '', Namespace.kubeSystem),
    readOne<KubeObject>(client, Leases, where, spec.mountNamespace, ChartName.agent),
  ]);
  const uid =
    valueOr(system, undefined)?.metadata.uid ??
    valueOr(heartbeat, undefined)?.metadata.annotations?.[Annotation.workerClusterUID];
  if (uid === undefined || uid === status.workerUID) return undefined;
  return `The worker cluster at ${server} is not that of the ClusterBinding ${name} (its kube-system has the UID ${uid}, status.workerUID is ${status.workerUID}), so it was not asked: give --worker-kubeconfig of the right one.`;
}
