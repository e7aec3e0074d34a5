/** ClusterBinding: in the computing cluster, says which worker cluster to take nodes from and how. Cluster-scoped. */
import type { Condition, KubeObject, ObjectMeta, Resource } from '../kube/types.ts';
import type { LabelSelector, NodeSelector } from './selector.ts';

export const ClusterBindings: Resource = {
  group: 'cloud.tencent.com',
  version: 'v1beta1',
  plural: 'clusterbindings',
  kind: 'ClusterBinding',
  namespaced: false,
};

export interface ClusterBinding extends KubeObject {
  metadata: ObjectMeta;
  spec: ClusterBindingSpec;
  status?: ClusterBindingStatus;
}

export interface ClusterBindingSpec {
  /** Unique among bindings, at most 24 characters, never changes: vnode, Deployment and Service names are made of it. */
  clusterID: string;
  /** Secret with the worker cluster's kubeconfig under the key `kubeconfig`. */
  secretRef: SecretReference;
  /** Worker nodes that may become vnodes; left out = all that a policy lends. */
  nodeSelector?: NodeSelector;
  /** The one namespace of the worker cluster that receives all pods. Never changes. */
  mountNamespace: string;
  /** Accepted for compatibility and not used: the condition ServiceNamespacesUnused says so. */
  serviceNamespaces?: string[];
  /** Leave the taint `kubeocean.io/vnode:NoSchedule` off the vnodes. */
  disableNodeDefaultTaint?: boolean;
  /** PriorityClass of the worker pods; empty = `kubeocean-default`. */
  podPriorityClassName?: string;
  /** Really run DaemonSet pods on vnodes. */
  runningDaemonsetByDefault?: boolean;
  /** Set `nodeName` in the worker instead of scheduling there a second time. */
  directScheduling?: boolean;
  /** Namespaces of the computing cluster whose pods may run in this worker; left out = all but the system ones. */
  namespaceSelector?: LabelSelector;
}

export interface SecretReference {
  name: string;
  namespace: string;
}

export type ClusterBindingPhase = 'Pending' | 'Ready' | 'Failed';

export interface ClusterBindingStatus {
  phase?: ClusterBindingPhase;
  conditions?: Condition[];
  /** RFC 3339; when the binding last became Ready. */
  lastSyncTime?: string;
  /** Number of vnodes. Written by the syncer. */
  nodes?: number;
  /** Number of home pods that have a worker pod. Written by the syncer. */
  pods?: number;
  /** Version of the worker cluster's API server. Written by the syncer. */
  workerVersion?: string;
  /** UID of the worker's kube-system namespace: which cluster this binding's pods are in. Written by the syncer. */
  workerUID?: string;
  /** Random text, the same in the claim; differing means that one side was restored from a backup. */
  epoch?: string;
  /** The epoch before, while a new one is on its way into the claim. Written by the syncer. */
  previousEpoch?: string;
}

/** Condition types of a binding. The first four and the last are the manager's, the others the syncer's. */
export const BindingCondition = {
  ready: 'Ready',
  connected: 'Connected',
  syncerReady: 'SyncerReady',
  proxierReady: 'ProxierReady',
  claimed: 'Claimed',
  agentReady: 'AgentReady',
  deletionGuard: 'DeletionGuard',
  workerReachable: 'WorkerReachable',
  /** True while vnodes of gocrane/kubeocean are in the way. */
  foreignState: 'ForeignState',
  /** Only while `spec.serviceNamespaces` is set. */
  serviceNamespacesUnused: 'ServiceNamespacesUnused',
} as const;
export type BindingConditionType = (typeof BindingCondition)[keyof typeof BindingCondition];

/** Conditions of a binding that tell of something wrong while they are True. All others do while they are not True. */
export const BadWhenTrue: readonly string[] = [
  BindingCondition.deletionGuard,
  BindingCondition.foreignState,
  BindingCondition.serviceNamespacesUnused,
];
