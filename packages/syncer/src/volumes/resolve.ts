/** The claims that a home pod's volumes stand on → the claims in the worker that hold them, or what they wait for. */
import { labelValue, OfferedTo, parseVolumeHandle, VolumeAnnotation, VolumeDriver } from '@kubeocean/shared/api';
import { unlessMissing } from '@kubeocean/shared/kube';
import { Refusal } from '../pods/translation/refusal.ts';
import type { Pod, Volume as PodVolume } from '../pods/types.ts';
import { workerClaim } from './look.ts';
import { isDynamic } from './reclaim.ts';
import type { VolumeState } from './state.ts';
import { holds } from './to-worker.ts';
import { type Claim, Claims, type Volume, Volumes } from './types.ts';
import { claimNameOf, whyNotHeld } from './words.ts';

export interface ResolvedClaims {
  /** Claim in the worker by name of the pod's volume. */
  claims: ReadonlyMap<string, string>;
  /** What is not there yet, in words; empty when the pod may start. */
  missing: string[];
}

/** @throws Refusal when a volume can never be had where the pod is; ApiError, ConnectionError */
export async function resolveClaims(state: VolumeState, home: Pod): Promise<ResolvedClaims> {
  const claims = new Map<string, string>();
  const missing: string[] = [];
  for (const volume of home.spec.volumes ?? []) {
    const name = claimNameOf(home, volume);
    if (name === undefined) continue;
    const found = await resolve(state, home, volume, name);
    if ('claim' in found) claims.set(volume.name, found.claim);
    else missing.push(found.missing);
  }
  return { claims, missing };
}

type Found = { claim: string } | { missing: string };

async function resolve(state: VolumeState, home: Pod, podVolume: PodVolume, name: string): Promise<Found> {
  const { context } = state;
  const namespace = home.metadata.namespace ?? '';
  const of = `the PersistentVolumeClaim ${namespace}/${name}`;
  const claim = await unlessMissing(context.home.get<Claim>(Claims, namespace, name));
  if (!claim) return { missing: `${of} does not exist` };
  if (podVolume['ephemeral'] !== undefined && !isMadeFor(claim, home)) {
    return { missing: `${of} was not made for this pod's ephemeral volume ${podVolume.name}: remove or rename it` };
  }
  if (claim.metadata.deletionTimestamp) return { missing: `${of} is being deleted` };
  const { volumeName } = claim.spec;
  if (!volumeName || claim.status?.phase !== 'Bound') return { missing: `${of} is not bound: ${whyUnbound(claim)}` };
  const volume = await unlessMissing(context.home.get<Volume>(Volumes, '', volumeName));
  if (!volume || volume.spec.claimRef?.uid !== claim.metadata.uid) {
    return {
      missing: `${of} is bound to the volume ${volumeName}, which ${volume ? 'is another claim’s' : 'is gone'}`,
    };
  }
  if (volume.spec.csi?.driver !== VolumeDriver) {
    const kind = volume.spec.csi?.driver ?? kindOf(volume);
    throw new Refusal(
      'VolumeNotCarried',
      `${of} is bound to the volume ${volumeName} (${kind}), which exists in this cluster only: pods on vnodes use volumes of StorageClasses with the provisioner ${VolumeDriver}`,
    );
  }
  return behind(state, volume, of);
}

/** The worker claim behind a home volume of our driver. */
async function behind(state: VolumeState, volume: Volume, of: string): Promise<Found> {
  const { context } = state;
  const handle = parseVolumeHandle(volume.spec.csi?.volumeHandle ?? '');
  const { name } = volume.metadata;
  if (!handle) {
    const message = `the volume ${name} of ${of} has the volumeHandle ${volume.spec.csi?.volumeHandle}; it must be <binding>/<claim in its mount namespace>`;
    throw new Refusal('VolumeNotCarried', message);
  }
  if (handle.binding !== context.bindingName) {
    const message = `${of} has its volume ${name} in the worker cluster of the ClusterBinding ${handle.binding}, and the pod was put on a vnode of ${context.bindingName}: give the volume a node affinity for kubeocean.io/cluster-binding`;
    throw new Refusal('VolumeElsewhere', message);
  }
  const where = `${context.mountNamespace}/${handle.claim} of the worker cluster`;
  const worker = await workerClaim(state, handle.claim);
  if (!worker) return { missing: `the claim ${where}, which holds the volume ${name} of ${of}, does not exist` };
  if (isDynamic(volume)) {
    if (!holds(worker, volume, context)) {
      return { missing: `${of} cannot have its volume ${name}: ${whyNotHeld(context, worker, volume)}` };
    }
    // Without the mark it would count as never used.
    if (worker.metadata.annotations?.[VolumeAnnotation.homeVolume] !== name)
      return { missing: `${of} is nearly ready` };
  } else if (worker.metadata.labels?.[OfferedTo] !== labelValue(context.bindingName)) {
    return {
      missing: `the claim ${where} is not offered to this binding: its owner labels it ${OfferedTo}=${labelValue(context.bindingName)}`,
    };
  }
  return { claim: handle.claim };
}

/** As the kubelet checks it, so that a pod cannot take a namesake's claim for its own. */
function isMadeFor(claim: Claim, pod: Pod): boolean {
  return (claim.metadata.ownerReferences ?? []).some((owner) => owner.controller && owner.uid === pod.metadata.uid);
}

function whyUnbound(claim: Claim): string {
  const { storageClassName } = claim.spec;
  if (!claim.spec.volumeName && !claim.metadata.annotations?.[VolumeAnnotation.selectedNode]) {
    return `it waits for a volume of the class ${storageClassName ?? '(none)'}, for which no node was chosen; a pod that names its node (spec.nodeName) gets none of a class that waits for its first consumer`;
  }
  return `it is ${claim.status?.phase ?? 'Pending'} (class ${storageClassName ?? '(none)'}); see its events`;
}

function kindOf(volume: Volume): string {
  const known = ['capacity', 'accessModes', 'claimRef', 'nodeAffinity', 'mountOptions', 'volumeMode'];
  const kinds = Object.keys(volume.spec).filter(
    (field) => !known.includes(field) && typeof volume.spec[field] === 'object',
  );
  return kinds[0] ?? 'of an unknown kind';
}
