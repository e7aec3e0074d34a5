/** What an explanation is made of: the state of both clusters at one moment, as far as it could be read. */
import type { ClusterBinding, LeasedNode, ResourceLeasingPolicy, Taint } from '@kubeocean/shared/api';
import type { Condition, KubeObject } from '@kubeocean/shared/kube';
import type { PodForRequests, Tenant, WorkerNode } from '@kubeocean/shared/lease';

/** Something that was read, or in words why it was not. */
export type Known<T> = { value: T } | { unknown: string };

/** The value, or `otherwise` when it is not known. */
export function valueOr<T, D>(known: Known<T> | undefined, otherwise: D): T | D {
  return known && 'value' in known ? known.value : otherwise;
}

export function mapped<T, R>(known: Known<T>, change: (value: T) => R): Known<R> {
  return 'value' in known ? { value: change(known.value) } : known;
}

/** Why things could not be read, each reason once. */
export function unknowns(...all: (Known<unknown> | undefined)[]): string[] {
  return [...new Set(all.flatMap((known) => (known && 'unknown' in known ? [known.unknown] : [])))];
}

/** The fields of a vnode that are read. */
export interface Vnode extends KubeObject {
  spec?: { taints?: Taint[]; unschedulable?: boolean; [field: string]: unknown };
  status?: { allocatable?: Record<string, string>; conditions?: Condition[]; [field: string]: unknown };
}

export interface HomeFacts {
  server: string;
  bindings: Known<ClusterBinding[]>;
  vnodes: Known<Vnode[]>;
}

export interface WorkerFacts {
  server: string;
  nodes: Known<WorkerNode[]>;
  policies: Known<ResourceLeasingPolicy[]>;
  records: Known<LeasedNode[]>;
  /** Claims of every namespace, and the agent's heartbeats. */
  leases: Known<KubeObject[]>;
  /** From the agent's ConfigMap. */
  tenants: Known<Tenant[]>;
  /** The agent's `--time-zone`. */
  timeZone: Known<string>;
  /** Pods on the node that is asked about; undefined when none is. */
  podsOnNode?: Known<PodForRequests[]>;
}

export interface Facts {
  now: Date;
  home?: HomeFacts;
  worker?: WorkerFacts;
}

/** The fields of a pod that are read. */
export interface ExplainedPod extends KubeObject {
  spec: {
    nodeName?: string;
    tolerations?: { key?: string; operator?: string; value?: string; effect?: string }[];
    [field: string]: unknown;
  };
  status?: {
    phase?: string;
    reason?: string;
    message?: string;
    conditions?: Condition[];
    initContainerStatuses?: ContainerStatus[];
    containerStatuses?: ContainerStatus[];
    [field: string]: unknown;
  };
}

interface ContainerStatus {
  name: string;
  ready?: boolean;
  restartCount?: number;
  state?: {
    waiting?: { reason?: string; message?: string };
    running?: object;
    terminated?: { reason?: string; exitCode?: number };
  };
}

/** core/v1 Event. */
export interface EventObject extends KubeObject {
  type?: string;
  reason?: string;
  message?: string;
  count?: number;
  firstTimestamp?: string;
  lastTimestamp?: string;
  eventTime?: string;
  /** Of one that goes on (events.k8s.io): then the other times are those of its beginning. */
  series?: { count?: number; lastObservedTime?: string };
}

export interface PodFacts {
  now: Date;
  namespace: string;
  name: string;
  home?: {
    server: string;
    pod: Known<ExplainedPod | undefined>;
    /** The Node that it is on. */
    node: Known<Vnode | undefined>;
    /** The vnode's. */
    binding: Known<ClusterBinding | undefined>;
    events: Known<EventObject[]>;
    /** Number of vnodes, for a pod that has no node. */
    vnodes: Known<number>;
    /** Names of the NetworkPolicies that select it; none are read for one that is on an ordinary node or has ended. */
    networkPolicies: Known<string[]>;
  };
  worker?: {
    server: string;
    /** Where the counterpart is looked for, as far as that is known. */
    where?: string;
    pod: Known<ExplainedPod | undefined>;
    events: Known<EventObject[]>;
    record: Known<LeasedNode | undefined>;
    policy: Known<ResourceLeasingPolicy | undefined>;
  };
}

/** An answer. Each list holds sentences. */
export interface Explanation {
  kind: 'node' | 'pod' | 'policy';
  name: string;
  summary: string;
  /** What is lent, or what is there. */
  now: string[];
  /** Why not, or why not more. */
  why: string[];
  next: string[];
  events: string[];
  /** What cannot be known, and why. */
  unknown: string[];
}
