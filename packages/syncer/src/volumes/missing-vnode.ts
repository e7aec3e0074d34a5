/**
 * Claims whose chosen node is no vnode that is known. One that is gone can never have the volume, and home's scheduler
 * tries no other node while the claim names it.
 */
import {
  type ClusterBinding,
  ClusterBindings,
  VolumeAnnotation,
  vnodeNames,
  workerClaimName,
} from '@kubeocean/shared/api';
import { Nodes, type Outcome } from '@kubeocean/shared/kube';
import { annotate, removeUnused, resetSelection } from './give-back.ts';
import { homeNow, workerClaim } from './look.ts';
import type { VolumeState } from './state.ts';
import { holderOf } from './to-worker.ts';
import type { Claim } from './types.ts';
import { tellClaim } from './words.ts';

/** A vnode that somebody deletes while it is lent is back within moments. */
const PATIENCE_MS = 5000;
const LOOK_AGAIN_MS = 3000;
/**
 * On a home claim that was given back: the binding's UID, until the scheduler has been told a second time. It puts the pod
 * into its queue and takes note of the claim in no certain order, and finds the claim as it was when the queue is quicker
 * (https://github.com/kubernetes/kubernetes/issues/93552); without another change it would look again after five minutes.
 */
const GIVEN_BACK = 'kubeocean.io/given-back';
const TOLD_AGAIN_MS = 2000;
/** Nobody tells when a Node goes that is not in our store. */
const OTHERS_MS = 60_000;

/** Works on a claim for which `selected` was chosen, which the store of vnodes has not got. */
export async function missingVnode(state: VolumeState, home: Claim, selected: string): Promise<Outcome> {
  const { context, missingSince, elapsed } = state;
  const { uid = '' } = home.metadata;
  // Every name that a vnode of ours can have begins so. What has another is a real node, or another binding's.
  if (!selected.startsWith(`vnode-${context.clusterID}-`)) return undefined;
  if ((await homeNow(state, Nodes, '', selected)) || !(await isOursToSay(state, home, selected))) {
    missingSince.delete(uid);
    return { againInMs: OTHERS_MS };
  }
  const since = missingSince.get(uid) ?? elapsed();
  missingSince.set(uid, since);
  const left = since + PATIENCE_MS - elapsed();
  if (left > 0) return { againInMs: left };
  return giveUp(state, home, selected);
}

async function giveUp(state: VolumeState, home: Claim, selected: string): Promise<Outcome> {
  const { context } = state;
  const { namespace = '', name, uid = '' } = home.metadata;
  // What cannot be removed now goes when the worker can be written to: by then home's claim does not want it.
  if (context.mayWriteWorker()) {
    const worker = await workerClaim(state, workerClaimName(namespace, name, uid));
    const ours = worker && holderOf(worker, context)?.uid === uid;
    if (ours && !(await removeUnused(state, worker))) return { againInMs: LOOK_AGAIN_MS };
  }
  const message = `the vnode ${selected}, for which the volume was to be made, is gone; the scheduler may choose another`;
  await tellClaim(context, home, 'ProvisioningFailed', message);
  await resetSelection(state, home, { [GIVEN_BACK]: context.bindingUID });
  state.missingSince.set(uid, state.elapsed());
  return { againInMs: TOLD_AGAIN_MS };
}

/** Whether the claim was given back by us, and {@link tellAgain} has to be called. */
export function isGivenBack({ context }: VolumeState, home: Claim): boolean {
  return home.metadata.annotations?.[GIVEN_BACK] === context.bindingUID;
}

/** Changes a claim that was given back once more, when the scheduler has surely taken note of the first change. */
export async function tellAgain(state: VolumeState, home: Claim): Promise<Outcome> {
  const { context, missingSince, elapsed } = state;
  const { uid = '', annotations } = home.metadata;
  const since = missingSince.get(uid) ?? elapsed();
  missingSince.set(uid, since);
  const left = since + TOLD_AGAIN_MS - elapsed();
  if (left > 0 && annotations?.[VolumeAnnotation.selectedNode] === undefined) return { againInMs: left };
  await annotate(context, home, { [GIVEN_BACK]: null });
  missingSince.delete(uid);
  return undefined;
}

/**
 * Whether a Node that is gone was this binding's vnode: a worker claim was made for it, or its lease is known. Without
 * either its name decides; where clusterIDs begin alike (`a`, `a-b`), the longest that fits says so, and nobody else.
 */
async function isOursToSay({ context, stores }: VolumeState, home: Claim, selected: string): Promise<boolean> {
  const { clusterID } = context;
  const { uid = '' } = home.metadata;
  const made = stores.workerClaims.byIndex('holder', uid).some((worker) => {
    const node = worker.metadata.annotations?.[VolumeAnnotation.selectedNode];
    if (node === undefined || holderOf(worker, context)?.uid !== uid) return false;
    return vnodeNames(clusterID, node).includes(selected);
  });
  if (made || context.stores.records.byIndex('vnode', selected).length > 0) return true;
  const { items } = await context.home.list<ClusterBinding>(ClusterBindings);
  const longer = items.map(({ spec }) => spec.clusterID).filter((other) => other.length > clusterID.length);
  return !longer.some((other) => selected.startsWith(`vnode-${other}-`));
}
