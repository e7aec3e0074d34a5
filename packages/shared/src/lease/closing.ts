/** Records whose lease is over: what they say, why, and until when they are kept. */
import { TaintKey } from '../api/constants.ts';
import type { LeasedNode, LeasedNodeClosedReason, LeasedNodeStatus } from '../api/leased-node.ts';
import { labelValue } from '../api/names.ts';
import type { PolicyOutcome, View } from './allocate.ts';
import type { ClaimVerdict } from './claims.ts';
import { type ReclaimFacts, reclaimStatus } from './reclaim.ts';
import { earlier, isLendable, isOpen, isSettling, leaseTaint, settles, type WorkerNode } from './record.ts';
import { rfc3339 } from './time.ts';
import { groupName } from './usage.ts';

/** How long a computing cluster has to read a Closed record. It has no right to write that it did. */
const RetentionMs = 24 * 3_600_000;

/** How long nothing may lend before a lease is over for it. `kubectl replace --force` takes a second or two. */
const SettleMs = 10_000;

/** A record that nothing lends by now, and why. */
interface EndedLease {
  record: LeasedNode;
  reason: LeasedNodeClosedReason;
  message: string;
  facts: ReclaimFacts;
  now: Date;
}

/**
 * Status of a record that nothing lends by now. Without a policy or a selector that matches, it stops new pods at once but
 * says Closed, on which its vnode is drained, only when that has been so for 10 s without a break. Its `reclaimAt` is when
 * that is, so an agent that is started meanwhile goes on with it. A taking back that has begun is not held up.
 */
export function endedStatus(ended: EndedLease): LeasedNodeStatus {
  const { record, reason, now } = ended;
  if (isOpen(record) && settles(reason)) {
    const announced = record.status?.phase === 'Closing' ? record.status.reclaimAt : undefined;
    // Up to the whole second, in which times are written.
    const settled = new Date(Math.ceil(now.getTime() / 1000) * 1000 + SettleMs);
    const endsAt = earlier(announced, rfc3339(settled));
    if (Date.parse(endsAt) > now.getTime()) return settlingStatus(ended, endsAt);
  }
  return closedStatus(ended);
}

/** A record whose lease seems to be over takes no new pods, and is Closed at `endsAt` (RFC 3339) if it still seems so. */
function settlingStatus({ record, reason, message, facts, now }: EndedLease, endsAt: string): LeasedNodeStatus {
  const { status = {} } = record;
  const { window: _window, ...previous } = status;
  const notice = !isSettling(status) && status.phase === 'Closing' ? status.reclaimAt : status.noticeEndsAt;
  const nodes = (previous.taints ?? []).filter(({ key }) => key !== TaintKey.outOfTimeWindows);
  const taints = [leaseTaint('NoSchedule'), ...nodes];
  return {
    ...previous,
    phase: 'Closing',
    reason,
    message,
    taints,
    ...(notice !== undefined && { noticeEndsAt: notice }),
    ...reclaimStatus(endsAt, facts, now),
  };
}

/**
 * A closed record keeps what it last said of the node and lends nothing. The first reason stands while it is closed.
 * What still runs is taken back without notice, also where one was running; but the computing cluster, which drains the
 * vnode, goes first.
 */
function closedStatus({ record, reason, message, facts, now }: EndedLease): LeasedNodeStatus {
  const previous = record.status ?? {};
  const already = previous.phase === 'Closed';
  const reclaimAt = earlier(previous.reclaimAt, rfc3339(now));
  return {
    phase: 'Closed',
    reason: already ? (previous.reason ?? reason) : reason,
    message: already ? (previous.message ?? message) : message,
    // Not later than now: it was closed by a clock that was wrong.
    closedAt: earlier(already ? previous.closedAt : undefined, rfc3339(now)),
    ...(previous.policy !== undefined && { policy: previous.policy }),
    ...(previous.taints && { taints: previous.taints }),
    ...(previous.unschedulable && { unschedulable: true }),
    ...(previous.node && { node: previous.node }),
    ...reclaimStatus(reclaimAt, { ...facts, syncerFirst: true }, now),
  };
}

/** Why an existing record's lease is over. @param nodes those that there are, by name */
export function closing(
  record: LeasedNode,
  nodes: ReadonlyMap<string, WorkerNode>,
  outcomes: readonly PolicyOutcome[],
  verdict: ClaimVerdict,
): { reason: LeasedNodeClosedReason; message: string } {
  const { cluster, nodeName, nodeUID } = record.spec;
  if (verdict.served?.namespace !== record.metadata.namespace) {
    return {
      reason: 'Released',
      message: verdict.remark ?? `the claim in namespace ${verdict.served?.namespace} is served`,
    };
  }
  const node = nodes.get(nodeName);
  if (node?.metadata.uid !== nodeUID) {
    return {
      reason: 'NodeGone',
      message: `node ${nodeName} ${node ? 'was replaced by another of its name' : 'is gone'}`,
    };
  }
  if (!outcomes.some(({ spec }) => spec?.cluster === cluster)) {
    return { reason: 'PolicyGone', message: `no ResourceLeasingPolicy lends to ${cluster} any more` };
  }
  if (!isLendable(node)) {
    return {
      reason: 'NotSelected',
      message: `node ${nodeName} is never lent: its labels say that it is virtual itself`,
    };
  }
  return {
    reason: 'NotSelected',
    message: `no policy's selector and the binding's selector match node ${nodeName} any more`,
  };
}

/** When a Closed record has been there long enough. */
export function removalAt(status: LeasedNodeStatus): Date {
  return new Date(Date.parse(status.closedAt ?? '') + RetentionMs);
}

/**
 * A Closed record is the only statement that its vnode may be drained. It stays until no pod is left under it, and then
 * until nobody is there to read it (Released), a new node needs its name, or 24 hours are over and the computing cluster has
 * read it: one that was away for longer has yet to.
 */
export function isRemovable(
  record: LeasedNode,
  reason: LeasedNodeClosedReason,
  nodes: ReadonlyMap<string, WorkerNode>,
  verdict: ClaimVerdict,
  view: View,
): boolean {
  if (record.status?.phase !== 'Closed') return false;
  const { nodeName, cluster } = record.spec;
  if (view.usage.group(nodeName, groupName(record.metadata.namespace, labelValue(cluster))).present > 0) return false;
  if (reason === 'Released') return true;
  if (reason === 'NodeGone' && nodes.has(nodeName)) return true;
  const { uid } = verdict.served ?? {};
  const isRead = uid !== undefined && !view.staleSince.has(uid) && (view.readers?.has(uid) ?? true);
  return isRead && record.status.closedAt !== undefined && removalAt(record.status) <= view.now;
}
