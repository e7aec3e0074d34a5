/** Finds the worker pod of a home pod: by its name where the binding is known, and otherwise by what both say of each other. */
import {
  Annotation,
  type ClusterBinding,
  Label,
  labelValue,
  migratedNameSaidBy,
  workerName,
} from '@kubeocean/shared/api';
import { Pods } from '@kubeocean/shared/kube';
import type { Connection } from '../cluster.ts';
import { type ExplainedPod, type Known, mapped, type PodFacts, valueOr } from './facts.ts';
import { readAll, readOne } from './read.ts';

type FoundPod = Known<ExplainedPod | undefined>;

/**
 * The pod under our name, or under the one that gocrane/kubeocean gave it when home says that it did. The latter counts only
 * with the label of this binding, which it has once it is adopted.
 */
export async function readNamed(
  { client }: Connection,
  where: string,
  { metadata: { uid = '' }, spec: { mountNamespace } }: ClusterBinding,
  { home, namespace, name }: PodFacts,
): Promise<FoundPod> {
  const ours = await readOne<ExplainedPod>(client, Pods, where, mountNamespace, workerName(uid, namespace, name));
  const known = valueOr(home?.pod, undefined);
  const migrated = known && migratedNameSaidBy(known);
  if (!('value' in ours) || ours.value || migrated === undefined) return ours;
  const adopted = await readOne<ExplainedPod>(client, Pods, where, mountNamespace, migrated);
  return mapped(adopted, (pod) => (pod?.metadata.labels?.[Label.bindingUID] === uid ? pod : undefined));
}

/**
 * Without its binding: where home says that it is, and else by what the worker pods say. The user of the home pod may write
 * the former, so a pod counts only when it names the home pod's UID.
 */
export async function readSaid(connection: Connection, where: string, pod: ExplainedPod): Promise<FoundPod> {
  const { namespace = '', name, uid, annotations = {} } = pod.metadata;
  const at = annotations[Annotation.physicalPodNamespace];
  const called = annotations[Annotation.physicalPodName];
  const isIts = ({ metadata }: ExplainedPod): boolean => metadata.annotations?.[Annotation.virtualPodUID] === uid;
  if (at && called) {
    const said = await readOne<ExplainedPod>(connection.client, Pods, where, at, called);
    if ('value' in said && said.value && isIts(said.value)) return said;
  }
  return search(connection, where, namespace, name, isIts);
}

/** Without the computing cluster: by what the worker pods say of their home pods. */
export function readBlindly(connection: Connection, where: string, namespace: string, name: string): Promise<FoundPod> {
  return search(connection, where, namespace, name, () => true);
}

async function search(
  { client }: Connection,
  where: string,
  namespace: string,
  name: string,
  counts: (pod: ExplainedPod) => boolean,
): Promise<FoundPod> {
  const labelSelector = `${Label.virtualNamespace}=${labelValue(namespace)}`;
  const pods = await readAll<ExplainedPod>(client, Pods, where, { labelSelector });
  return mapped(pods, (all) =>
    all.find((pod) => {
      const { annotations = {} } = pod.metadata;
      return (
        annotations[Annotation.virtualPodName] === name &&
        annotations[Annotation.virtualPodNamespace] === namespace &&
        counts(pod)
      );
    }),
  );
}
