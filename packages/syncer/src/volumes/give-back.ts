/**
 * A volume that is not to be where it was asked for: the worker claim goes, which nothing was ever in, and home's scheduler
 * may choose another node.
 */
import { homeVolumeName, VolumeAnnotation, volumeHandle } from '@kubeocean/shared/api';
import { isConflict, isNotFound, type Outcome } from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';
import { mayWriteHome, mayWriteWorker } from '../gate.ts';
import { homeNow } from './look.ts';
import type { VolumeState } from './state.ts';
import { holderOf, standsFor } from './to-worker.ts';
import { type Claim, Claims, type Volume, Volumes } from './types.ts';
import { tellClaim } from './words.ts';

const LOOK_AGAIN_MS = 3000;

export async function giveBack(state: VolumeState, home: Claim, worker: Claim, why: string): Promise<Outcome> {
  await tellClaim(state.context, home, 'ProvisioningFailed', `the worker cluster gives the volume back: ${why}`);
  if (!(await removeUnused(state, worker))) return { againInMs: LOOK_AGAIN_MS };
  await resetSelection(state, home);
  return undefined;
}

/**
 * Deletes a worker claim that no home volume stands for: nothing was ever in it.
 * @returns false when one does, or when the claim has changed meanwhile: look again.
 */
export async function removeUnused(state: VolumeState, worker: Claim): Promise<boolean> {
  const { context } = state;
  const { uid, name, deletionTimestamp, annotations, resourceVersion } = worker.metadata;
  if (deletionTimestamp || annotations?.[VolumeAnnotation.homeVolume] !== undefined) return true;
  if (await hasHomeVolume(state, worker)) return false;
  mayWriteWorker(context);
  try {
    // Only as it was looked at: it may have been marked since.
    const only = { ...(uid && { uid }), ...(resourceVersion && { resourceVersion }) };
    await context.worker.delete(Claims, context.mountNamespace, name, only);
    context.log.info({ worker: name }, 'worker claim that was never used deleted');
  } catch (error) {
    if (isConflict(error)) return false;
    if (!isNotFound(error)) throw error;
  }
  return true;
}

/** Whether a volume at home stands for the worker claim: under the name that ours have, or made by hand. */
async function hasHomeVolume(state: VolumeState, worker: Claim): Promise<boolean> {
  const { context, stores } = state;
  const { name } = worker.metadata;
  if (stores.volumes.byIndex('handle', volumeHandle(context.bindingName, name)).length > 0) return true;
  const holder = holderOf(worker, context);
  const volume = holder && (await homeNow<Volume>(state, Volumes, '', homeVolumeName(holder.uid)));
  return volume !== undefined && standsFor(volume, name, context);
}

/**
 * As Kubernetes' own provisioners do it: home's scheduler tries the pod again, perhaps elsewhere.
 * @param marks annotations to set with the same write
 * @returns as {@link annotate}
 */
export async function resetSelection(
  { context }: Pick<VolumeState, 'context'>,
  home: Claim,
  marks: Record<string, string> = {},
): Promise<boolean> {
  const { namespace = '', name } = home.metadata;
  context.log.info({ claim: `${namespace}/${name}` }, 'node of a claim given back to the scheduler');
  return annotate(context, home, { [VolumeAnnotation.selectedNode]: null, ...marks });
}

/**
 * Only on the home claim as it was looked at.
 * @returns false when it has changed since, so that nothing was written: that change brings it back to the queue
 */
export async function annotate(
  context: SyncerContext,
  { metadata: { namespace = '', name, uid, resourceVersion } }: Claim,
  annotations: Record<string, string | null>,
): Promise<boolean> {
  mayWriteHome(context);
  const metadata = { uid, resourceVersion, annotations };
  try {
    await context.home.patch(Claims, namespace, name, { metadata });
  } catch (error) {
    if (isConflict(error)) return false;
    if (!isNotFound(error)) throw error;
  }
  return true;
}
