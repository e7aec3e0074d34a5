/**
 * Looks at everything again from time to time. Watches tell of most changes at once; this finds what no watch tells of:
 * copies whose content somebody changed while no syncer ran, worker pods that lost the label by which they are watched,
 * and keys whose news was lost in whatever way nobody has thought of.
 */
import { Finalizer, Label } from '@kubeocean/shared/api';
import { messageOf, Pods, sleep } from '@kubeocean/shared/kube';
import type { SyncerContext } from '../context.ts';
import type { Repairs } from '../repairs.ts';
import { isGone, mayWriteWorker, WritesHeld } from './gate.ts';
import { homeKeyOf } from './ownership.ts';
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
 * then found to be an orphan. Only what has the name derived for the home pod it speaks of, and our finalizer, is ours.
 */
async function relabel(context: SyncerContext, repairs: Repairs): Promise<void> {
  const { worker, mountNamespace, bindingUID } = context;
  const labelSelector = `${Label.bindingUID}!=${bindingUID}`;
  const list = await worker.list<Pod>(Pods, { namespace: mountNamespace, labelSelector });
  for (const pod of list.items) {
    const labels = bindingLabels(context);
    const labelled = { ...pod, metadata: { ...pod.metadata, labels } };
    const isOurs =
      homeKeyOf(labelled, bindingUID) !== undefined && pod.metadata.finalizers?.includes(Finalizer.homeSync);
    if (!isOurs) continue;
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
