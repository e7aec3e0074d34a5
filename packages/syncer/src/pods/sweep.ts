/**
 * Looks at everything again from time to time. Watches tell of most changes at once; this finds what no watch tells of:
 * copies whose content somebody changed while no syncer ran, worker pods that lost the label by which they are watched,
 * and keys whose news was lost in whatever way nobody has thought of.
 */
import { Finalizer, Label, workerName } from '@kubeocean/shared/api';
import { messageOf, Pods, sleep, splitKey } from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';
import type { Repairs } from '../repairs.ts';
import { isGone, mayWriteWorker, WritesHeld } from './gate.ts';
import { claimedUID, homeKeyOf } from './ownership.ts';
import { bindingLabels } from './to-worker.ts';
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
  const list = await worker.list<Pod>(Pods, { namespace: mountNamespace, labelSelector });
  const labels = bindingLabels(context);
  for (const pod of list.items) {
    if (!isOurs(context, pod)) continue;
    mayWriteWorker(context);
    try {
      const patch = { metadata: { uid: pod.metadata.uid, labels } };
      await worker.patch(Pods, mountNamespace, pod.metadata.name, patch);
    } catch (error) {
      if (isGone(error)) continue;
      throw error;
    }
    repairs.count('pod', 'labels');
    context.log.warn({ worker: pod.metadata.name }, 'worker pod had lost its labels');
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
