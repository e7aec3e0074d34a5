/** Our memory of what we put on a Node: in an annotation there, so that the next syncer has it too. Pure. */
import { Label, type Taint } from '@kubeocean/shared/api';
import { isObject, type KubeObject } from '@kubeocean/shared/kube';
import type { DesiredVnode } from './from-record.ts';

export const APPLIED = 'kubeocean.io/applied';

export interface Applied {
  /**
   * UID of the binding whose vnode it is, should its label be taken off. There from the first record on: before (adopted,
   * or our memory was edited), nothing tells a taint that the worker node brought from a user's.
   */
  binding?: string;
  /** Values, to see whether home has changed one since. */
  labels: Record<string, string>;
  /** `key:effect` */
  taints: string[];
  conditions: string[];
  resources: string[];
  /** A user had cordoned it before it was drained. */
  cordoned?: boolean;
}

/** What of a Node turned out to be a user's own, or to be left to them. */
export interface Kept {
  /** Labels of the worker node, without those that are home's. */
  labels: Record<string, string>;
  /** Identities of the taints that a user had put there before. */
  theirs: ReadonlySet<string>;
  cordoned: boolean;
}

/** The memory as it should be written. */
export function appliedBy(desired: DesiredVnode, previous: Applied | undefined, kept?: Kept): object {
  const carried = kept?.labels ?? desired.carriedLabels ?? {};
  const labels = Object.fromEntries(Object.entries(carried).sort(([a], [b]) => (a < b ? -1 : 1)));
  const binding = desired.ownLabels[Label.bindingUID];
  const cordoned = kept?.cordoned && { cordoned: true };
  // What a record that is missing now once brought stays ours to remove.
  if (!desired.status && previous) {
    const { taints, conditions, resources } = previous;
    return { labels, taints, conditions, resources, ...(previous.binding && { binding }), ...cordoned };
  }
  const ours = desired.taints.map(taintID).filter((taint) => !kept?.theirs.has(taint));
  return {
    labels,
    taints: ours.sort(),
    conditions: (desired.status?.conditions.length
      ? desired.status.conditions.map(({ type }) => type)
      : (previous?.conditions ?? [])
    ).sort(),
    resources: Object.keys(desired.status?.resources ?? {}).sort(),
    ...(binding && { binding }),
    ...cordoned,
  };
}

export function readApplied(node: KubeObject): Applied {
  const empty: Applied = { labels: {}, taints: [], conditions: [], resources: [] };
  try {
    const text = node.metadata.annotations?.[APPLIED];
    const known: unknown = JSON.parse(text ?? 'null');
    if (!isObject(known)) return empty;
    const list = (value: unknown) => (Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []);
    const labels = isObject(known['labels']) ? Object.entries(known['labels']) : [];
    const { binding } = known;
    return {
      ...(typeof binding === 'string' && { binding }),
      labels: Object.fromEntries(labels.filter((entry): entry is [string, string] => typeof entry[1] === 'string')),
      taints: list(known['taints']),
      conditions: list(known['conditions']),
      resources: list(known['resources']),
      ...(known['cordoned'] === true && { cordoned: true }),
    };
  } catch {
    // Somebody edited it: what we put there earlier counts as theirs now.
    return empty;
  }
}

/** UID of the binding that made the Node, as our own memory has it. */
export function bindingThatMade(node: KubeObject): string | undefined {
  return readApplied(node).binding;
}

export function taintID(taint: Taint): string {
  return `${taint.key}:${taint.effect}`;
}
