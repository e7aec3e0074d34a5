/** Records whose lease is over: what they say, why, and until when they are kept. */
import { Seconds, TaintKey } from '../api/constants.ts';
import type { LeasedNode, LeasedNodeClosedReason, LeasedNodeStatus } from '../api/leased-node.ts';
import type { PolicyOutcome } from './allocate.ts';
import type { Claim, ClaimVerdict } from './claims.ts';
import { type ReclaimFacts, reclaimStatus } from './reclaim.ts';
import { earlier, isLendable, isOpen, isSettling, leaseTaint, type WorkerNode } from './record.ts';
import { rfc3339 } from './time.ts';
import { groupOfRecord, type View } from './view.ts';

/** How long a computing cluster has to read a Closed record. It has no right to write that it did. */
const RetentionMs = 24 * 3_600_000;

/** How long nothing may lend before a lease is over for it. `kubectl replace --force` takes a second or two. */
const SettleMs = 10_000;
/** The same of a claim that is gone: its syncer looks at it every 10 s, and counts as silent after as long as this. */
const ClaimSettleMs = Seconds.staleAfter * 1000;

/** Why a lease is over. */
interface Ending {
  reason: LeasedNodeClosedReason;
  message: string;
  /** How long that has to be so without a break before it is believed. */
  settleMs: number;
}

/** A record that nothing lends by now, and why. */
interface EndedLease extends Ending {
  record: LeasedNode;
  facts: ReclaimFacts;
  now: Date;
}

/**
 * Status of a record that nothing lends by now. Where that may be for a moment only, it stops new pods at once but says Closed,
 * on which its vnode is drained, only when it has been so for `settleMs` without a break. Its `reclaimAt` is when that is, so an
 * agent that is started meanwhile goes on with it. A taking back that has begun is not held up, and no reason that comes after
 * another puts the end off.
 */
export function endedStatus(ended: EndedLease): LeasedNodeStatus {
  const { record, settleMs, now } = ended;
  if (isOpen(record) && settleMs > 0) {
    const announced = record.status?.phase === 'Closing' ? record.status.reclaimAt : undefined;
    // Up to the whole second, in which times are written.
    const settled = new Date(Math.ceil(now.getTime() / 1000) * 1000 + settleMs);
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

/**
 * Why an existing record's lease is over. A claim that is gone is believed at once where no pod of its binding is left in its
 * namespace: unbinding deletes it when there is none. Otherwise somebody deleted it, or took off its label, while its syncer
 * lives, which makes it again.
 * @param nodes those that there are, by name
 * @param hasPods whether the binding has lent pods on any node
 */
export function closing(
  record: LeasedNode,
  nodes: ReadonlyMap<string, WorkerNode>,
  outcomes: readonly PolicyOutcome[],
  verdict: ClaimVerdict,
  hasPods: () => boolean,
): Ending {
  const { namespace } = record.metadata;
  if (verdict.served?.namespace !== namespace) {
    const message = verdict.remark ?? `the claim in namespace ${verdict.served?.namespace} is served`;
    const settleMs = verdict.missing === namespace && hasPods() ? ClaimSettleMs : 0;
    return { reason: 'Released', message, settleMs };
  }
  const ending = unlent(record, nodes, outcomes);
  return { ...ending, settleMs: ending.reason === 'NodeGone' ? 0 : SettleMs };
}

/** Why nothing lends the node of a record whose claim is served. */
function unlent(
  { spec: { cluster, nodeName, nodeUID } }: LeasedNode,
  nodes: ReadonlyMap<string, WorkerNode>,
  outcomes: readonly PolicyOutcome[],
): Pick<Ending, 'reason' | 'message'> {
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
 * A Closed record is the only statement that its vnode may be drained, but for a claim that the owner gave back. It stays until
 * no pod is left under it, and then until nobody is there to read it, a new node needs its name, or 24 hours are over and the
 * computing cluster has read it: one that was away for longer has yet to.
 * @param reader the claim of the name in the record's namespace, served or not; none where it is gone or was given back
 */
export function isRemovable(
  record: LeasedNode,
  reason: LeasedNodeClosedReason,
  nodes: ReadonlyMap<string, WorkerNode>,
  reader: Claim | undefined,
  view: View,
): boolean {
  if (record.status?.phase !== 'Closed') return false;
  const { nodeName } = record.spec;
  if (view.usage.group(nodeName, groupOfRecord(record)).present > 0) return false;
  if (!reader) return reason === 'Released';
  if (reason === 'NodeGone' && nodes.has(nodeName)) return true;
  const { uid } = reader;
  const isRead = !view.staleSince.has(uid) && (view.readers?.has(uid) ?? true);
  return isRead && record.status.closedAt !== undefined && removalAt(record.status) <= view.now;
}
