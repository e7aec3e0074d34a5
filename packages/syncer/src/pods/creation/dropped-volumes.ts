/**
 * Volumes that an API server takes off a pod without a word, with every mount of them: those of images, where its feature
 * gate ImageVolume is off (`dropImageVolumes` in Kubernetes' pkg/api/pod/util.go). Such a pod would run without its data.
 */
import type { Pod } from '../types.ts';

/** What to say when the worker would leave out volumes that `asked` has; undefined when it has none or keeps them. */
export function droppedVolumes(asked: Pod, made: Pod): string | undefined {
  const kept = new Set(made.spec.volumes?.map(({ name }) => name));
  const dropped = (asked.spec.volumes ?? []).filter(({ name }) => !kept.has(name));
  if (dropped.length === 0) return undefined;
  const names = dropped.map(({ name }) => name).join(', ');
  return `the worker cluster would run the pod without its volume ${names}: volumes of images need the feature gate ImageVolume on its API servers and kubelets (on by default from Kubernetes 1.35)`;
}
