/**
 * From a Node as it is to a vnode as it should be, in the fewest writes. Labels, annotations, taints, conditions and
 * resources that others added stay: what we added is remembered in the annotation `kubeocean.io/applied`. Pure.
 */
import { Finalizer, type Taint, TaintKey } from '@kubeocean/shared/api';
import { type Condition, deepEqual, type Json, type KubeObject } from '@kubeocean/shared/kube';
import { rfc3339 } from '@kubeocean/shared/lease';
import { type Applied, APPLIED, appliedBy, readApplied, taintID } from './applied.ts';
import type { DesiredStatus, DesiredVnode } from './from-record.ts';
import { NETWORK_UNAVAILABLE } from './sanitize.ts';

export interface VnodePlan {
  /** JSON merge patch of metadata and spec; carries uid, and resourceVersion where a list is replaced whole. */
  patch?: Json;
  /** Strategic merge patch of the status subresource, to be written first. */
  statusPatch?: Json;
}

interface NodeSpec extends Json {
  taints?: Taint[];
  unschedulable?: boolean;
  providerID?: string;
}

interface NodeStatus extends Json {
  capacity?: Record<string, string>;
  allocatable?: Record<string, string>;
  conditions?: Condition[];
  nodeInfo?: Json;
  addresses?: { type: string; address: string }[];
  daemonEndpoints?: { kubeletEndpoint?: { Port?: number } };
}

/** The Node to create, with its status: Nodes take both at once, as the kubelet registers them. */
export function newVnode(desired: DesiredVnode, now: Date): KubeObject {
  const status = desired.status;
  return {
    metadata: {
      name: desired.name,
      labels: { ...desired.carriedLabels, ...desired.ownLabels },
      annotations: { ...desired.annotations, [APPLIED]: JSON.stringify(appliedBy(desired, undefined)) },
      finalizers: [Finalizer.vnode],
    },
    spec: {
      providerID: desired.providerID,
      ...(desired.taints.length > 0 && { taints: desired.taints }),
      ...(desired.draining && { unschedulable: true }),
    },
    status: {
      capacity: status?.resources ?? {},
      allocatable: status?.resources ?? {},
      conditions: (status?.conditions ?? []).map((condition) => stamped(condition, now)),
      ...(status && { nodeInfo: status.nodeInfo }),
      addresses: addressesOf(desired),
      daemonEndpoints: { kubeletEndpoint: { Port: desired.port } },
    },
  };
}

/**
 * What has to be written; nothing when the Node is as it should be. `now` only dates conditions that change.
 * @param keepsReady while the worker says nothing of the node, home does not take it for lost
 */
export function planVnode(current: KubeObject, desired: DesiredVnode, now: Date, keepsReady = false): VnodePlan {
  const applied = readApplied(current);
  const patch = planMetadataAndSpec(current, desired, applied);
  const statusPatch = planStatus(current, desired, applied, now, keepsReady);
  return { ...(patch && { patch }), ...(statusPatch && { statusPatch }) };
}

function planMetadataAndSpec(current: KubeObject, desired: DesiredVnode, applied: Applied): Json | undefined {
  const { metadata } = current;
  const spec = (current['spec'] ?? {}) as NodeSpec;
  const patch: { metadata: Json; spec: Json } = { metadata: {}, spec: {} };
  let guarded = false;

  const labels = planLabels(metadata.labels ?? {}, desired, applied);
  if (Object.keys(labels.patch).length > 0) patch.metadata['labels'] = labels.patch;

  const taints = planTaints(spec.taints ?? [], desired, applied);
  // Our own cordon is told from a user's by the taint that goes with it, and by what was there before.
  const wasDraining = (spec.taints ?? []).some(({ key }) => key === TaintKey.vnodeDeleting);
  const cordoned = desired.draining && spec.unschedulable === true && (!wasDraining || applied.cordoned === true);
  const kept = { labels: labels.kept, theirs: taints.theirs, cordoned };
  const annotations = { ...desired.annotations, [APPLIED]: JSON.stringify(appliedBy(desired, applied, kept)) };
  const changed: [string, string | null][] = Object.entries(annotations).filter(
    ([key, value]) => metadata.annotations?.[key] !== value,
  );
  for (const key of desired.without ?? []) if (metadata.annotations?.[key] !== undefined) changed.push([key, null]);
  if (changed.length > 0) patch.metadata['annotations'] = Object.fromEntries(changed);

  if (!metadata.deletionTimestamp && !metadata.finalizers?.includes(Finalizer.vnode)) {
    patch.metadata['finalizers'] = [...(metadata.finalizers ?? []), Finalizer.vnode];
    guarded = true;
  }

  if (taints.next) {
    patch.spec['taints'] = taints.next;
    guarded = true;
  }
  if (desired.draining && !spec.unschedulable) patch.spec['unschedulable'] = true;
  if (!desired.draining && wasDraining && spec.unschedulable && !applied.cordoned) patch.spec['unschedulable'] = null;
  // Kubernetes lets it be set once.
  if (!spec.providerID) patch.spec['providerID'] = desired.providerID;

  const inMetadata = Object.keys(patch.metadata).length > 0;
  const inSpec = Object.keys(patch.spec).length > 0;
  if (!inMetadata && !inSpec) return undefined;
  const guard = { uid: metadata.uid, ...(guarded && { resourceVersion: metadata.resourceVersion }) };
  return { metadata: { ...patch.metadata, ...guard }, ...(inSpec && { spec: patch.spec }) };
}

