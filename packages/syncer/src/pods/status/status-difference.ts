/** The smallest strategic merge patch from the status that home shows to the one it should show. Pure. */
import { PodCondition } from '@kubeocean/shared/api';
import { type Condition, deepEqual, type Json } from '@kubeocean/shared/kube';
import { cut, cutWords } from '../../cut.ts';
import type { PodStatus } from '../types.ts';

/** Conditions that a kubelet owns (kubelet/types IsKubeletConditionType …). PodScheduled is home's scheduler's. */
export const KUBELET_CONDITIONS: readonly string[] = [
  'Initialized',
  'Ready',
  'ContainersReady',
  'PodReadyToStartContainers',
  'PodResizePending',
  'PodResizeInProgress',
  'AllContainersRestarting',
];

/**
 * Fields of the status that come from the worker, beside the conditions. A field that is not listed here is not carried,
 * a new one of Kubernetes neither: it may be one that home's scheduler or API server keeps (`nominatedNodeName` and
 * `qosClass` are such). e2e/pods-fields.test.ts tells of new ones. What is new inside a container's status is carried.
 */
export const STATUS_FIELDS = [
  'phase',
  'reason',
  'message',
  'startTime',
  'podIP',
  'hostIP',
  'observedGeneration',
  'containerStatuses',
  'initContainerStatuses',
  'ephemeralContainerStatuses',
  'resize',
  'resources',
  'allocatedResources',
] as const;
/** Of these, absent in the worker means removed at home; of the others, that it has not said anything yet. */
const REMOVED: readonly string[] = ['reason', 'message', 'resize'];
/** Lists that a strategic merge patch would merge by `ip`; they are replaced whole. */
export const ADDRESS_LISTS = ['podIPs', 'hostIPs'] as const;

/** What says of a pod without a worker pod why it has none. */
const WITHOUT_WORKER: readonly string[] = [PodCondition.notRun, PodCondition.refused];

/** Reason of Ready on a DaemonSet's pod that has no worker pod, and is to have none (own-patches.ts). */
export const EXCUSED = 'NotRun';

export function isExcuse({ type, reason }: Condition): boolean {
  return type === 'Ready' && reason === EXCUSED;
}

/**
 * @param withheld fields that home must not show, whatever the worker says
 * @returns undefined when home shows all of it already.
 */
export function statusDifference(
  current: PodStatus,
  wanted: PodStatus,
  withheld: readonly (keyof PodStatus)[] = [],
): Json | undefined {
  const status: Json = {};
  for (const field of withheld) if ((current[field] ?? undefined) !== undefined) status[field] = null;
  for (const field of STATUS_FIELDS) {
    if (wanted[field] === undefined && !REMOVED.includes(field)) continue;
    if (!deepEqual(tidied(current[field]), wanted[field])) status[field] = wanted[field] ?? null;
  }
  for (const field of ADDRESS_LISTS) {
    if (wanted[field] && !deepEqual(current[field], wanted[field])) {
      status[field] = [{ $patch: 'replace' }, ...wanted[field]];
    }
  }
  const conditions = conditionsDifference(current.conditions ?? [], wanted.conditions ?? []);
  if (conditions.length > 0) status['conditions'] = conditions;
  return Object.keys(status).length > 0 ? status : undefined;
}

function conditionsDifference(current: Condition[], wanted: Condition[]): Json[] {
  const difference: Json[] = [];
  for (const condition of wanted) {
    const known = current.find(({ type }) => type === condition.type);
    if (known && deepEqual(tidied(known), condition)) continue;
    const change: Json = { ...condition };
    for (const field of Object.keys(known ?? {})) if (!(field in condition)) change[field] = null;
    difference.push(change);
  }
  for (const condition of current) {
    const { type } = condition;
    const isOfNoWorker = WITHOUT_WORKER.includes(type) || isExcuse(condition);
    // A worker that has said nothing yet takes nothing of a kubelet's away.
    const owned = isOfNoWorker || (wanted.length > 0 && KUBELET_CONDITIONS.includes(type));
    if (owned && !wanted.some((condition) => condition.type === type)) difference.push({ type, $patch: 'delete' });
  }
  return difference;
}

/**
 * The value without fields that are null or undefined, at any depth: to a patch they mean "remove". Its texts are cut to
 * what kubelets write at most, and speak to no terminal: a worker may say anything. What a container left behind is its users' own
 * and stays as it is. What needs none of it is given back itself.
 */
export function tidied(value: unknown): unknown {
  if (typeof value === 'string') return cutWords(value);
  if (typeof value !== 'object' || value === null) return value;
  return Array.isArray(value) ? tidiedItems(value) : tidiedFields(value as Json);
}

function tidiedItems(items: readonly unknown[]): readonly unknown[] {
  let kept: unknown[] | undefined;
  for (let at = 0; at < items.length; at++) {
    const inner = tidied(items[at]);
    if (inner === items[at]) continue;
    kept ??= [...items];
    kept[at] = inner;
  }
  return kept ?? items;
}

function tidiedFields(object: Json): Json {
  let isSame = true;
  const kept: Json = {};
  for (const field of Object.keys(object)) {
    const value = object[field];
    const isLeftBehind = field === 'message' && typeof value === 'string' && 'exitCode' in object;
    const inner = isLeftBehind ? cut(value) : tidied(value);
    if (inner !== value || inner === null || inner === undefined) isSame = false;
    if (inner !== null && inner !== undefined) kept[field] = inner;
  }
  return isSame ? object : kept;
}
