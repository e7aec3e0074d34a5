/**
 * How volumes end. Data goes only when home says so twice: the claim is gone, asked of the API server itself, and the
 * volume's reclaim policy is Delete. Everything else leaves the worker's claim where it is, and says so.
 */
import {
  Label,
  parseVolumeHandle,
  VolumeAnnotation,
  VolumeDriver,
  VolumeFinalizer,
  homeVolumeName,
} from '@kubeocean/shared/api';
import { messageOf, type Outcome, withoutFinalizer } from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';
import { isGone, mayBelieveAbsence, mayWriteHome, mayWriteWorker, WritesHeld } from '../gate.ts';
import { failedAgain } from './failures.ts';
import { markUsed } from './finish.ts';
import { removeUnused } from './give-back.ts';
import { homeNow, workerClaim, workerNow } from './look.ts';
import type { VolumeState } from './state.ts';
import { holderOf, holds, standsFor } from './to-worker.ts';
import { type Claim, Claims, claimSubject, type Volume, Volumes } from './types.ts';
import { tellVolume, whyNotHeld } from './words.ts';

const WAIT_MS = 5000;
const TOLD_MS = 60_000;
const TOLD_IN_USE_MS = 300_000;

/** The worker claim that a volume of this binding stands for; undefined for others'. */
export function workerClaimOf(state: Pick<VolumeState, 'context'>, volume: Volume): string | undefined {
  const handle = parseVolumeHandle(volume.spec.csi?.volumeHandle ?? '');
  return handle?.binding === state.context.bindingName ? handle.claim : undefined;
}

/** Made by us, not by an administrator for a claim that the worker's owner offers. */
export function isDynamic(volume: Volume): boolean {
  return volume.metadata.annotations?.[VolumeAnnotation.provisionedBy] === VolumeDriver;
}

/** Keeps one home volume in step with what it stands for, until both are gone. What fails is told on it. */
export async function syncVolume(state: VolumeState, stored: Volume): Promise<Outcome> {
  const { uid = '' } = stored.metadata;
  try {
    const outcome = await step(state, stored);
    state.failing.delete(uid);
    return outcome;
  } catch (error) {
    if (error instanceof WritesHeld) throw error;
    if (failedAgain(state, uid).times > 1) tellVolume(state.context, stored, 'VolumeFailed', messageOf(error));
    throw error;
  }
}

async function step(state: VolumeState, stored: Volume): Promise<Outcome> {
  const claimName = workerClaimOf(state, stored);
  if (claimName === undefined || !isDynamic(stored)) return undefined;
  const ending = stored.metadata.deletionTimestamp !== undefined || stored.status?.phase === 'Released';
  if (!ending) return keep(state, stored, claimName);
  // What cannot be taken back is done on the API server's own word.
  const volume = await homeNow<Volume>(state, Volumes, '', stored.metadata.name);
  if (!volume || volume.metadata.uid !== stored.metadata.uid) return undefined;
  if (volume.spec.persistentVolumeReclaimPolicy === 'Delete') {
    if (!volume.spec.claimRef?.uid) return namesNoClaim(state, volume);
    return (await isClaimGone(state, volume)) ? remove(state, volume, claimName) : { againInMs: WAIT_MS };
  }
  if (!volume.metadata.deletionTimestamp) return undefined;
  await retain(state, volume, claimName);
  await letGo(state, volume);
  return undefined;
}

/** A volume in use: ours to guard, and its counterpart marked, so that neither goes by itself. */
async function keep(state: VolumeState, volume: Volume, claimName: string): Promise<Outcome> {
  const { context } = state;
  const { uid, name, resourceVersion, finalizers = [], labels } = volume.metadata;
  // At the binding's end both sides are marked as given up (release.ts), which stands.
  if (context.binding().metadata.deletionTimestamp) return undefined;
  const { namespace = '', name: claim = '', uid: claimUID } = volume.spec.claimRef ?? {};
  if (!claimUID) return namesNoClaim(state, volume);
  const isGuarded = finalizers.includes(VolumeFinalizer);
  // One of an earlier version, or of a binding of this name before this one, says no clusterID.
  if (!isGuarded || labels?.[Label.physicalClusterID] === undefined) {
    mayWriteHome(context);
    const metadata = {
      uid,
      resourceVersion,
      ...(!isGuarded && { finalizers: [...finalizers, VolumeFinalizer] }),
      labels: { [Label.physicalClusterID]: context.clusterID },
    };
    await context.home.patch(Volumes, '', name, { metadata });
  }
  const worker = await workerClaim(state, claimName);
  if (worker && holds(worker, volume, context)) {
    await markUsed(state, worker, name);
    return undefined;
  }
  if (!worker) await mayBelieveAbsence(context);
  const message = worker
    ? whyNotHeld(context, worker, volume)
    : `the claim ${context.mountNamespace}/${claimName} of the worker cluster, which holds the volume ${name}, is gone, and the data with it unless the worker's owner kept the storage behind it`;
  const subject = claimSubject({ metadata: { name: claim, namespace, uid: claimUID } });
  context.homeEvents.event(subject, 'Warning', worker ? 'MappingDisagrees' : 'VolumeLost', message);
  return { againInMs: TOLD_IN_USE_MS };
}

/** A missing UID proves nothing: not that the claim is gone, nor that the worker's claim was made for it. */
async function namesNoClaim(state: VolumeState, volume: Volume): Promise<Outcome> {
  const { context } = state;
  const worker = await workerClaim(state, workerClaimOf(state, volume) ?? '');
  const why =
    'spec.claimRef names no claim by its UID, so that nothing is done with this volume and what it stands for';
  tellLeftAlone(context, volume, worker ? `${why}: ${whyNotHeld(context, worker, volume)}` : why);
  return { againInMs: TOLD_IN_USE_MS };
}