function planLabels(
  current: Record<string, string>,
  desired: DesiredVnode,
  applied: Applied,
): { patch: Record<string, string | null>; kept: Record<string, string> } {
  const patch: Record<string, string | null> = {};
  for (const [key, value] of Object.entries(desired.ownLabels)) if (current[key] !== value) patch[key] = value;
  for (const key of desired.without ?? []) if (current[key] !== undefined) patch[key] = null;
  // Without a record, nothing is known of the worker node's labels: all stays.
  if (!desired.carriedLabels) return { patch, kept: applied.labels };
  const kept: Record<string, string> = {};
  for (const [key, value] of Object.entries(desired.carriedLabels)) {
    const known = applied.labels[key];
    // Home wins: a value that is not the one we put there, and a label of ours that home took away.
    if (current[key] !== value && current[key] !== known) {
      if (known !== undefined) kept[key] = known;
      continue;
    }
    kept[key] = value;
    if (current[key] !== value) patch[key] = value;
  }
  for (const [key, value] of Object.entries(applied.labels)) {
    if (Object.hasOwn(desired.carriedLabels, key) || Object.hasOwn(desired.ownLabels, key)) continue;
    if (current[key] === value) patch[key] = null;
  }
  return { patch, kept };
}

/** Keys under which every taint is ours. */
const OWN_KEYS: ReadonlySet<string> = new Set([
  TaintKey.vnode,
  TaintKey.leaseUnknown,
  TaintKey.workerUnreachable,
  TaintKey.vnodeDeleting,
]);
/** Of the lease, not of the worker node: what its end takes away was never a user's. */
const OUR_PREFIX = 'kubeocean.io/';

/**
 * The whole list when it has to change, since Kubernetes replaces it whole. Others' taints stay where they are.
 * @returns `theirs`: identities of those that the worker node has too, and that a user had put there before
 */
function planTaints(
  current: readonly Taint[],
  desired: DesiredVnode,
  applied: Applied,
): { next: Taint[] | undefined; theirs: ReadonlySet<string> } {
  const before = new Set(applied.taints);
  const isTheirs = (taint: Taint) =>
    applied.binding !== undefined &&
    !before.has(taintID(taint)) &&
    !OWN_KEYS.has(taint.key) &&
    !taint.key.startsWith(OUR_PREFIX);
  const theirs = new Set(current.filter(isTheirs).map(taintID));
  const ours = new Set([...applied.taints, ...desired.taints.map(taintID)]);
  // Without a record, its taints stay; our own are known by their keys.
  const frozen = desired.status === undefined;
  const stay = current.filter((taint) => {
    if (OWN_KEYS.has(taint.key)) return false;
    return frozen || theirs.has(taintID(taint)) || !ours.has(taintID(taint));
  });
  const wanted = desired.taints
    .filter((taint) => !theirs.has(taintID(taint)))
    .map((taint) => {
      const known = current.find((other) => taintID(other) === taintID(taint));
      // timeAdded is Kubernetes' to set on NoExecute.
      return known && (known.value ?? '') === (taint.value ?? '') ? known : taint;
    });
  const next = [...stay, ...wanted];
  const same =
    next.length === current.length && next.every((taint) => current.some((other) => deepEqual(other, taint)));
  return { next: same ? undefined : next, theirs };
}

