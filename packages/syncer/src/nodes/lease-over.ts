/**
 * Whether a record says that its pods have to go, and in which words they are told. By the agent's own word alone: the
 * clocks of two clusters need not agree, so no time of a record is held against ours. Pure.
 */
import type { LeasedNode, LeasedNodeStatus, ReclaimStage } from '@kubeocean/shared/api';

/** Longest text of a record that is taken over, in characters. */
const MAX_MESSAGE = 1024;
/** Stages in which pods are asked to go. Before, they have notice; after, nothing of ours is left. */
const ASKING: readonly (ReclaimStage | undefined)[] = ['Syncer', 'Evicting', 'Deleting'];

/** Whether pods are to be asked to go now. A lease that is over for good (`Closed`) is drained, which is another matter. */
export function asksToGo(status: LeasedNodeStatus | undefined): boolean {
  return status?.phase === 'Closing' && ASKING.includes(status.reclaimStage);
}

/** Whether a pod that ends now, of those that were asked to go, ends with its lease. */
export function endsPods(status: LeasedNodeStatus | undefined): boolean {
  return (
    status?.phase === 'Closed' || asksToGo(status) || (status?.phase === 'Closing' && status.reclaimStage === 'Done')
  );
}

/** What a pod is told that ends with its lease: which policy, and what of its windows. The agent says the same. */
export function leaseWords({ spec, status }: LeasedNode): string {
  const why = status?.message ?? status?.reason ?? 'the lease is over';
  return `policy ${status?.policy ?? spec.policy}: ${why}`.slice(0, MAX_MESSAGE);
}
