/**
 * LeasedNode: in the worker cluster, one record per binding and lent node, in the binding's mount namespace. Only the
 * agent writes it; the syncer turns it into a vnode. It is untrusted input to the computing cluster.
 */
import type { Condition, KubeObject, ObjectMeta, Resource } from '../kube/types.ts';

export const LeasedNodes: Resource = {
  group: 'cloud.tencent.com',
  version: 'v1beta1',
  plural: 'leasednodes',
  kind: 'LeasedNode',
  namespaced: true,
};

export interface LeasedNode extends KubeObject {
  metadata: ObjectMeta & { namespace: string };
  spec: LeasedNodeSpec;
  status?: LeasedNodeStatus;
}

export interface LeasedNodeSpec {
  /** Name of the ClusterBinding. */
  cluster: string;
  /** Name and UID of the worker node. */
  nodeName: string;
  nodeUID: string;
  /** Name of the policy under which it was first lent; `status.policy` names the one that applies now. */
  policy: string;
}

/** Active: pods welcome. Closing: no new pods, those that run have notice. Closed: `reason` says why; drain. */
export type LeasedNodePhase = 'Active' | 'Closing' | 'Closed';

export type LeasedNodeClosedReason = 'NodeGone' | 'NotSelected' | 'PolicyGone' | 'Released';

/**
 * How far the taking back is. Notice: before `reclaimAt`. Syncer: the computing cluster evicts first. Evicting: the
 * agent evicts. Deleting: past the deadline. Done: nothing lent runs on the node any more.
 */
export type ReclaimStage = 'Notice' | 'Syncer' | 'Evicting' | 'Deleting' | 'Done';

export interface Taint {
  key: string;
  value?: string;
  effect: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute';
  timeAdded?: string;
}

export interface LeasedNodeStatus {
  phase?: LeasedNodePhase;
  /**
   * Closed: one of {@link LeasedNodeClosedReason}. Closing: WindowClosed or ReclaimedByOwner; PolicyGone, NotSelected or
   * Released for the seconds in which that may still turn out to be for a moment. Active: Shrunk, while pods hold more than is lent by now.
   */
  reason?: string;
  message?: string;
  /** The policy that applies now. */
  policy?: string;
  /** What is lent, as resource quantities. */
  allocatable?: Record<string, string>;
  /**
   * What lent pods may hold at most: what is lent, or more where they held more when it shrank. Goes down as they go.
   */
  ceiling?: Record<string, string>;
  /** Taints to show on the vnode: the lease's own and the worker node's. */
  taints?: Taint[];
  /** The worker node is cordoned. */
  unschedulable?: boolean;
  /**
   * That pods of this node have addresses which a computing cluster is known to use too, in words. Home does not show
   * their addresses then: there they would mean other pods.
   */
  networkOverlap?: string;
  /** Next transitions, RFC 3339. */
  window?: { closesAt?: string; opensAt?: string };
  /** RFC 3339; when eviction starts. Absent while running pods may stay. */
  reclaimAt?: string;
  /** RFC 3339; when pods that are left are deleted without regard to disruption budgets. */
  reclaimDeadline?: string;
  reclaimStage?: ReclaimStage;
  /** RFC 3339; while the lease only seems to be over: when a notice that ran before ends, should the lease go on. */
  noticeEndsAt?: string;
  /** RFC 3339; when the pods were told that `window.closesAt` is near. */
  noticedAt?: string;
  /** RFC 3339; since when it is Closed. */
  closedAt?: string;
  node?: LeasedNodeInfo;
}

/** What the vnode shows of the worker node. */
export interface LeasedNodeInfo {
  labels?: Record<string, string>;
  conditions?: Condition[];
  /** core/v1 NodeSystemInfo. */
  nodeInfo?: Record<string, unknown>;
  innerIP?: string;
}