function tellLeftAlone(context: SyncerContext, volume: Volume, why: string): void {
  const wayOut = 'to give up this volume, set its persistentVolumeReclaimPolicy to Retain and delete it';
  tellVolume(context, volume, 'MappingDisagrees', `${why}; ${wayOut}`);
}

/** @param volume one that names its claim by UID */
async function isClaimGone(state: VolumeState, volume: Volume): Promise<boolean> {
  const { namespace = '', name = '', uid } = volume.spec.claimRef ?? {};
  const claim = await homeNow<Claim>(state, Claims, namespace, name);
  return claim?.metadata.uid !== uid;
}

/** The worker's claim, then home's volume: what the worker's storage does with its own is the owner's class's to say. */
async function remove(state: VolumeState, volume: Volume, claimName: string): Promise<Outcome> {
  const { context } = state;
  const { uid, name, resourceVersion } = volume.metadata;
  const worker = await workerNow(state, claimName);
  if (worker) {
    if (!holds(worker, volume, context)) {
      tellLeftAlone(context, volume, whyNotHeld(context, worker, volume));
      return { againInMs: TOLD_MS };
    }
    if (!worker.metadata.deletionTimestamp) {
      // The worker may have taken long to answer, and somebody may want to keep the data by now: the change is looked at next.
      const now = await homeNow<Volume>(state, Volumes, '', name);
      if (now?.metadata.resourceVersion !== resourceVersion) return undefined;
      mayWriteWorker(context);
      // Only as it was looked at: its owner may have offered it since.
      const as = worker.metadata;
      const only = {
        ...(as.uid && { uid: as.uid }),
        ...(as.resourceVersion && { resourceVersion: as.resourceVersion }),
      };
      await ignoreGone(context.worker.delete(Claims, context.mountNamespace, claimName, only));
      context.log.info({ volume: name, worker: claimName }, 'worker claim deleted');
    }
    return { againInMs: WAIT_MS };
  }
  await mayBelieveAbsence(context);
  mayWriteHome(context);
  await ignoreGone(context.home.delete(Volumes, '', name, { ...(uid && { uid }) }));
  await letGo(state, volume);
  return undefined;
}

/** Says on the worker claim that its data is to stay although the home volume stands for it no more. */
export async function retain(state: Pick<VolumeState, 'context'>, volume: Volume, claimName: string): Promise<void> {
  const { context } = state;
  const worker = await workerNow(state, claimName);
  if (!worker) await mayBelieveAbsence(context);
  if (!worker || !holderOf(worker, context) || worker.metadata.annotations?.[VolumeAnnotation.retained]) return;
  // One whose claimRef was cleared since is known by the mark.
  const marked = worker.metadata.annotations?.[VolumeAnnotation.homeVolume] === volume.metadata.name;
  if (!marked && !holds(worker, volume, context)) return;
  mayWriteWorker(context);
  const annotations = { [VolumeAnnotation.retained]: context.now().toISOString() };
  const patch = { metadata: { uid: worker.metadata.uid, annotations } };
  await ignoreGone(context.worker.patch(Claims, context.mountNamespace, claimName, patch));
}

async function letGo({ context }: VolumeState, volume: Volume): Promise<void> {
  const { uid, name } = volume.metadata;
  mayWriteHome(context);
  const patch = { metadata: withoutFinalizer(uid, VolumeFinalizer) };
  await ignoreGone(context.home.patch(Volumes, '', name, patch, { type: 'strategic' }));
}

/** A worker claim whose home volume was never made and will not be: there was never anything in it. */
export async function syncWorkerClaim(state: VolumeState, worker: Claim): Promise<Outcome> {
  const { context } = state;
  const holder = holderOf(worker, context);
  if (!holder || worker.metadata.deletionTimestamp) return undefined;
  if (worker.metadata.labels?.[Label.bindingUID] !== context.bindingUID) {
    // Of a binding of this name before this one: its volumes are still home's.
    mayWriteWorker(context);
    const patch = { metadata: { uid: worker.metadata.uid, labels: { [Label.bindingUID]: context.bindingUID } } };
    await context.worker.patch(Claims, context.mountNamespace, worker.metadata.name, patch);
  }
  if (worker.metadata.annotations?.[VolumeAnnotation.homeVolume] !== undefined) return undefined;
  const claim = await homeNow<Claim>(state, Claims, holder.namespace, holder.name);
  const selected = claim?.metadata.annotations?.[VolumeAnnotation.selectedNode];
  const vnode = selected === undefined ? undefined : context.stores.vnodes.get(selected);
  const wanted =
    claim?.metadata.uid === holder.uid &&
    !claim.spec.volumeName &&
    vnode?.metadata.labels?.[Label.bindingUID] === context.bindingUID;
  if (wanted && !(await hasVolumeElsewhere(state, worker, holder.uid))) return undefined;
  return (await removeUnused(state, worker)) ? undefined : { againInMs: TOLD_MS };
}

/** Whether another binding was first to make the home claim's volume. */
async function hasVolumeElsewhere(state: VolumeState, worker: Claim, claimUID: string): Promise<boolean> {
  const volume = await homeNow<Volume>(state, Volumes, '', homeVolumeName(claimUID));
  return volume?.spec.claimRef?.uid === claimUID && !standsFor(volume, worker.metadata.name, state.context);
}

async function ignoreGone(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}
