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
import { isNotFound, type KubeObject, type Outcome, type Resource, withoutFinalizer } from '@kubeocean/shared/kube';
import { isGone, mayBelieveAbsence, mayWriteHome, mayWriteWorker } from '../pods/gate.ts';
import { markUsed, removeUnused, workerNow } from './provision.ts';
import type { VolumeState } from './state.ts';
import { holderOf } from './to-worker.ts';
import { type Claim, Claims, claimSubject, type Volume, Volumes } from './types.ts';

const WAIT_MS = 5000;

/** The worker claim that a volume of this binding stands for; undefined for others'. */
export function workerClaimOf(state: Pick<VolumeState, 'context'>, volume: Volume): string | undefined {
  const handle = parseVolumeHandle(volume.spec.csi?.volumeHandle ?? '');
  return handle?.binding === state.context.bindingName ? handle.claim : undefined;
}

/** Made by us, not by an administrator for a claim that the worker's owner offers. */
export function isDynamic(volume: Volume): boolean {
  return volume.metadata.annotations?.[VolumeAnnotation.provisionedBy] === VolumeDriver;
}

/** Keeps one home volume in step with what it stands for, until both are gone. */
export async function syncVolume(state: VolumeState, stored: Volume): Promise<Outcome> {
  const claimName = workerClaimOf(state, stored);
  if (claimName === undefined || !isDynamic(stored)) return undefined;
  const ending = stored.metadata.deletionTimestamp !== undefined || stored.status?.phase === 'Released';
  if (!ending) return keep(state, stored, claimName);
  // What cannot be taken back is done on the API server's own word.
  const volume = await now<Volume>(state, Volumes, '', stored.metadata.name);
  if (!volume || volume.metadata.uid !== stored.metadata.uid) return undefined;
  const policy = volume.spec.persistentVolumeReclaimPolicy;
  if (policy === 'Delete')
    return (await isClaimGone(state, volume)) ? remove(state, volume, claimName) : { againInMs: WAIT_MS };
  if (!volume.metadata.deletionTimestamp) return undefined;
  await retain(state, claimName);
  await letGo(state, volume);
  return undefined;
}

/** A volume in use: ours to guard, and its counterpart marked, so that neither goes by itself. */
async function keep(state: VolumeState, volume: Volume, claimName: string): Promise<Outcome> {
  const { context } = state;
  const { uid, name, resourceVersion, finalizers = [] } = volume.metadata;
  // At the binding's end both sides are marked as given up (release.ts), which stands.
  if (context.binding().metadata.deletionTimestamp) return undefined;
  if (!finalizers.includes(VolumeFinalizer)) {
    mayWriteHome(context);
    const metadata = { uid, resourceVersion, finalizers: [...finalizers, VolumeFinalizer] };
    await context.home.patch(Volumes, '', name, { metadata });
  }
  const worker =
    state.stores.workerClaims.get(`${context.mountNamespace}/${claimName}`) ?? (await workerNow(state, claimName));
  if (worker && holderOf(worker, context)?.uid === volume.spec.claimRef?.uid) {
    await markUsed(state, worker, name);
    return undefined;
  }
  const words = `the claim ${context.mountNamespace}/${claimName} of the worker cluster, which holds the volume ${name},`;
  const message = worker
    ? `${words} no longer says that it belongs to it; it is not touched: ask the worker's owner`
    : `${words} is gone, and the data with it unless the worker's owner kept the storage behind it`;
  const { namespace = '', name: claim = '', uid: claimUID = '' } = volume.spec.claimRef ?? {};
  const subject = claimSubject({ metadata: { name: claim, namespace, uid: claimUID } });
  context.homeEvents.event(subject, 'Warning', worker ? 'MappingDisagrees' : 'VolumeLost', message);
  return { againInMs: 300_000 };
}

async function isClaimGone(state: VolumeState, volume: Volume): Promise<boolean> {
  const { namespace = '', name = '', uid } = volume.spec.claimRef ?? {};
  if (uid === undefined) return true;
  const claim = await now<Claim>(state, Claims, namespace, name);
  return claim?.metadata.uid !== uid;
}

/** The worker's claim, then home's volume: what the worker's storage does with its own is the owner's class's to say. */
async function remove(state: VolumeState, volume: Volume, claimName: string): Promise<Outcome> {
  const { context } = state;
  const { uid, name } = volume.metadata;
  const worker = await workerNow(state, claimName);
  if (worker) {
    if (holderOf(worker, context)?.uid !== volume.spec.claimRef?.uid) {
      const message = `the claim ${context.mountNamespace}/${claimName} of the worker cluster no longer says that it belongs to this volume and is left alone; set persistentVolumeReclaimPolicy to Retain and delete this volume to give it up`;
      context.homeEvents.event(
        { apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name, ...(uid && { uid }) } },
        'Warning',
        'MappingDisagrees',
        message,
      );
      return { againInMs: 60_000 };
    }
    if (!worker.metadata.deletionTimestamp) {
      mayWriteWorker(context);
      await ignoreGone(
        context.worker.delete(Claims, context.mountNamespace, claimName, {
          ...(worker.metadata.uid && { uid: worker.metadata.uid }),
        }),
      );
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

/** Says on the worker claim that its data is to stay although nothing at home stands for it any more. */
export async function retain(state: Pick<VolumeState, 'context'>, claimName: string): Promise<void> {
  const { context } = state;
  const worker = await workerNow(state, claimName);
  if (!worker) await mayBelieveAbsence(context);
  if (!worker || !holderOf(worker, context) || worker.metadata.annotations?.[VolumeAnnotation.retained]) return;
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
  const { context, stores } = state;
  const holder = holderOf(worker, context);
  if (!holder || worker.metadata.deletionTimestamp) return undefined;
  if (worker.metadata.labels?.[Label.bindingUID] !== context.bindingUID) {
    // Of a binding of this name before this one: its volumes are still home's.
    mayWriteWorker(context);
    const patch = { metadata: { uid: worker.metadata.uid, labels: { [Label.bindingUID]: context.bindingUID } } };
    await context.worker.patch(Claims, context.mountNamespace, worker.metadata.name, patch);
  }
  if (worker.metadata.annotations?.[VolumeAnnotation.homeVolume] !== undefined) return undefined;
  const volume = await now<Volume>(state, Volumes, '', homeVolumeName(holder.uid));
  if (volume) return undefined;
  const claim = await now<Claim>(state, Claims, holder.namespace, holder.name);
  const selected = claim?.metadata.annotations?.[VolumeAnnotation.selectedNode];
  const vnode = selected === undefined ? undefined : context.stores.vnodes.get(selected);
  const wanted =
    claim?.metadata.uid === holder.uid && vnode?.metadata.labels?.[Label.bindingUID] === context.bindingUID;
  if (wanted || (claim?.spec.volumeName && stores.volumes.has(claim.spec.volumeName))) return undefined;
  await removeUnused(state, worker);
  context.log.info({ worker: worker.metadata.name }, 'worker claim that was never used deleted');
  return undefined;
}

async function now<T extends KubeObject>(
  { context }: VolumeState,
  resource: Resource,
  namespace: string,
  name: string,
): Promise<T | undefined> {
  try {
    return await context.home.get<T>(resource, namespace, name);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

async function ignoreGone(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}
