/**
 * Volumes at the end of their binding: nothing in them is lost. Home's volumes stay, with the policy Retain and without
 * our finalizer, since nobody is left to take it off; the worker's claims stay and say so. A binding of the same name
 * finds both again. What was only on its way is given up: nobody is left to finish it.
 */
import { Label, labelValue, VolumeAnnotation, VolumeDriver, VolumeFinalizer } from '@kubeocean/shared/api';
import { isConflict, isNotFound, keyOf, Nodes, PAGE_SIZE, withoutFinalizer } from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';
import { isGone, mayWriteHome, mayWriteWorker } from '../gate.ts';
import { createParts, type Parts } from '../parts.ts';
import { resetSelection } from './give-back.ts';
import { homeNow, workerNow } from './look.ts';
import { isDynamic, retain, workerClaimOf } from './reclaim.ts';
import { holderOf } from './to-worker.ts';
import { type Claim, Claims, type Volume, Volumes } from './types.ts';

/**
 * One volume or claim that a webhook guards does not keep the others.
 * @param withWorker whether the worker can be written to
 * @returns how many volumes stay
 * @throws the first failure
 */
export async function releaseVolumes(context: SyncerContext, withWorker: boolean): Promise<number> {
  const inUse = new Set<string>();
  const parts = createParts();
  let kept = 0;
  // All of home's: one that lost its label would be kept by our finalizer for ever.
  for await (const page of context.home.pages<Volume>(Volumes, { limit: PAGE_SIZE })) {
    for (const volume of page.items) {
      const claim = workerClaimOf({ context }, volume);
      if (claim === undefined || volume.spec.csi?.driver !== VolumeDriver) continue;
      inUse.add(claim);
      if (!isDynamic(volume)) continue;
      await parts.run(async () => {
        if (withWorker) await retain({ context }, volume, claim);
        await keepAtHome(context, volume);
        kept++;
      });
    }
  }
  await giveBackClaims(context, parts);
  if (withWorker) await removeEmpty(context, inUse, parts);
  if (parts.failure !== undefined) throw parts.failure;
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
async function giveBackClaims(context: SyncerContext, parts: Parts): Promise<void> {
  async function giveBack(claim: Claim): Promise<boolean> {
    const { selectedNode, storageProvisioner } = VolumeAnnotation;
    const selected = claim.metadata.annotations?.[selectedNode];
    if (claim.spec.volumeName || !selected?.startsWith(`vnode-${context.clusterID}-`)) return true;
    if (claim.metadata.annotations?.[storageProvisioner] !== VolumeDriver) return true;
    return (await homeNow({ context }, Nodes, '', selected)) !== undefined || resetSelection({ context }, claim);
  }
  for await (const page of context.home.pages<Claim>(Claims, { limit: PAGE_SIZE })) {
    for (const claim of page.items) {
      const { namespace = '', name } = claim.metadata;
      await parts.run(() => settle(claim, giveBack, () => homeNow({ context }, Claims, namespace, name)));
    }
  }
}

/** Claims of the worker that were made for those: no home volume stands for them, so there was never anything in them. */
async function removeEmpty(context: SyncerContext, inUse: ReadonlySet<string>, parts: Parts): Promise<void> {
  const { worker, mountNamespace: namespace } = context;
  async function remove(claim: Claim): Promise<boolean> {
    const { name, uid, resourceVersion, annotations, deletionTimestamp } = claim.metadata;
    if (!holderOf(claim, context) || inUse.has(name) || deletionTimestamp) return true;
    if (annotations?.[VolumeAnnotation.homeVolume] !== undefined) return true;
    mayWriteWorker(context);
    try {
      // Only as it was looked at: it may have been marked since.
      const only = { ...(uid && { uid }), ...(resourceVersion && { resourceVersion }) };
      await worker.delete(Claims, namespace, name, only);
    } catch (error) {
      if (isConflict(error)) return false;
      if (!isNotFound(error)) throw error;
    }
    return true;
  }
  const labelSelector = `${Label.clusterBinding}=${labelValue(context.bindingName)}`;
  for await (const page of worker.pages<Claim>(Claims, { namespace, labelSelector, limit: PAGE_SIZE })) {
    for (const claim of page.items) {
      await parts.run(() => settle(claim, remove, () => workerNow({ context }, claim.metadata.name)));
    }
  }
}

/**
 * What has changed since it was listed is looked at once more: nobody is left to do so later.
 * @param act false when the claim is another than it was given
 * @throws Error when it is another again
 */
async function settle(
  listed: Claim,
  act: (claim: Claim) => Promise<boolean>,
  look: () => Promise<Claim | undefined>,
): Promise<void> {
  if (await act(listed)) return;
  const claim = await look();
  if (claim && !(await act(claim))) throw new Error(`the claim ${keyOf(claim)} keeps changing while it is given up`);
}
