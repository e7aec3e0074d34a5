/** What somebody changed by hand of a worker pod, and what puts it right. Pure. */
import { Finalizer } from '@kubeocean/shared/api';
import { ownMetadata } from '../translation/to-worker.ts';
import type { Pod } from '../types.ts';

/** What was repaired of a worker pod. */
export type PodRepair = 'labels' | 'annotations' | 'finalizer';

export interface Drift {
  what: PodRepair[];
  /** A strategic merge patch of the worker pod. */
  patch: { metadata: Record<string, unknown> };
}

/**
 * What is missing or changed of the metadata that we put on the worker pod of this home pod; undefined when nothing is.
 * Whatever others added to it stays. A pod that is being deleted takes no finalizer any more.
 */
export function driftOf(home: Pod, worker: Pod, facts: { bindingName: string; bindingUID: string }): Drift | undefined {
  const { uid, labels, annotations, finalizers = [], deletionTimestamp } = worker.metadata;
  const own = ownMetadata(home, facts);
  const wanted = {
    labels: changed(labels, own.labels),
    annotations: changed(annotations, own.annotations),
    finalizers: finalizers.includes(Finalizer.homeSync) || deletionTimestamp ? undefined : [Finalizer.homeSync],
  };
  const what: PodRepair[] = [];
  if (wanted.labels) what.push('labels');
  if (wanted.annotations) what.push('annotations');
  if (wanted.finalizers) what.push('finalizer');
  if (what.length === 0) return undefined;
  const patched = Object.entries(wanted).filter(([, value]) => value !== undefined);
  return { what, patch: { metadata: { uid, ...Object.fromEntries(patched) } } };
}

function changed(
  present: Record<string, string> = {},
  wanted: Record<string, string>,
): Record<string, string> | undefined {
  const entries = Object.entries(wanted).filter(([key, value]) => present[key] !== value);
  return entries.length > 0 ? Object.fromEntries(entries) : undefined;
}
