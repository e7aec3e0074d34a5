/** Records whose lease is over: why, and until when they are kept. */
import type { LeasedNode, LeasedNodeClosedReason, LeasedNodeStatus } from '../api/leased-node.ts';
import { labelValue } from '../api/names.ts';
import type { PolicyOutcome, View } from './allocate.ts';
import type { ClaimVerdict } from './claims.ts';
import type { ReclaimFacts } from './reclaim.ts';
import { closedStatus, earlier, isOpen, isSettling, settles, settlingStatus, type WorkerNode } from './record.ts';
import { rfc3339 } from './time.ts';
import { groupName } from './usage.ts';

/** How long a computing cluster has to read a Closed record. It has no right to write that it did. */
const RetentionMs = 24 * 3_600_000;

/** How long nothing may lend before a lease is over for it. `kubectl replace --force` takes a second or two. */
const SettleMs = 10_000;

/**
 * Status of a record that nothing lends by now. Without a policy or a selector that matches, it stops new pods at once but
 * says Closed, on which its vnode is drained, only when that has been so for 10 s without a break. Its `reclaimAt` is when
 * that is, so an agent that is started meanwhile goes on with it. A taking back that has begun is not held up.
 */
export function endedStatus(
  record: LeasedNode,
  reason: LeasedNodeClosedReason,
  message: string,
  facts: ReclaimFacts,
  now: Date,
): LeasedNodeStatus {
  if (isOpen(record) && settles(reason)) {
    const announced = record.status?.phase === 'Closing' ? record.status.reclaimAt : undefined;
    // Up to the whole second, in which times are written.
    const settled = new Date(Math.ceil(now.getTime() / 1000) * 1000 + SettleMs);
    const endsAt = earlier(announced, rfc3339(settled));
    if (Date.parse(endsAt) > now.getTime()) return settlingStatus(record, reason, message, endsAt, facts, now);
  }
  return closedStatus(record, reason, message, facts, now);
}

/**
 * What a record said last but that its lease seems to be over. A notice that ran when the policy was deleted goes on when it
 * is made anew, and ends as it was announced.
 */
export function steadyStatus(record: LeasedNode | undefined, { steady }: View): LeasedNodeStatus | undefined {
  const status = record?.status;
  return isSettling(status) ? (steady.get(record?.metadata.uid ?? '') ?? status) : status;
}

/** Why an existing record's lease is over. */
export function closing(
  record: LeasedNode,
  nodes: readonly WorkerNode[],
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
  const node = nodes.find(({ metadata }) => metadata.name === nodeName);
  if (node?.metadata.uid !== nodeUID) {
    return {
      reason: 'NodeGone',
      message: `node ${nodeName} ${node ? 'was replaced by another of its name' : 'is gone'}`,
    };
  }
  if (!outcomes.some(({ spec }) => spec?.cluster === cluster)) {
    return { reason: 'PolicyGone', message: `no ResourceLeasingPolicy lends to ${cluster} any more` };
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
 * until nobody is there to read it (Released), a new node needs its name, or a computing cluster that is alive has had
 * 24 hours to read it.
 */
export function isRemovable(
  record: LeasedNode,
  reason: LeasedNodeClosedReason,
  nodes: readonly WorkerNode[],
  verdict: ClaimVerdict,
  view: View,
): boolean {
  if (record.status?.phase !== 'Closed') return false;
  const { nodeName, cluster } = record.spec;
  if (view.usage.group(nodeName, groupName(record.metadata.namespace, labelValue(cluster))).present > 0) return false;
  if (reason === 'Released') return true;
  if (reason === 'NodeGone' && nodes.some(({ metadata }) => metadata.name === nodeName)) return true;
  const alive = verdict.served !== undefined && !view.staleSince.has(verdict.served.uid);
  return alive && record.status.closedAt !== undefined && removalAt(record.status) <= view.now;
}
