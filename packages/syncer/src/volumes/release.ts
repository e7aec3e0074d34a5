/**
 * Volumes at the end of their binding: nothing in them is lost. Home's volumes stay, with the policy Retain and without
 * our finalizer, since nobody is left to take it off; the worker's claims stay and say so. A binding of the same name
 * finds both again. What was only on its way is given up: nobody is left to finish it.
 */
import { Label, labelValue, VolumeAnnotation, VolumeDriver, VolumeFinalizer } from '@kubeocean/shared/api';
import { isConflict, isNotFound, Nodes, withoutFinalizer } from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';
import { isGone, mayWriteHome, mayWriteWorker } from '../pods/gate.ts';
import { resetSelection } from './give-back.ts';
import { homeNow } from './look.ts';
import { isDynamic, retain, workerClaimOf } from './reclaim.ts';
import { holderOf } from './to-worker.ts';
import { type Claim, Claims, type Volume, Volumes } from './types.ts';

/**
 * @param withWorker whether the worker can be written to
 * @returns how many volumes stay
 */
export async function releaseVolumes(context: SyncerContext, withWorker: boolean): Promise<number> {
  const inUse = new Set<string>();
  let kept = 0;
  // All of home's: one that lost its label would be kept by our finalizer for ever.
  for await (const page of context.home.pages<Volume>(Volumes, { limit: 200 })) {
    for (const volume of page.items) {
      const claim = workerClaimOf({ context }, volume);
      if (claim === undefined || volume.spec.csi?.driver !== VolumeDriver) continue;
      inUse.add(claim);
      if (!isDynamic(volume)) continue;
      if (withWorker) await retain({ context }, volume, claim);
      await keepAtHome(context, volume);
      kept++;
    }
  }
  await giveBackClaims(context);
  if (withWorker) await removeEmpty(context, inUse);
  return kept;
}

async function keepAtHome(context: SyncerContext, volume: Volume): Promise<void> {
  const { uid, name, finalizers = [], labels } = volume.metadata;
  const isLetGo = !finalizers.includes(VolumeFinalizer) && labels?.[Label.physicalClusterID] === undefined;
  if (isLetGo && volume.spec.persistentVolumeReclaimPolicy === 'Retain') return;
  mayWriteHome(context);
  // The next binding of this name may have another clusterID.
  const metadata = { ...withoutFinalizer(uid, VolumeFinalizer), labels: { [Label.physicalClusterID]: null } };
  const patch = { metadata, spec: { persistentVolumeReclaimPolicy: 'Retain' } };
  try {
    await context.home.patch(Volumes, '', name, patch, { type: 'strategic' });
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

/**
 * Home's claims that wait for a volume on a vnode that is gone: the scheduler tries no other node while they name it. Which
 * binding's vnode it was matters no more (`vnode-a-b-c`): no Node of that name is there.
 */
async function giveBackClaims(context: SyncerContext): Promise<void> {
  for await (const page of context.home.pages<Claim>(Claims, { limit: 200 })) {
    for (const claim of page.items) {
      const { selectedNode, storageProvisioner } = VolumeAnnotation;
      const selected = claim.metadata.annotations?.[selectedNode];
      if (claim.spec.volumeName || !selected?.startsWith(`vnode-${context.clusterID}-`)) continue;
      if (claim.metadata.annotations?.[storageProvisioner] !== VolumeDriver) continue;
      if (await homeNow({ context }, Nodes, '', selected)) continue;
      await resetSelection({ context }, claim);
    }
  }
}

/** Claims of the worker that were made for those: no home volume stands for them, so there was never anything in them. */
async function removeEmpty(context: SyncerContext, inUse: ReadonlySet<string>): Promise<void> {
  const { worker, mountNamespace: namespace } = context;
  const labelSelector = `${Label.clusterBinding}=${labelValue(context.bindingName)}`;
  for await (const page of worker.pages<Claim>(Claims, { namespace, labelSelector, limit: 200 })) {
    for (const claim of page.items) {
      const { name, uid, resourceVersion, annotations, deletionTimestamp } = claim.metadata;
      if (!holderOf(claim, context) || inUse.has(name) || deletionTimestamp) continue;
      if (annotations?.[VolumeAnnotation.homeVolume] !== undefined) continue;
      mayWriteWorker(context);
      try {
        // Only as it was looked at: it may have been marked since.
        const only = { ...(uid && { uid }), ...(resourceVersion && { resourceVersion }) };
        await worker.delete(Claims, namespace, name, only);
      } catch (error) {
        if (!isNotFound(error) && !isConflict(error)) throw error;
      }
    }
  }
}
