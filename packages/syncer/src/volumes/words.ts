/** What people are told of a claim that has no volume yet: on the claim, and on the pods that wait for it. */
import { labelValue, OfferedTo } from '@kubeocean/shared/api';
import { type EventSubject, Events, type KubeObject, Pods } from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';
import { type Pod, podSubject } from '../pods/types.ts';
import { holderOf } from './to-worker.ts';
import { type Claim, claimSubject, Claims, type Volume } from './types.ts';

const TOLD_MS = 60_000;

interface Event extends KubeObject {
  type?: string;
  reason?: string;
  message?: string;
}

/** A warning on the home claim, and on pods that the scheduler holds back for it: they show nothing else meanwhile. */
export async function tellClaim(context: SyncerContext, claim: Claim, reason: string, message: string): Promise<void> {
  context.homeEvents.event(claimSubject(claim), 'Warning', reason, message);
  for (const pod of await waitingPods(context, claim)) {
    const text = `waiting for the volume of the claim ${claim.metadata.name}: ${message}`;
    context.homeEvents.event(podSubject(pod), 'Warning', reason, text);
  }
}

/** {@link tellClaim} of what only a person can mend; told again while it is so. */
export async function tellAndWait(
  context: SyncerContext,
  claim: Claim,
  message: string,
  reason = 'ProvisioningFailed',
): Promise<{ againInMs: number }> {
  await tellClaim(context, claim, reason, message);
  return { againInMs: TOLD_MS };
}

/** Pods without a node that name the claim. They are on no vnode yet, so no store has them. */
async function waitingPods(context: SyncerContext, claim: Claim): Promise<KubeObject[]> {
  const { namespace = '' } = claim.metadata;
  const page = await context.home.list<KubeObject>(Pods, { namespace, fieldSelector: 'spec.nodeName=', limit: 500 });
  return page.items.filter((pod) => claimNames(pod as Pod).includes(claim.metadata.name));
}

/** A warning on a home volume. */
export function tellVolume(context: SyncerContext, { metadata }: Volume, reason: string, message: string): void {
  const { name, uid } = metadata;
  const subject = { apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name, ...(uid && { uid }) } };
  context.homeEvents.event(subject, 'Warning', reason, message);
}

/** Why the worker claim behind a home volume is not taken for that volume's, and what to do. */
export function whyNotHeld(context: SyncerContext, worker: Claim, volume: Volume): string {
  const { metadata } = worker;
  const of = `the claim ${context.mountNamespace}/${metadata.name} of the worker cluster`;
  if (metadata.labels?.[OfferedTo] !== undefined) {
    return `${of} is offered by its owner (label ${OfferedTo}): only volumes that were made by hand stand for it`;
  }
  const holder = holderOf(worker, context);
  if (!holder)
    return `${of} no longer says whose volume ${volume.metadata.name} is and is not touched: ask the worker's owner`;
  const now = volume.spec.claimRef?.uid ? 'another claim' : 'no claim';
  return `${of} holds the data of the claim ${holder.namespace}/${holder.name} with the UID ${holder.uid}, and the volume ${volume.metadata.name} names ${now} by now, so nothing is done with it; to use the data again, have the worker's owner label that claim ${OfferedTo}=${labelValue(context.bindingName)} and make another volume for it by hand (docs/operations.md, Storage)`;
}

/** Names of the claims that a pod's volumes stand on. A generic ephemeral volume has one of its own. */
export function claimNames(pod: Pod): string[] {
  return (pod.spec.volumes ?? []).flatMap((volume) => claimNameOf(pod, volume) ?? []);
}

/** https://kubernetes.io/docs/concepts/storage/ephemeral-volumes/#persistentvolumeclaim-naming */
export function claimNameOf(pod: Pod, volume: NonNullable<Pod['spec']['volumes']>[number]): string | undefined {
  const named = volume['persistentVolumeClaim'] as { claimName?: string } | undefined;
  if (named) return named.claimName;
  return volume['ephemeral'] === undefined ? undefined : `${pod.metadata.name}-${volume.name}`;
}

/** What the worker's own controllers say of a claim there, newest last, each once. */
export async function workerWarnings(context: SyncerContext, worker: Claim): Promise<string[]> {
  const { namespace = '', name, uid } = worker.metadata;
  const fields = [`involvedObject.kind=${Claims.kind}`, `involvedObject.name=${name}`, 'type=Warning'];
  const { items } = await context.worker.list<Event>(Events, { namespace, fieldSelector: fields.join(','), limit: 50 });
  const own = items.filter((event) => (event['involvedObject'] as EventSubject['metadata'] | undefined)?.uid === uid);
  return [...new Set(own.map(({ reason, message }) => `${reason ?? 'Warning'}: ${message ?? ''}`))];
}
