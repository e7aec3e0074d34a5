/**
 * The downward API of a worker pod shows the *home* pod. Environment variables become literal values; files are
 * redirected to annotations of the worker pod, which are kept up to date, because files of the downward API change
 * with their pod. What only the worker knows (status.podIP, resource limits) is left to its kubelet.
 *
 * Field paths: https://kubernetes.io/docs/concepts/workloads/pods/downward-api/
 */
import { createHash } from 'node:crypto';
import { Annotation } from '@kubeocean/shared/api';
import { goQuoted } from './go-quoted.ts';
import { Refusal } from './refusal.ts';
import type { DownwardItem, Pod } from '../types.ts';

const SUBSCRIPT = /^metadata\.(labels|annotations)\['(.+)'\]$/;
/** Answered by the worker's kubelet. */
const WORKER_FIELDS = new Set(['status.podIP', 'status.podIPs', 'status.hostIP', 'status.hostIPs']);

/**
 * Value of a field of the home pod, as a kubelet would give it; undefined when the worker's kubelet is to answer.
 * @throws Refusal for a path that is not known, because the worker would answer it about the wrong pod.
 */
export function downwardValue(home: Pod, fieldPath: string): string | undefined {
  switch (fieldPath) {
    case 'metadata.name':
      return home.metadata.name;
    case 'metadata.namespace':
      return home.metadata.namespace ?? '';
    case 'metadata.uid':
      return home.metadata.uid ?? '';
    case 'metadata.labels':
      return formatMap(home.metadata.labels);
    case 'metadata.annotations':
      return formatMap(home.metadata.annotations);
    case 'spec.nodeName':
      return home.spec.nodeName ?? '';
    case 'spec.serviceAccountName':
      return home.spec.serviceAccountName ?? '';
  }
  const subscript = SUBSCRIPT.exec(fieldPath);
  if (subscript) {
    const map = subscript[1] === 'labels' ? home.metadata.labels : home.metadata.annotations;
    const key = subscript[2] as string;
    return map && Object.hasOwn(map, key) ? (map[key] ?? '') : '';
  }
  if (WORKER_FIELDS.has(fieldPath)) return undefined;
  throw new Refusal('FieldNotCarried', `the field ${fieldPath} of the downward API is not known to Kubeocean`);
}

/** One `key="value"` a line, sorted, as a kubelet writes maps (k8s.io/kubernetes/pkg/fieldpath FormatMap). */
function formatMap(map: Record<string, string> = {}): string {
  return Object.keys(map)
    .sort()
    .map((key) => `${key}=${goQuoted(map[key] ?? '')}`)
    .join('\n');
}

/** Annotation of the worker pod that holds the value of `fieldPath`. */
function downwardAnnotation(fieldPath: string): string {
  if (!fieldPath.includes('[')) return `${Annotation.downwardPrefix}${fieldPath}`;
  const hash = createHash('sha256').update(fieldPath).digest('hex').slice(0, 16);
  return `${Annotation.downwardPrefix}${fieldPath.slice(0, fieldPath.indexOf('['))}.${hash}`;
}

/** Annotations that the downward API files of the worker pod need, from the home pod as it is now. */
export function downwardAnnotations(home: Pod): Record<string, string> {
  const annotations: Record<string, string> = {};
  for (const volume of home.spec.volumes ?? []) {
    const items = [
      ...(volume.downwardAPI?.items ?? []),
      ...(volume.projected?.sources ?? []).flatMap((source) => source.downwardAPI?.items ?? []),
    ];
    for (const { fieldRef } of items) {
      const value = fieldRef && downwardValue(home, fieldRef.fieldPath);
      if (fieldRef && value !== undefined) annotations[downwardAnnotation(fieldRef.fieldPath)] = value;
    }
  }
  return annotations;
}

/** The item, reading from the annotation where home's value is wanted. */
export function redirectItem(home: Pod, item: DownwardItem): DownwardItem {
  if (!item.fieldRef || downwardValue(home, item.fieldRef.fieldPath) === undefined) return item;
  const fieldPath = `metadata.annotations['${downwardAnnotation(item.fieldRef.fieldPath)}']`;
  return { ...item, fieldRef: { ...item.fieldRef, fieldPath } };
}
