/**
 * Looks at everything again from time to time. Watches tell of most changes at once; this finds what no watch tells of:
 * copies whose content somebody changed while no syncer ran, worker pods that lost the label by which they are watched,
 * and keys whose news was lost in whatever way nobody has thought of.
 */
import { Finalizer, Label, workerName } from '@kubeocean/shared/api';
import { messageOf, PAGE_SIZE, Pods, sleep, splitKey } from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';
import type { Repairs } from '../repairs.ts';
import { isGone, mayWriteWorker, WritesHeld } from '../gate.ts';
import { claimedUID, homeKeyOf } from './writes/ownership.ts';
import { createParts } from '../parts.ts';
import { bindingLabels } from './translation/to-worker.ts';
import type { Pod } from './types.ts';

export interface Swept {
  /** Looks again at every home pod, and at every worker pod of this binding. */
  pods(): void;
  /** Looks again at every copy, its content too. */
  copies(): void;
}

/** Sweeps every so many milliseconds until the signal aborts; 0: never. */
export async function sweepEvery(
  context: SyncerContext,
  everyMs: number,
  parts: Swept,
  repairs: Repairs,
  signal: AbortSignal,
): Promise<void> {
  if (everyMs === 0) return;
  for (;;) {
    await sleep(everyMs, signal).catch(() => undefined);
    if (signal.aborted) return;
    try {
      await relabel(context, repairs);
    } catch (error) {
      if (!(error instanceof WritesHeld)) context.log.warn({ error: messageOf(error) }, 'sweep');
    }
    parts.pods();
    parts.copies();
  }
}

/**
 * Gives worker pods their labels back that lost the binding's, so that they are watched again: one without a home pod is
 * then found to be an orphan.
 */
async function relabel(context: SyncerContext, repairs: Repairs): Promise<void> {
  const { worker, mountNamespace, bindingUID } = context;
  const labelSelector = `${Label.bindingUID}!=${bindingUID}`;
  const others = { namespace: mountNamespace, labelSelector, limit: PAGE_SIZE };
  const labels = bindingLabels(context);
  // One that a webhook guards must not keep the others from theirs.
  const parts = createParts();
  for await (const { items } of worker.pages<Pod>(Pods, others, { metadataOnly: true })) {
    for (const pod of items) if (isOurs(context, pod)) await parts.run(() => putBack(pod));
  }
  if (parts.failure !== undefined) throw parts.failure;

  async function putBack({ metadata: { name, uid } }: Pod): Promise<void> {
    mayWriteWorker(context);
    try {
      await worker.patch(Pods, mountNamespace, name, { metadata: { uid, labels } });
    } catch (error) {
      if (isGone(error)) return;
      throw error;
    }
    repairs.count('pod', 'labels');
    context.log.warn({ worker: name }, 'worker pod had lost its labels');
  }
}

/**
 * Whether a pod of the mount namespace that has not got our label is ours: it has our finalizer and the name derived for the
 * home pod that it speaks of. The name of one that was adopted from gocrane/kubeocean says nothing of the binding, and
 * others may share the namespace: then the home pod has to be known, on a vnode of ours.
 */
function isOurs(context: SyncerContext, pod: Pod): boolean {
  const { bindingUID, stores } = context;
  const { name, finalizers } = pod.metadata;
  const labelled = { ...pod, metadata: { ...pod.metadata, labels: bindingLabels(context) } };
  const homeKey = homeKeyOf(labelled, bindingUID);
  if (homeKey === undefined || !finalizers?.includes(Finalizer.homeSync)) return false;
  const { namespace, name: homeName } = splitKey(homeKey);
  if (name === workerName(bindingUID, namespace, homeName)) return true;
  const home = stores.homePods.get(homeKey) as Pod | undefined;
  const vnode = stores.vnodes.get(home?.spec.nodeName ?? '');
  return home?.metadata.uid === claimedUID(pod) && vnode?.metadata.labels?.[Label.bindingUID] === bindingUID;
}
