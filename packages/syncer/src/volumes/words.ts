/** What people are told of a claim that has no volume yet: on the claim, and on the pods that wait for it. */
import { labelValue, OfferedTo } from '@kubeocean/shared/api';
import { type EventSubject, Events, type KubeClient, type KubeObject, PAGE_SIZE, Pods } from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';
import { cachePerClient } from '../per-client.ts';
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
  const { namespace = '', name } = claim.metadata;
  for (const { subject } of await podsWaitingFor(context.home, namespace, name)) {
    context.homeEvents.event(subject, 'Warning', reason, `waiting for the volume of the claim ${name}: ${message}`);
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

interface WaitingPod {
  subject: EventSubject;
  claims: readonly string[];
}

/** Pods of a namespace without a node that name a claim. They are on no vnode yet, so no store has them. */
interface WaitingPods {
  /** Milliseconds of a monotonic clock; pods made since may be missing. */
  askedAt: number;
  pods: readonly WaitingPod[];
}

/** A list stands for so long, in milliseconds: hundreds of claims of a namespace fail in the same moment, again and again. */
const HELD_MS = 500;
const waiting = cachePerClient<WaitingPods>({ holdMs: () => HELD_MS, bound: 10 });

/** A claim that is looked at has a pod that waits for it, mostly: when a list that is held has none, that pod is newer. */
async function podsWaitingFor(home: KubeClient, namespace: string, claim: string): Promise<readonly WaitingPod[]> {
  const now = performance.now();
  const held = waiting(home);
  const ask = () => listWaiting(home, namespace);
  const naming = ({ pods }: WaitingPods) => pods.filter(({ claims }) => claims.includes(claim));
  const list = await held.get(namespace, ask);
  const found = naming(list);
  if (found.length > 0 || list.askedAt >= now) return found;
  held.forget(namespace);
  return naming(await held.get(namespace, ask));
}

async function listWaiting(home: KubeClient, namespace: string): Promise<WaitingPods> {
  const askedAt = performance.now();
  const unplaced = { namespace, fieldSelector: 'spec.nodeName=', limit: PAGE_SIZE };
  const pods: WaitingPod[] = [];
  // Of all pages: those that wait may be thousands.
  for await (const { items } of home.pages<Pod>(Pods, unplaced)) {
    for (const pod of items) {
      const claims = claimNames(pod);
      if (claims.length > 0) pods.push({ subject: podSubject(pod), claims });
    }
  }
  return { askedAt, pods };
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
  return `${of} holds the data of the claim ${holder.namespace}/${holder.name} with the UID ${holder.uid}, and the volume ${volume.metadata.name} names ${now} by now, so nothing is done with it; to use the data again, have the worker's owner label that claim ${OfferedTo}=${labelValue(context.bindingName)} and make another volume for it by hand (docs/storage.md)`;
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

/** By UID of the claim that they are about. */
type Warnings = ReadonlyMap<string, readonly string[]>;

/**
 * A list stands for so long, in milliseconds: to find the events of one claim an API server goes over all that there are, and
 * hundreds of claims may wait for their volumes.
 */
const WARNINGS_HELD_MS = 2500;
const WARNINGS_PAGE = 500;
/** A list has as many pages as its server says. */
const MOST_PAGES = 20;
const MOST_OF_ONE = 50;
const warnings = cachePerClient<Warnings>({ holdMs: () => WARNINGS_HELD_MS, bound: 1 });

/** What the worker's own controllers say of a claim there, newest last, each once. */
export async function workerWarnings(context: SyncerContext, worker: Claim): Promise<readonly string[]> {
  const { namespace = '', uid = '' } = worker.metadata;
  const found = await warnings(context.worker).get(namespace, () => claimWarnings(context.worker, namespace));
  return found.get(uid) ?? [];
}

async function claimWarnings(worker: KubeClient, namespace: string): Promise<Warnings> {
  const fieldSelector = `involvedObject.kind=${Claims.kind},type=Warning`;
  const found = new Map<string, string[]>();
  let pages = 0;
  for await (const { items } of worker.pages<Event>(Events, { namespace, fieldSelector, limit: WARNINGS_PAGE })) {
    for (const event of items) {
      const { uid = '' } = (event['involvedObject'] as Partial<EventSubject['metadata']> | undefined) ?? {};
      const words = `${event.reason ?? 'Warning'}: ${event.message ?? ''}`;
      const known = found.get(uid);
      if (!known) found.set(uid, [words]);
      else if (known.length < MOST_OF_ONE && !known.includes(words)) known.push(words);
    }
    if (++pages >= MOST_PAGES) break;
  }
  return found;
}
