/** Home claim → the claim in the worker that holds its volume. Pure. */
import {
  Annotation,
  Label,
  OfferedTo,
  VolumeAnnotation,
  VolumeDriver,
  volumeHandle,
  workerClaimName,
} from '@kubeocean/shared/api';
import { compareQuantities, parseQuantity } from '@kubeocean/shared/lease';
import { bindingLabels } from '../pods/translation/to-worker.ts';
import type { Claim, Volume } from './types.ts';

export interface ClaimFacts {
  bindingName: string;
  bindingUID: string;
  mountNamespace: string;
  /** UID of the computing cluster. */
  homeUID: string;
  /** StorageClass in the worker. */
  workerClass: string;
  /** Worker node for which the volume is made. */
  node: string;
}

/**
 * Modes, size and class, nothing else; and the node, as the worker's own scheduler would write it, so that the volume is
 * there, or the reason why not, before home's scheduler commits itself.
 */
export function toWorkerClaim(home: Claim, facts: ClaimFacts): Claim {
  const { namespace = '', name, uid = '' } = home.metadata;
  const { accessModes, volumeMode, resources } = home.spec;
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name: workerClaimName(namespace, name, uid),
      namespace: facts.mountNamespace,
      labels: { ...bindingLabels(facts), [Label.virtualNamespace]: namespace },
      annotations: {
        [Annotation.virtualNamespace]: namespace,
        [Annotation.virtualName]: name,
        [VolumeAnnotation.virtualUID]: uid,
        [Annotation.computingClusterUID]: facts.homeUID,
        [VolumeAnnotation.selectedNode]: facts.node,
      },
    },
    spec: {
      ...(accessModes && { accessModes }),
      ...(volumeMode && { volumeMode }),
      ...(resources && { resources: sizeOf(resources) }),
      storageClassName: facts.workerClass,
    },
  };
}

function sizeOf({
  requests,
  limits,
}: NonNullable<Claim['spec']['resources']>): NonNullable<Claim['spec']['resources']> {
  return {
    ...(requests?.storage !== undefined && { requests: { storage: requests.storage } }),
    ...(limits?.storage !== undefined && { limits: { storage: limits.storage } }),
  };
}

/** A home claim, as a worker claim names it. */
export interface Holder {
  namespace: string;
  name: string;
  uid: string;
}

type HolderFacts = Pick<ClaimFacts, 'bindingName' | 'homeUID'>;

/** What was found of each object: names have hashes, and thousands of claims are asked about again and again. */
const found = new WeakMap<Claim, HolderFacts & { holder: Holder | undefined }>();

/**
 * Whose volume a worker claim holds, when all that it says fits its name. None of ours is one that its owner offers: what
 * becomes of it is theirs to say from then on.
 * @param worker not written to afterwards, as what a store gives
 */
export function holderOf(worker: Claim, facts: HolderFacts): Holder | undefined {
  const { bindingName, homeUID } = facts;
  const known = found.get(worker);
  if (known?.bindingName === bindingName && known.homeUID === homeUID) return known.holder;
  const holder = findHolder(worker, facts);
  found.set(worker, { bindingName, homeUID, holder });
  return holder;
}

function findHolder(worker: Claim, facts: HolderFacts): Holder | undefined {
  const { labels, annotations = {} } = worker.metadata;
  const namespace = annotations[Annotation.virtualNamespace];
  const name = annotations[Annotation.virtualName];
  const uid = annotations[VolumeAnnotation.virtualUID];
  if (!namespace || !name || !uid) return undefined;
  const ours =
    labels?.[Label.clusterBinding] === bindingLabels({ ...facts, bindingUID: '' })[Label.clusterBinding] &&
    labels?.[OfferedTo] === undefined &&
    annotations[Annotation.computingClusterUID] === facts.homeUID &&
    worker.metadata.name === workerClaimName(namespace, name, uid);
  return ours ? { namespace, name, uid } : undefined;
}

/**
 * Whether a worker claim holds the volume that a home volume stands for. Both have to say whose it is: that neither does is
 * no agreement.
 */
export function holds(worker: Claim, volume: Volume, facts: HolderFacts): boolean {
  const { namespace, name, uid } = volume.spec.claimRef ?? {};
  const holder = holderOf(worker, facts);
  return !!holder && holder.uid === uid && holder.namespace === namespace && holder.name === name;
}

/** Whether a home volume stands for the worker claim of this name in this binding's mount namespace. */
export function standsFor(volume: Volume, worker: string, { bindingName }: Pick<ClaimFacts, 'bindingName'>): boolean {
  return volume.spec.csi?.driver === VolumeDriver && volume.spec.csi.volumeHandle === volumeHandle(bindingName, worker);
}

/**
 * What has to be patched so that the worker claim asks for what the home claim asks for; undefined when it asks for that or
 * more, which is its owner's doing. Less only where Kubernetes lets a claim take back what it could not have: above what it
 * has got, https://kubernetes.io/docs/concepts/storage/persistent-volumes/#recovering-from-failure-when-expanding-volumes
 */
export function sizePatch(home: Claim, worker: Claim): { metadata: { uid?: string }; spec: Claim['spec'] } | undefined {
  const wanted = home.spec.resources?.requests?.storage;
  const asked = worker.spec.resources?.requests?.storage;
  const given = worker.status?.capacity?.storage;
  if (wanted === undefined) return undefined;
  const more = asked === undefined ? 1 : compare(wanted, asked);
  if (more === 0 || (more < 0 && (given === undefined || compare(wanted, given) <= 0))) return undefined;
  const { uid } = worker.metadata;
  return { metadata: { ...(uid && { uid }) }, spec: { resources: { requests: { storage: wanted } } } };
}

/** Order of two amounts in bytes, such as `1Gi`. */
export function compare(a: string, b: string): number {
  return compareQuantities(parseQuantity(a), parseQuantity(b));
}
