/** Builds the contents of LeasedNodes. */
import { Label, NeverLentInstanceTypes, TaintKey, VnodeType } from '../api/constants.ts';
import type { LeasedNode, LeasedNodeInfo, LeasedNodeStatus, Taint } from '../api/leased-node.ts';
import type { Condition, KubeObject } from '../kube/types.ts';
import type { JudgedPolicy } from './policies.ts';
import { formatResources, type Resources } from './resources.ts';

/** The fields of a Node that are read. */
export interface WorkerNode extends KubeObject {
  spec?: { unschedulable?: boolean; taints?: Taint[]; [field: string]: unknown };
  status?: {
    allocatable?: Record<string, string>;
    addresses?: { type: string; address: string }[];
    conditions?: Condition[];
    nodeInfo?: Record<string, unknown>;
    [field: string]: unknown;
  };
}

/** Whether a node may be lent at all: not one that is virtual itself (reference: node types of gocrane/kubeocean). */
export function isLendable(node: WorkerNode): boolean {
  const labels = node.metadata.labels ?? {};
  const types = [labels[Label.instanceType], labels[Label.instanceTypeBeta]];
  return (
    labels[Label.nodeType] !== VnodeType &&
    !types.some((type) => type !== undefined && NeverLentInstanceTypes.includes(type))
  );
}

/** Status of the record of a lent node. `previous` is the status it has now, from which a running notice is carried on. */
export function openStatus(
  node: WorkerNode,
  judged: JudgedPolicy,
  share: Resources,
  previous: LeasedNodeStatus | undefined,
  now: Date,
): LeasedNodeStatus {
  const name = judged.policy.metadata.name;
  const common = { policy: name, allocatable: formatResources(share), ...nodeStatus(node) };
  const window = {
    ...(judged.closesAt && { closesAt: rfc3339(judged.closesAt) }),
    ...(judged.opensAt && { opensAt: rfc3339(judged.opensAt) }),
  };
  const withWindow = Object.keys(window).length > 0 ? { window } : {};
  if (judged.inside) return { phase: 'Active', ...common, taints: shownTaints(node, false), ...withWindow };
  const opens = judged.opensAt ? `opens again at ${rfc3339(judged.opensAt)}` : 'never opens again';
  return {
    phase: 'Closing',
    reason: 'WindowClosed',
    message: `no time window of policy ${name} is open; it ${opens}`,
    ...common,
    taints: shownTaints(node, true),
    ...withWindow,
    ...reclaim(judged, previous, now),
  };
}

/** The notice runs from the moment the closing was first shown, so an edit or a restart never shortens it. */
function reclaim(judged: JudgedPolicy, previous: LeasedNodeStatus | undefined, now: Date): { reclaimAt?: string } {
  if (!judged.spec?.forceReclaim) return {};
  if (previous?.phase === 'Closing' && previous.reclaimAt) return { reclaimAt: previous.reclaimAt };
  const grace = (judged.spec.gracefulReclaimPeriodSeconds ?? 0) * 1000;
  return { reclaimAt: rfc3339(new Date(now.getTime() + grace)) };
}

/**
 * Status of a record whose policy is not valid and whose last valid spec nobody remembers: as it was, never more than
 * what is left. A closing that was already announced still happens.
 */
export function frozenStatus(
  node: WorkerNode,
  previous: LeasedNodeStatus,
  share: Resources,
  now: Date,
): LeasedNodeStatus {
  const closesAt = previous.window?.closesAt;
  const closing = previous.phase === 'Closing' || (closesAt !== undefined && Date.parse(closesAt) <= now.getTime());
  const { message: _message, reason: _reason, ...kept } = previous;
  return {
    ...kept,
    phase: closing ? 'Closing' : 'Active',
    ...(closing && {
      reason: 'WindowClosed',
      message: `the window closed, and policy ${previous.policy} is not valid`,
    }),
    allocatable: formatResources(share),
    ...nodeStatus(node),
    taints: shownTaints(node, closing),
  };
}

function nodeStatus(node: WorkerNode): Pick<LeasedNodeStatus, 'node' | 'unschedulable'> {
  return { ...(node.spec?.unschedulable && { unschedulable: true }), node: nodeInfo(node) };
}

function nodeInfo(node: WorkerNode): LeasedNodeInfo {
  const { status } = node;
  const innerIP = status?.addresses?.find((address) => address.type === 'InternalIP')?.address;
  return {
    labels: sorted(node.metadata.labels ?? {}),
    conditions: steadyConditions(status?.conditions ?? []),
    ...(status?.nodeInfo && { nodeInfo: status.nodeInfo }),
    ...(innerIP !== undefined && { innerIP }),
  };
}

/** Conditions without their heartbeat times, which change without meaning anything. */
export function steadyConditions(conditions: readonly Condition[]): Condition[] {
  return conditions
    .map(({ lastHeartbeatTime: _heartbeat, ...condition }) => condition)
    .sort((a, b) => (a.type < b.type ? -1 : 1));
}

/** The lease's own taint, then the node's; Kubernetes' own are not carried, a cordon is told as `unschedulable`. */
function shownTaints(node: WorkerNode, closing: boolean): Taint[] {
  const own: Taint[] = closing ? [{ key: TaintKey.outOfTimeWindows, value: 'true', effect: 'NoSchedule' }] : [];
  const carried = (node.spec?.taints ?? []).filter(
    ({ key }) => !key.startsWith(TaintKey.kubernetesNodePrefix) && key !== TaintKey.outOfTimeWindows,
  );
  return [...own, ...carried];
}

/** Whether a record is one of a lease that runs. */
export function isOpen(record: LeasedNode | undefined): record is LeasedNode {
  return record !== undefined && record.status?.phase !== 'Closed';
}

function sorted(labels: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Whole seconds in UTC, as Kubernetes writes times. */
export function rfc3339(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}
