/** What the parts of a leading syncer share: who they work for, both clusters, what is known of them, where to report. */
import type { ClusterBinding, LeasedNode } from '@kubeocean/shared/api';
import type { Logger, Registry } from '@kubeocean/shared/daemon';
import type {
  EventRecorder,
  KubeClient,
  KubeObject,
  Leadership,
  ReadonlyStore,
  WorkQueueOptions,
} from '@kubeocean/shared/kube';
import type { BindingReport } from './binding/report.ts';

export interface SyncerContext {
  /** The binding as last seen; never undefined once the syncer has started. */
  binding: () => ClusterBinding;
  bindingName: string;
  bindingUID: string;
  clusterID: string;
  mountNamespace: string;
  /** UID of the computing cluster's kube-system namespace. */
  homeUID: string;
  home: KubeClient;
  worker: KubeClient;
  homeEvents: EventRecorder;
  /** Name of our own pod, for events. */
  instance: string;
  log: Logger;
  registry: Registry;
  now: () => Date;
  leadership: Leadership;
  /**
   * True while writes to the worker are allowed: the claim is held and leadership is current, and the worker answers. Of one
   * that does not, nothing is asked for each of thousands of pods; whether it does again, the claim's turns find out.
   */
  mayWriteWorker: () => boolean;
  /** Whether the worker is at this moment the cluster that has our claim. @throws ApiError, ConnectionError */
  confirmWorker: () => Promise<boolean>;
  settings: SyncerSettings;
  /** Beginnings of labels and annotations that the worker's owner lets home's pods bring along; the agent tells them. */
  carriedPrefixes: () => readonly string[];
  stores: SyncerStores;
  /** Conditions and counts of the binding that the syncer owns. */
  report: BindingReport;
  /** Metrics and logging of a work queue of that name: `new WorkQueue(handler, {...context.queue('pods'), workers: 16})`. */
  queue: (name: string) => Pick<WorkQueueOptions, 'observe' | 'onError'>;
}

export interface SyncerStores {
  /** Home Nodes with the label kubeocean.io/cluster-binding of this binding. Check kubeocean.io/binding-uid too. */
  vnodes: ReadonlyStore<KubeObject>;
  /** Records of this binding; index `node` by spec.nodeName, index `vnode` by every name its vnode may have. */
  records: ReadonlyStore<LeasedNode>;
  /**
   * Home pods bound to nodes named `vnode-<clusterID>-…`; index `node` by spec.nodeName, index `claim` by `namespace/name` of
   * the claims that they use. The node's name is only a first sieve (`vnode-a-b-c` may be another binding's): ours is what
   * {@link SyncerStores.vnodes} has.
   */
  homePods: ReadonlyStore<KubeObject>;
  /**
   * Pods of the mount namespace with the label kubeocean.io/binding-uid of this binding; index `node` by spec.nodeName,
   * index `vnode` by the annotation kubeocean.io/virtual-node-name, index `adopted` by the home pod's namespace/name of those
   * that were adopted and keep another name.
   */
  workerPods: ReadonlyStore<KubeObject>;
}

/** What the command line says. */
export interface SyncerSettings {
  /** Addresses of the computing cluster's DNS for worker pods; empty: from its Services. */
  clusterDNS: readonly string[];
  clusterDomain: string;
  /** Address and port of the computing cluster's API server for worker pods; empty: from its Services. */
  kubernetesServiceHost: string;
  kubernetesServicePort: string;
  maxVnodes: number;
  workerScheduleTimeoutSeconds: number;
  /** How often everything in the worker is looked at again; 0: never. */
  sweepIntervalSeconds: number;
  /** Show home's users normal events of the worker too, not only warnings. */
  mirrorNormalEvents: boolean;
  /** Namespace of our own pods and of the Services that the manager makes. */
  systemNamespace: string;
}
