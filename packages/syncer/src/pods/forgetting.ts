/**
 * What is remembered of pods by their UIDs goes with them. A watch may tell that a pod is gone while it is worked on, and what
 * that work notes afterwards would stay for ever: so it is forgotten once more when the work has ended.
 */
import type { KubeObject } from '@kubeocean/shared/kube';

type Memory = { forget(uid: string): void } | { delete(uid: string): unknown };

export function forgetIn(memories: readonly Memory[], { metadata: { uid = '' } }: KubeObject): void {
  for (const memory of memories) {
    if ('forget' in memory) memory.forget(uid);
    else memory.delete(uid);
  }
}

/** Forgets the pod that was worked on, unless one of those that are known by now is this very pod. */
export function forgetGone(
  memories: readonly Memory[],
  pod: KubeObject | undefined,
  ...known: (KubeObject | undefined)[]
): void {
  if (pod && !known.some((each) => each?.metadata.uid === pod.metadata.uid)) forgetIn(memories, pod);
}