function planStatus(
  current: KubeObject,
  desired: DesiredVnode,
  applied: Applied,
  now: Date,
  keepsReady: boolean,
): Json | undefined {
  const status = (current['status'] ?? {}) as NodeStatus;
  const patch: Json = {};
  if (desired.status) {
    const { resources, nodeInfo } = desired.status;
    for (const field of ['capacity', 'allocatable'] as const) {
      const change = planResources(status[field] ?? {}, resources, applied.resources);
      if (change) patch[field] = change;
    }
    const info = Object.entries(nodeInfo).filter(([field, value]) => (status.nodeInfo?.[field] ?? '') !== value);
    if (info.length > 0) patch['nodeInfo'] = Object.fromEntries(info);
    const conditions = planConditions(status.conditions ?? [], desired.status, applied, now);
    if (conditions.length > 0) patch['conditions'] = conditions;
  }
  if (keepsReady && !desired.status?.conditions.length) {
    const awaited = readyAgain(status.conditions ?? [], now);
    if (awaited) patch['conditions'] = [awaited];
  }
  const addresses = addressesOf(desired);
  if (addresses.length > 0 && !deepEqual(status.addresses ?? [], addresses)) {
    patch['addresses'] = [{ $patch: 'replace' }, ...addresses];
  }
  if (status.daemonEndpoints?.kubeletEndpoint?.Port !== desired.port) {
    patch['daemonEndpoints'] = { kubeletEndpoint: { Port: desired.port } };
  }
  if (Object.keys(patch).length === 0) return undefined;
  return { metadata: { uid: current.metadata.uid }, status: patch };
}

function planResources(
  current: Record<string, string>,
  wanted: Record<string, string>,
  applied: readonly string[],
): Record<string, string | null> | undefined {
  const patch: Record<string, string | null> = {};
  for (const [name, quantity] of Object.entries(wanted)) if (current[name] !== quantity) patch[name] = quantity;
  for (const name of applied) if (!(name in wanted) && name in current) patch[name] = null;
  return Object.keys(patch).length > 0 ? patch : undefined;
}

function planConditions(current: readonly Condition[], desired: DesiredStatus, applied: Applied, now: Date): Json[] {
  const patch: Json[] = [];
  // None at all means that the record says nothing of them, not that they are gone.
  if (desired.conditions.length === 0) return patch;
  for (const condition of desired.conditions) {
    const known = current.find(({ type }) => type === condition.type);
    if (!known || !sameCondition(known, condition)) patch.push(stamped(condition, now));
  }
  for (const type of applied.conditions) {
    if (desired.conditions.some((condition) => condition.type === type)) continue;
    if (current.some((condition) => condition.type === type)) patch.push({ $patch: 'delete', type });
  }
  return patch;
}

/**
 * Ready, taken back from home's node controller, which says Unknown of a Node whose Lease lapsed (no syncer ran) and
 * evicts its pods five minutes later. What it overwrote is not known any more; that its pods are to go nobody has said.
 * An Unknown that the worker said stays: there, nothing was overwritten after our last word.
 */
function readyAgain(conditions: readonly Condition[], now: Date): Condition | undefined {
  const ready = conditions.find(({ type }) => type === 'Ready');
  if (ready?.status !== 'Unknown' || ready.reason !== 'NodeStatusUnknown') return undefined;
  if (Date.parse(String(ready['lastHeartbeatTime'])) >= Date.parse(ready.lastTransitionTime ?? '')) return undefined;
  const message = 'the syncer is back and waits for the word of the worker cluster on this node; pods stay meanwhile';
  return stamped({ type: 'Ready', status: 'True', reason: 'WorkerAwaited', message }, now);
}

/**
 * Whether a person would see the same; heartbeat times are not news, transition times only with another status. Why the
 * network is up home's own may say in other words, and puts these back whenever they are not there.
 */
function sameCondition(known: Condition, wanted: Condition): boolean {
  if (known.status !== wanted.status) return false;
  if (wanted.type === NETWORK_UNAVAILABLE) return true;
  return (known.reason ?? '') === (wanted.reason ?? '') && (known.message ?? '') === (wanted.message ?? '');
}

function stamped(condition: Condition, now: Date): Condition {
  const time = rfc3339(now);
  // The worker's clock may be ahead; who wrote last is told by these two.
  const { lastTransitionTime: changed = time } = condition;
  return { ...condition, lastHeartbeatTime: time, lastTransitionTime: changed < time ? changed : time };
}

function addressesOf(desired: DesiredVnode): { type: string; address: string }[] {
  return desired.address === undefined ? [] : [{ type: 'InternalIP', address: desired.address }];
}
