/** Sentences that several explanations say. Pure. */
import type { KubeObject } from '@kubeocean/shared/kube';
import { misreadReclaim } from '@kubeocean/shared/lease';

/** First letter large, and a full stop. */
export function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
}

/** At most one line: the agent heeds no other value than "now". */
export function reclaimRemark(what: string, object: Pick<KubeObject, 'metadata'>): string[] {
  const words = misreadReclaim(what, object);
  return words === undefined ? [] : [sentence(words)];
}
