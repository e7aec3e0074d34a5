/** Builds the contents of LeasedNodes. */
import { Annotation, Label, NeverLentInstanceTypes, TaintKey, VnodeType } from '../api/constants.ts';
import type { LeasedNode, LeasedNodeInfo, LeasedNodeStatus, ReclaimStage, Taint } from '../api/leased-node.ts';
import type { Condition, KubeObject } from '../kube/types.ts';
import type { JudgedPolicy } from './policies.ts';
import { isTakenBack, type ReclaimFacts, reclaimStatus } from './reclaim.ts';
import { formatResources, type Resources } from './resources.ts';
import { rfc3339 } from './time.ts';

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

/** What a node's lease comes to. */
export interface Terms {
  /** What is lent now. */
  share: Resources;
  /** What pods may hold at most. */
  ceiling: Resources;
  /** What they hold beyond the share, in words. */
  short?: string;
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

/** Status of the record of a lent node. `said` is the status it has now, from which a running notice is carried on. */
export function openStatus(
  node: WorkerNode,
  judged: JudgedPolicy,
  terms: Terms,
  said: LeasedNodeStatus | undefined,
  facts: ReclaimFacts,
  now: Date,
): LeasedNodeStatus {
  const previous = steadyStatus(said);
  const common = {
    policy: judged.policy.metadata.name,
    ...amounts(terms),
    ...nodeStatus(node),
    ...windowOf(judged),
  };
  const closing = closingOf(node, judged);
  if (!closing) {
    const told = noticed(judged, previous, facts, now);
    return { phase: 'Active', ...shrunk(terms), ...common, taints: shownTaints(node), ...told };
  }
  const reclaimAt = reclaimAtOf(closing.reason, judged, previous, now);
  const reclaim = reclaimAt === undefined ? {} : reclaimStatus(reclaimAt, facts, now);
  return { phase: 'Closing', ...closing, ...common, taints: shownTaints(node, closingEffect(reclaim)), ...reclaim };
}

function amounts({ share, ceiling }: Terms): Pick<LeasedNodeStatus, 'allocatable' | 'ceiling'> {
  const allocatable = formatResources(share);
  // Nearly always pods hold less than is lent.
  const same = ceiling.size === share.size && [...ceiling].every(([name, amount]) => share.get(name) === amount);
  return { allocatable, ceiling: same ? { ...allocatable } : formatResources(ceiling) };
}

/** `status.reason` of an Active record on whose node pods hold more than is lent by now. */
export const Shrunk = 'Shrunk';

function shrunk({ short }: Terms): Pick<LeasedNodeStatus, 'reason' | 'message'> {
  if (short === undefined) return {};
  return {
    reason: Shrunk,
    message: `lent pods hold more than is lent by now: ${short}; they stay, and none fits until some have gone`,
  };
}

function windowOf({ closesAt, opensAt }: JudgedPolicy): Pick<LeasedNodeStatus, 'window'> {
  if (!closesAt && !opensAt) return {};
  return {
    window: { ...(closesAt && { closesAt: rfc3339(closesAt) }), ...(opensAt && { opensAt: rfc3339(opensAt) }) },
  };
}

/** Reason of a lease that waits for its next window. */
export const WindowClosed = 'WindowClosed';
/** Reason of a lease that the owner takes back. */
const ReclaimedByOwner = 'ReclaimedByOwner';

/** Why a lease on this node must not take pods now; undefined while it may. The owner's own word goes before the clock. */
export function closingOf(node: WorkerNode, judged: JudgedPolicy): { reason: string; message: string } | undefined {
  const { policy, inside, opensAt } = judged;
  const taken = isTakenBack(policy) ? `policy ${policy.metadata.name}` : isTakenBack(node) ? 'the node' : undefined;
  if (taken !== undefined) {
    return {
      reason: ReclaimedByOwner,
      message: `the owner takes it back now (annotation ${Annotation.reclaim} on ${taken})`,
    };
  }
  if (inside) return undefined;
  const opens = opensAt ? `opens again at ${rfc3339(opensAt)}` : 'never opens again';
  return { reason: WindowClosed, message: `no time window of policy ${policy.metadata.name} is open; it ${opens}` };
}

/**
 * When eviction starts. The owner's word counts at once. After a window, the notice runs from the moment the closing was
 * first shown, so a restart never shortens it. It never lasts longer than the grace from now on: it was announced by a
 * clock that was wrong, or the owner made the grace shorter.
 */
function reclaimAtOf(
  reason: string,
  judged: JudgedPolicy,
  previous: LeasedNodeStatus | undefined,
  now: Date,
): string | undefined {
  const running = previous?.phase === 'Closing' ? previous.reclaimAt : undefined;
  if (reason === ReclaimedByOwner) return earlier(running, rfc3339(now));
  if (!judged.spec?.forceReclaim) return undefined;
  const latest = rfc3339(new Date(now.getTime() + (judged.spec.gracefulReclaimPeriodSeconds ?? 0) * 1000));
  return previous?.reason === reason ? earlier(running, latest) : latest;
}

/** The earlier of two times in RFC 3339. */
export function earlier(a: string | undefined, b: string): string {
  return a !== undefined && Date.parse(a) < Date.parse(b) ? a : b;
}

/** Since when the pods know that the window closes soon; only where they will be evicted. */
function noticed(
  { spec, closesAt }: JudgedPolicy,
  previous: LeasedNodeStatus | undefined,
  { timing }: ReclaimFacts,
  now: Date,
): { noticedAt?: string } {
  if (!spec?.forceReclaim || !closesAt) return {};
  if (closesAt.getTime() - now.getTime() > timing.noticeSeconds * 1000) return {};
  return { noticedAt: (previous?.phase === 'Active' && previous.noticedAt) || rfc3339(now) };
}

/**
 * NoExecute makes home delete what is left there, past every disruption budget: only when nothing is left, or when the
 * deadline passed.
 */
function closingEffect({ reclaimStage }: { reclaimStage?: ReclaimStage }): Taint['effect'] {
  return reclaimStage === 'Done' || reclaimStage === 'Deleting' ? 'NoExecute' : 'NoSchedule';
}

/**
 * Status of a record whose policy is not valid and whose last valid spec nobody remembers: as it was, never more than
 * what is left. A closing that was already announced still happens, and the owner's word still counts.
 */
export function frozenStatus(
  node: WorkerNode,
  judged: JudgedPolicy,
  terms: Terms,
  previous: LeasedNodeStatus,
  facts: ReclaimFacts,
  now: Date,
): LeasedNodeStatus {
  const closesAt = previous.window?.closesAt;
  const due = previous.phase === 'Closing' || (closesAt !== undefined && Date.parse(closesAt) <= now.getTime());
  const window = previous.window && { window: previous.window };
  const common = { policy: judged.policy.metadata.name, ...amounts(terms), ...nodeStatus(node) };
  const taken = isTakenBack(judged.policy) || isTakenBack(node);
  if (!due && !taken) return { phase: 'Active', ...shrunk(terms), ...common, ...window, taints: shownTaints(node) };
  const closing = taken
    ? closingOf(node, judged)
    : { reason: WindowClosed, message: `the window closed, and policy ${previous.policy} is not valid` };
  // A policy is there again, or the owner called it off, so what was to end is not taken back; nor does it take pods on such a word.
  const isOff = isSettling(previous) || previous.reason === ReclaimedByOwner;
  const announced = previous.phase === 'Closing' && (taken || !isOff) ? previous.reclaimAt : undefined;
  const reclaimAt = taken ? earlier(announced, rfc3339(now)) : announced;
  const reclaim = reclaimAt === undefined ? {} : reclaimStatus(reclaimAt, facts, now);
  const taints = shownTaints(node, closingEffect(reclaim));
  return { phase: 'Closing', ...closing, ...common, ...window, taints, ...reclaim };
}

/**
 * Reasons of a record that is Closing because its lease seems to be over: a policy may be deleted just to be made anew, and a
 * claim that somebody deleted is made again by its syncer.
 */
export function settles(reason: string | undefined): boolean {
  return reason === 'PolicyGone' || reason === 'NotSelected' || reason === 'Released';
}

/** Whether a record says that its lease seems to be over, which may yet turn out to be for a moment. */
export function isSettling(status: LeasedNodeStatus | undefined): boolean {
  return status?.phase === 'Closing' && settles(status.reason);
}

/**
 * What a record said before its lease seemed to be over. A notice that ran when the policy was deleted goes on when it is made
 * anew, and ends as it was announced.
 */
function steadyStatus(status: LeasedNodeStatus | undefined): LeasedNodeStatus | undefined {
  if (!status || !isSettling(status)) return status;
  const { noticeEndsAt } = status;
  if (noticeEndsAt === undefined) return { ...status, phase: 'Active' };
  return { ...status, reason: WindowClosed, reclaimAt: noticeEndsAt };
}

function nodeStatus(node: WorkerNode): Pick<LeasedNodeStatus, 'node' | 'unschedulable'> {
  return { ...(node.spec?.unschedulable && { unschedulable: true }), node: nodeInfo(node) };
}

/** What is told of a node follows from an object that is never changed in place. */
const told = new WeakMap<WorkerNode, LeasedNodeInfo>();

function nodeInfo(node: WorkerNode): LeasedNodeInfo {
  let info = told.get(node);
  if (!info) told.set(node, (info = infoOf(node)));
  return info;
}

function infoOf(node: WorkerNode): LeasedNodeInfo {
  const { status } = node;
  const innerIP = status?.addresses?.find((address) => address.type === 'InternalIP')?.address;
  return {
    labels: node.metadata.labels ?? {},
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
function shownTaints(node: WorkerNode, effect?: Taint['effect']): Taint[] {
  const carried = (node.spec?.taints ?? []).filter(
    ({ key }) => !key.startsWith(TaintKey.kubernetesNodePrefix) && key !== TaintKey.outOfTimeWindows,
  );
  return effect ? [leaseTaint(effect), ...carried] : carried;
}

/** The taint of a lease that takes no pods. */
export function leaseTaint(effect: Taint['effect']): Taint {
  return { key: TaintKey.outOfTimeWindows, value: 'true', effect };
}

/** Whether a record is one of a lease that runs. */
export function isOpen(record: LeasedNode | undefined): record is LeasedNode {
  return record !== undefined && record.status?.phase !== 'Closed';
}
