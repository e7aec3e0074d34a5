/** Asks the worker, without making anything, whether it would take off a pod what the pod must not be run without. */
import { Pods } from '@kubeocean/shared/kube';
import { droppedVolumes } from './dropped-volumes.ts';
import { guardsLost, guardsOf, guardsWords } from './left-out.ts';
import type { PodState } from '../state.ts';
import type { Pod } from '../types.ts';

/** How long an API server is believed to keep a field that it has kept. */
const BELIEVED_MS = 600_000;

/**
 * Pods with volumes of images are asked about each time, since those are rare; what isolates or limits a pod, only while it
 * is not known that the worker keeps such a field. All other pods cost no request.
 * @returns what to say when the pod must not be made
 * @throws ApiError as the create itself would
 */
export async function wouldDrop({ context, kept }: PodState, pod: Pod): Promise<string | undefined> {
  const now = performance.now();
  const guards = [...guardsOf(pod).keys()];
  const unknown = guards.filter((guard) => (kept.get(guard) ?? 0) < now);
  const hasImages = pod.spec.volumes?.some((volume) => volume['image'] !== undefined) ?? false;
  if (!hasImages && unknown.length === 0) return undefined;
  const made = await context.worker.create<Pod>(Pods, pod, { dryRun: true });
  const lost = guardsLost(pod, made);
  for (const guard of guards) {
    if (lost.includes(guard)) kept.delete(guard);
    else kept.set(guard, now + BELIEVED_MS);
  }
  return lost.length > 0 ? guardsWords(lost, 'would run') : droppedVolumes(pod, made);
}
