/** ResourceLeasingPolicy: in the worker cluster, the owner's word on what is lent, to whom and when. Cluster-scoped. */
import type { Condition, KubeObject, ObjectMeta, Resource } from '../kube/types.ts';
import type { NodeSelector } from './selector.ts';

export const ResourceLeasingPolicies: Resource = {
  group: 'cloud.tencent.com',
  version: 'v1beta1',
  plural: 'resourceleasingpolicies',
  kind: 'ResourceLeasingPolicy',
  namespaced: false,
};

export interface ResourceLeasingPolicy extends KubeObject {
  metadata: ObjectMeta;
  spec: ResourceLeasingPolicySpec;
  status?: ResourceLeasingPolicyStatus;
}

export interface ResourceLeasingPolicySpec {
  /** Name of the ClusterBinding (not its clusterID). */
  cluster: string;
  /** Left out = all nodes. Intersected with the binding's own selector. */
  nodeSelector?: NodeSelector;
  /** Open while any of them is; none = always open. */
  timeWindows?: TimeWindow[];
  /** Caps per resource on what native pods leave; a resource not listed is lent in full. */
  resourceLimits?: ResourceLimit[];
  /** Evict lent pods after a window closes; otherwise only new pods are kept away. */
  forceReclaim?: boolean;
  /** Seconds between the closing of a window and the eviction. */
  gracefulReclaimPeriodSeconds?: number;
  /** IANA name, e.g. `Asia/Shanghai`; left out = the agent's `--time-zone`. */
  timeZone?: string;
}

/** Longest `gracefulReclaimPeriodSeconds`: a year. A `format` alone is not checked by API servers. */
export const MaxGracefulReclaimSeconds = 31_536_000;

/** As in `days` of a window, which are read in any case. */
export const DayNames = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'] as const;

/** Both ends are `HH:MM` and inclusive to the minute; both left out = the whole day; `end` < `start` crosses midnight. */
export interface TimeWindow {
  start?: string;
  end?: string;
  /** English day names in any case; left out = every day. */
  days?: string[];
}

/** At least one of quantity and percent; with both, the smaller result counts. Zero lends nothing. */
export interface ResourceLimit {
  resource: string;
  /** Kubernetes quantity, as a string or a whole number. */
  quantity?: string | number;
  /** 0–100, of what native pods leave. */
  percent?: number;
}

export type PolicyPhase = 'Pending' | 'Active' | 'Inactive' | 'Failed';

export interface ResourceLeasingPolicyStatus {
  phase?: PolicyPhase;
  /** Whether some window is open now. */
  activeTimeWindow?: boolean;
  /** RFC 3339; moves when phase or activity changes. */
  lastAppliedTime?: string;
  conditions?: Condition[];
  /** `metadata.generation` that this status speaks of. */
  observedGeneration?: number;
  /** RFC 3339; when the window that is open now closes. */
  closesAt?: string;
  /** RFC 3339; when the next window opens. */
  opensAt?: string;
  /** Number of nodes lent under this policy now: those that take new pods. */
  nodes?: number;
  /** Per resource, where what the nodes have goes to. */
  resources?: PolicyResource[];
  /** What applies while the spec is not valid: the last one that was. */
  lastValidSpec?: ResourceLeasingPolicySpec;
  /** Why nothing, or not everything, is lent; one word for the printer column, the text is in the conditions. */
  reason?: string;
}

/**
 * Amounts of one resource over all nodes that a policy lends, as quantities for people: binary ones from 1Gi in whole Mi,
 * rounded down. But for that, `has` is the sum of the others.
 */
export interface PolicyResource {
  resource: string;
  /** What the nodes have (their allocatable). */
  has: string;
  /** Requested by native pods, or still held by lent pods whose lease on the node is over. */
  native: string;
  /** Lent by older policies of other bindings, or held by pods of theirs. */
  others: string;
  /** Kept back by `resourceLimits`. */
  kept: string;
  /** Of nodes that take no new pods: the window is closed, or the owner takes them back. Left out when zero. */
  closed?: string;
  lent: string;
}

/** Condition types of a policy, all written by the agent. */
export const PolicyCondition = {
  valid: 'Valid',
  active: 'Active',
  /** True while at least one node takes new pods; False with the reason why not. */
  leased: 'Leased',
  /** False while lent pods hold more than is lent by now; they stay. */
  fits: 'Fits',
  /** There while pods of this cluster have addresses that a computing cluster is known to use too. */
  networkOverlap: 'NetworkOverlap',
  /** Only while pods from before the chart are in a mount namespace. */
  foreignState: 'ForeignState',
} as const;
export type PolicyConditionType = (typeof PolicyCondition)[keyof typeof PolicyCondition];
