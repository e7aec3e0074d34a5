/**
 * From worker names to home names, in what the agent gives of one mount namespace. Pods that are not on the list, and
 * figures that are no pod's, are left out. Pure.
 */
import { parseSummary, type PodSummary, relabelExposition, type VolumeSummary } from '@kubeocean/shared/stats';

/** A home pod and its counterpart, each proven to be the other's. */
export interface PodPair {
  namespace: string;
  name: string;
  uid: string;
  workerName: string;
  workerUID: string;
  /** When the worker pod was made, by the worker's clock: milliseconds since 1970, NaN when that is not known. */
  createdAt: number;
  /** Home claims by name of the volume. */
  claims: ReadonlyMap<string, string>;
}

/** Pairs by worker name. */
export type PodPairs = ReadonlyMap<string, PodPair>;

/**
 * `/metrics/resource` and `/metrics/cadvisor` in home names. cAdvisor's labels `id` (the cgroup) and `name` hold UID and
 * name of the worker pod in the middle of other text.
 */
export function renameExposition(text: string, mountNamespace: string, pairs: PodPairs): string {
  return relabelExposition(text, (labels) => {
    if (labels.get('namespace') !== mountNamespace) return undefined;
    const pair = pairs.get(labels.get('pod') ?? '');
    if (!pair) return undefined;
    const renamed = new Map([
      ['namespace', pair.namespace],
      ['pod', pair.name],
    ]);
    for (const label of ['id', 'name', 'uid']) {
      const value = labels.get(label);
      if (value !== undefined) renamed.set(label, inHomeWords(value, pair));
    }
    return renamed;
  });
}

function inHomeWords(text: string, pair: PodPair): string {
  // systemd's cgroups write a UID with underscores.
  const systemd = (uid: string) => uid.replaceAll('-', '_');
  return text
    .replaceAll(pair.workerUID, pair.uid)
    .replaceAll(systemd(pair.workerUID), systemd(pair.uid))
    .replaceAll(pair.workerName, pair.name);
}

/**
 * The pods of a `/stats/summary` in home names.
 * @throws Error when the text is no summary.
 */
export function renameSummary(text: string, mountNamespace: string, pairs: PodPairs): PodSummary[] {
  return parseSummary(text).pods.flatMap((pod) => {
    const pair = pod.podRef.namespace === mountNamespace ? pairs.get(pod.podRef.name) : undefined;
    if (!pair || pair.workerUID !== pod.podRef.uid) return [];
    const { name, namespace, uid } = pair;
    const volume = pod.volume?.map((one) => renameVolume(one, pair));
    return [{ ...pod, podRef: { name, namespace, uid }, ...(volume && { volume }) }];
  });
}

function renameVolume(volume: VolumeSummary, pair: PodPair): VolumeSummary {
  const { pvcRef, ...rest } = volume;
  const claim = pvcRef && pair.claims.get(volume.name ?? '');
  return claim === undefined ? rest : { ...rest, pvcRef: { name: claim, namespace: pair.namespace } };
}
