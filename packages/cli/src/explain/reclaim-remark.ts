/** An annotation that was meant to take something back, and does not. Pure. */
import { Annotation } from '@kubeocean/shared/api';
import type { KubeObject } from '@kubeocean/shared/kube';

/** At most one line: the agent heeds no other value than "now", and says nothing of others. */
export function reclaimRemark(what: string, { metadata }: Pick<KubeObject, 'metadata'>): string[] {
  const value = metadata.annotations?.[Annotation.reclaim];
  if (value === undefined || value === 'now') return [];
  return [
    `The annotation ${Annotation.reclaim} of ${what} says ${JSON.stringify(value)}, which does nothing: only "now" takes back.`,
  ];
}
