/** The storage in the worker has given what was asked for: home gets the volume that stands for it. */
import { Label, labelValue, VolumeAnnotation } from '@kubeocean/shared/api';
import { isAlreadyExists, type KubeObject, type Outcome } from '@kubeocean/shared/kube';
import { mayWriteHome, mayWriteWorker } from '../gate.ts';
import { removeUnused } from './give-back.ts';
import { homeNow } from './look.ts';
import type { VolumeState } from './state.ts';
import type { Offer } from './storage-class.ts';
import { reach, toHomeVolume } from './to-home.ts';
import { standsFor } from './to-worker.ts';
import { type Claim, Claims, type StorageClass, type Volume, Volumes } from './types.ts';
import { tellAndWait } from './words.ts';

const RETRY_MS = 15_000;

interface FinishFacts {
  storageClass: StorageClass;
  offer: Offer;
  /** The vnode that home's scheduler has chosen. */
  vnode: KubeObject;
}

/** Makes home's volume for a worker claim that is bound, and marks that claim. */
export async function finish(state: VolumeState, home: Claim, worker: Claim, facts: FinishFacts): Promise<Outcome> {
  const { context } = state;
  // At the binding's end home's volumes are gone over once (release.ts): nobody would let go of one that comes after that.
  if (context.binding().metadata.deletionTimestamp) return undefined;
  const vnode = placeOf(state, worker, facts);
  if (typeof vnode === 'string') return tellAndWait(context, home, vnode);
  const { bindingName, clusterID } = context;
  const placed = { ...facts, vnode, bindingName, clusterID };
  const where = reach(placed);
  if (typeof where === 'string') return tellAndWait(context, home, where);
  const volume = toHomeVolume(home, worker, placed);
  const { name } = volume.metadata;
  if (state.stores.volumes.has(name) || !(await create(state, home, volume))) {
    const there = await homeNow<Volume>(state, Volumes, '', name);
    if (!there) return { againInMs: 500 };
    if (there.spec.claimRef?.uid !== home.metadata.uid) {
      const message = `a PersistentVolume ${name} exists that was not made for this claim; it is left alone: remove it`;
      return tellAndWait(context, home, message, 'NameTaken');
    }
    if (!standsFor(there, worker.metadata.name, context)) {
      // The scheduler changed its mind while two bindings made it: the other was first.
      await removeUnused(state, worker);
      return { againInMs: RETRY_MS };
    }
  }
  await markUsed(state, worker, name);
  return { againInMs: RETRY_MS };
}

/** @returns false when there is one of its name */
async function create({ context }: VolumeState, home: Claim, volume: Volume): Promise<boolean> {
  mayWriteHome(context);
  try {
    await context.home.create<Volume>(Volumes, volume);
  } catch (error) {
    if (isAlreadyExists(error)) return false;
    throw error;
  }
  context.log.info({ claim: home.metadata.name, volume: volume.metadata.name }, 'home volume created');
  return true;
}

/**
 * The vnode by whose labels it is said where the volume lies. That is the worker claim's word: home's scheduler may have
 * chosen another since. In words when that vnode is not known, and something else of it than its node has to be said.
 */
function placeOf({ context }: VolumeState, worker: Claim, { offer, vnode }: FinishFacts): KubeObject | string {
  const node = worker.metadata.annotations?.[VolumeAnnotation.selectedNode];
  if (node === undefined) return vnode;
  const label = labelValue(node);
  for (const each of context.stores.vnodes.values()) {
    const { labels } = each.metadata;
    if (labels?.[Label.bindingUID] === context.bindingUID && labels[Label.physicalNodeName] === label) return each;
  }
  if (offer.topology === 'zone') {
    return `the volume was made on the worker node ${node}, which has no vnode now: until it has one, its zone is not known`;
  }
  return { metadata: { name: node, labels: { [Label.physicalNodeName]: label } } };
}

/** From now on there may be data in it: it never goes as an orphan. */
export async function markUsed({ context }: VolumeState, worker: Claim, volume: string): Promise<void> {
  const { uid, name, annotations } = worker.metadata;
  if (annotations?.[VolumeAnnotation.homeVolume] === volume && !annotations[VolumeAnnotation.retained]) return;
  mayWriteWorker(context);
  const marks = { [VolumeAnnotation.homeVolume]: volume, [VolumeAnnotation.retained]: null };
  const patch = { metadata: { uid, annotations: marks } };
  await context.worker.patch(Claims, context.mountNamespace, name, patch);
}
