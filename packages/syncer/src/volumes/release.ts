/**
 * Volumes at the end of their binding: nothing in them is lost. Home's volumes stay, with the policy Retain and without
 * our finalizer, since nobody is left to take it off; the worker's claims stay and say so. A binding of the same name
 * finds both again.
 */
import { Label, labelValue, VolumeDriver, VolumeFinalizer } from '@kubeocean/shared/api';
import { withoutFinalizer } from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';
import { isGone, mayWriteHome } from '../pods/gate.ts';
import { isDynamic, retain, workerClaimOf } from './reclaim.ts';
import { type Volume, Volumes } from './types.ts';

/**
 * @param withWorker whether the worker can be written to
 * @returns how many volumes stay
 */
export async function releaseVolumes(context: SyncerContext, withWorker: boolean): Promise<number> {
  const labelSelector = `${Label.clusterBinding}=${labelValue(context.bindingName)}`;
  let kept = 0;
  for await (const page of context.home.pages<Volume>(Volumes, { labelSelector, limit: 200 })) {
    for (const volume of page.items) {
      const claim = workerClaimOf({ context }, volume);
      if (claim === undefined || volume.spec.csi?.driver !== VolumeDriver || !isDynamic(volume)) continue;
      if (withWorker) await retain({ context }, volume, claim);
      await keepAtHome(context, volume);
      kept++;
    }
  }
  return kept;
}

async function keepAtHome(context: SyncerContext, volume: Volume): Promise<void> {
  const { uid, name, finalizers = [] } = volume.metadata;
  if (!finalizers.includes(VolumeFinalizer) && volume.spec.persistentVolumeReclaimPolicy === 'Retain') return;
  mayWriteHome(context);
  const metadata = withoutFinalizer(uid, VolumeFinalizer);
  const patch = { metadata, spec: { persistentVolumeReclaimPolicy: 'Retain' } };
  try {
    await context.home.patch(Volumes, '', name, patch, { type: 'strategic' });
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}
