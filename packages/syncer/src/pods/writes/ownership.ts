/**
 * Which worker pod is the counterpart of which home pod. Annotations can be written by others on both sides, so none is
 * believed alone: the name is derived, and label, namespace, name and UID must agree with it. Pure.
 */
import { Annotation, isWorkerNameOf, Label } from '@kubeocean/shared/api';
import { wasShown } from '../status/to-home.ts';
import { isTerminal, type Pod } from '../types.ts';

/** What the worker pod says of the home pod it belongs to. */
interface Claimed {
  namespace: string;
  name: string;
  uid: string;
}

function claimedBy(worker: Pod): Claimed {
  const { annotations } = worker.metadata;
  return {
    namespace: annotations?.[Annotation.virtualPodNamespace] ?? '',
    name: annotations?.[Annotation.virtualPodName] ?? '',
    uid: annotations?.[Annotation.virtualPodUID] ?? '',
  };
}

/** UID of the home pod that the worker pod was made for, as it says. */
export function claimedUID(worker: Pod): string {
  return claimedBy(worker).uid;
}

/** Key of the home pod, when the worker pod's own name is the one derived from it; otherwise undefined. */
export function homeKeyOf(worker: Pod, bindingUID: string): string | undefined {
  const { namespace, name } = claimedBy(worker);
  if (worker.metadata.labels?.[Label.bindingUID] !== bindingUID || !namespace || !name) return undefined;
  return isWorkerNameOf(worker.metadata.name, bindingUID, namespace, name) ? `${namespace}/${name}` : undefined;
}

/**
 * `same`: its counterpart. `namesake`: made for another pod of this name. `foreign`: not made by this binding.
 * `disagrees`: ours by label and name, but what it says of its home pod is not what made that name.
 */
export type Relation = 'same' | 'namesake' | 'foreign' | 'disagrees';

export function relationOf(worker: Pod, home: Pod, bindingUID: string): Relation {
  if (worker.metadata.labels?.[Label.bindingUID] !== bindingUID) return 'foreign';
  const { namespace, name, uid } = claimedBy(worker);
  if (namespace !== home.metadata.namespace || name !== home.metadata.name || !uid) return 'disagrees';
  if (!isWorkerNameOf(worker.metadata.name, bindingUID, namespace, name)) return 'disagrees';
  return uid === home.metadata.uid ? 'same' : 'namesake';
}

/**
 * Whether a namesake was made for an earlier pod of the name, and is not the home pod's own, of which somebody changed what it
 * says: this one never ran, or home was shown that it ran as another (the worker was put back from a backup). Of one that has
 * ended nothing is to run either way, and it may have ended while it waited.
 */
export function isPredecessor({ metadata: { uid } }: Pod, home: Pod): boolean {
  const shown = home.metadata.annotations?.[Annotation.physicalPodUID];
  return !wasShown(home) || isTerminal(home) || (shown !== undefined && shown !== uid);
}

/**
 * True for a worker pod that is this home pod's counterpart in everything but the binding's label, which somebody took
 * off: the derived name, all that it says of its home pod, and the UID that home was shown agree.
 */
export function lostItsLabel(worker: Pod, home: Pod, bindingUID: string): boolean {
  const { labels, uid } = worker.metadata;
  if (labels?.[Label.bindingUID] === bindingUID || uid === undefined) return false;
  const labelled = { ...worker, metadata: { ...worker.metadata, labels: { [Label.bindingUID]: bindingUID } } };
  return (
    relationOf(labelled, home, bindingUID) === 'same' && home.metadata.annotations?.[Annotation.physicalPodUID] === uid
  );
}
