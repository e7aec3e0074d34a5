/** What is read of both clusters before a binding's state of gocrane/kubeocean is taken over. */
import type { ClusterBinding } from '@kubeocean/shared/api';
import type { KubeObject, Resource } from '@kubeocean/shared/kube';
import type { Identity } from './identity.ts';

/** Names on the wire that only gocrane/kubeocean uses. */
export const Foreign = {
  policyFinalizer: 'policy.kubeocean.io/finalizer',
  /** Followed by the clusterID, on ConfigMaps, Secrets, claims and volumes of the computing cluster. */
  copiedFinalizer: 'kubeocean.io/finalizer-',
  /** The same, a label. */
  copiedLabel: 'kubeocean.io/synced-by-',
  deletingAnnotation: 'kubeocean.io/deleting-',
  copiedAnnotations: ['kubeocean.io/physical-name', 'kubeocean.io/physical-namespace'],
  /** Base64 of JSON: labels and annotations that a vnode was given last. */
  expectedMetadata: 'kubeocean.io/expected-metadata',
  vnodeAnnotations: [
    'kubeocean.io/last-sync-time',
    'kubeocean.io/policies-applied',
    'kubeocean.io/policy-details',
    'kubeocean.io/expected-metadata',
    'kubeocean.io/prometheus-url',
    'kubeocean.io/deletion-taint-time',
  ],
  /** Pods that held the ports of worker nodes, and where they are. */
  placeholderLabel: 'kubeocean.io/hostport-fake-pod',
  placeholderNamespace: 'kubeocean-fake',
  /** On the pods of its syncers and proxiers: the name of their Deployment. */
  appLabel: 'k8s-app',
  /** On a binding: the Secret of a certificate that its owner brought. */
  ownCertificate: 'kubeocean.io/logs-proxy-secret-name',
  /** Where its manager has its templates. */
  managerMount: '/etc/kubeocean/syncer-template',
} as const;

/** Log collection of Tencent Cloud, which gocrane/kubeocean copies. Few clusters know the kind. */
export const LogConfigs: Resource = {
  group: 'cls.cloud.tencent.com',
  version: 'v1',
  plural: 'logconfigs',
  kind: 'LogConfig',
  namespaced: false,
};

export interface Found {
  binding: ClusterBinding;
  /** URLs of the API servers. */
  servers: Record<Step['cluster'], string>;
  /** Whether the worker is the one of the binding. */
  identity: Identity;
  /** Of the namespace kubeocean-system, as the next three. */
  deployments: KubeObject[];
  pods: KubeObject[];
  services: KubeObject[];
  /** The Secret in which its proxier kept a certificate that it asked this cluster for. Metadata only. */
  certificate: KubeObject | undefined;
  /** Of the name that the manager's is to have. */
  managerBinding: KubeObject | undefined;
  /** Nodes with the clusterID of the binding. */
  vnodes: KubeObject[];
  csiNodes: KubeObject[];
  /** Pods of the computing cluster on those vnodes. */
  homePods: KubeObject[];
  /** Objects of the computing cluster that were copied to this worker. */
  copied: { resource: Resource; object: KubeObject }[];
  /** Why the LogConfigs of the computing cluster cannot be read. */
  logConfigsUnread?: string;
  /** Pods of the mount namespace without a binding's UID. */
  workerPods: KubeObject[];
  /** UIDs of the home pods whose counterparts bear this binding's. */
  adopted: ReadonlySet<string>;
  /** Whether any of these was made by gocrane/kubeocean: it has copies of its making. */
  useTheirs: boolean;
  policies: KubeObject[];
  /** Worker nodes that bear the name of a policy. */
  workerNodes: KubeObject[];
  priorityClass: KubeObject | undefined;
}

/** One write. */
export interface Step {
  cluster: 'computing' | 'worker';
  verb: 'delete' | 'patch';
  resource: Resource;
  namespace: string;
  name: string;
  uid: string;
  patch?: { type: 'merge' | 'strategic'; body: object };
  gracePeriodSeconds?: number;
  /** Of a process: labels of its pods, which must be gone before anything else is done. */
  awaitPods?: Record<string, string>;
  why: string;
}

export interface Plan {
  servers: Found['servers'];
  /** What has to be done by hand first: nothing is written before. */
  problems: string[];
  /** What somebody should look at, and may be right. */
  warnings: string[];
  /** Pods of its processes that must be gone before anything else is done. */
  waiting: string[];
  steps: Step[];
  /** What stays as it is, and what becomes of it. */
  left: string[];
}
