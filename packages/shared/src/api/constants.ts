/**
 * Every name that is fixed on the wire: labels, annotations, finalizers, taints, namespaces, ports. Names that
 * gocrane/kubeocean uses have its values, so its users' YAML and selectors go on working; each is named once, here.
 */

export const ApiGroup = 'cloud.tencent.com';
export const ApiVersion = 'v1beta1';

/** Labels. */
export const Label = {
  /** On everything Kubeocean makes; value {@link ManagedByValue}. */
  managedBy: 'kubeocean.io/managed-by',
  /** Binding name (see `labelValue` in names.ts for long ones): vnodes, worker objects, records, claims, Deployments. */
  clusterBinding: 'kubeocean.io/cluster-binding',
  /** UID of the binding: vnodes and worker objects. What counts when ownership is decided. */
  bindingUID: 'kubeocean.io/binding-uid',
  /** `syncer` or `proxier`, on their pods. */
  component: 'kubeocean.io/component',
  /** clusterID, on vnodes, Deployments, and home's volumes while they have a binding. */
  physicalClusterID: 'kubeocean.io/physical-cluster-id',
  /** Worker node's name, UID and InternalIP, on vnodes. */
  physicalNodeName: 'kubeocean.io/physical-node-name',
  physicalNodeUID: 'kubeocean.io/physical-node-uid',
  physicalNodeInnerIP: 'kubeocean.io/physical-node-innerip',
  /** TCP port of the vnode's kubelet API on the proxier, on vnodes. */
  proxierPort: 'kubeocean.io/proxier_port',
  /** Policy under which a vnode is lent. */
  policyApplied: 'kubeocean.io/policy-applied',
  /** When the lease of an Active vnode closes, in seconds since 1970: node affinity's `Gt` and `Lt` compare integers. */
  leaseCloses: 'kubeocean.io/lease-closes',
  /** Home namespace, on worker pods and copies. */
  virtualNamespace: 'kubeocean.io/virtual-namespace',
  /** Lower-case kind and name of the home pod's controller, on worker pods. */
  workloadType: 'kubeocean.io/workload-type',
  workloadName: 'kubeocean.io/workload-name',
  /** `true` on worker Secrets that hold ServiceAccount tokens. */
  serviceAccountToken: 'kubeocean.io/service-account-token',
  /** `true` on claim Leases. */
  claim: 'kubeocean.io/claim',
  /** `true` on namespaces of the worker that receive pods (set by the worker chart). */
  mountNamespace: 'kubeocean.io/mount-namespace',
  /** Well-known ones that vnodes carry. */
  nodeType: 'type',
  instanceType: 'node.kubernetes.io/instance-type',
  instanceTypeBeta: 'beta.kubernetes.io/instance-type',
  hostname: 'kubernetes.io/hostname',
  excludeFromLoadBalancers: 'node.kubernetes.io/exclude-from-external-load-balancers',
  appName: 'app.kubernetes.io/name',
  appManagedBy: 'app.kubernetes.io/managed-by',
} as const;

export const ManagedByValue = 'kubeocean';

/** Value of the label `type` on vnodes. */
export const VnodeType = 'virtual-kubelet';
/** Value of the instance-type labels on vnodes. */
export const VnodeInstanceType = 'vnode';
/** Worker nodes whose instance type is one of these, or whose `type` is {@link VnodeType}, are never lent. */
export const NeverLentInstanceTypes: readonly string[] = ['external', 'vnode', 'eklet'];

/** Annotations. */
export const Annotation = {
  /** On home pods, for information only; never read back. */
  physicalPodNamespace: 'kubeocean.io/physical-pod-namespace',
  physicalPodName: 'kubeocean.io/physical-pod-name',
  physicalPodUID: 'kubeocean.io/physical-pod-uid',
  /** On worker pods. */
  virtualPodNamespace: 'kubeocean.io/virtual-pod-namespace',
  virtualPodName: 'kubeocean.io/virtual-pod-name',
  virtualPodUID: 'kubeocean.io/virtual-pod-uid',
  virtualNodeName: 'kubeocean.io/virtual-node-name',
  /** What was last asked for of deadline, images and resources: written and read by the syncer alone. */
  asked: 'kubeocean.io/asked',
  /** Keys of the labels and annotations that came along from home; absent when none did. The syncer's alone, too. */
  carried: 'kubeocean.io/carried',
  /** On worker pods that the agent takes back: why, in words. The Eviction API overwrites the condition that says so. */
  leaseClosed: 'kubeocean.io/lease-closed',
  /** On worker copies of ConfigMaps and Secrets. */
  virtualName: 'kubeocean.io/virtual-name',
  virtualNamespace: 'kubeocean.io/virtual-namespace',
  /** ServiceAccount of the home pod, on token Secrets. */
  serviceAccount: 'kubeocean.io/service-account',
  /** RFC 3339; when the tokens in a token Secret are renewed. */
  tokenRenewAt: 'kubeocean.io/token-renew-at',
  /** `uid/resourceVersion` of the home object that a copy was made of. */
  sourceVersion: 'kubeocean.io/source-version',
  /** Begins the annotations of a worker pod that its downward API volumes show: values of the home pod. */
  downwardPrefix: 'kubeocean.io/downward.',
  /** `namespace/name` of the LeasedNode behind a vnode. */
  leasedNode: 'kubeocean.io/leased-node',
  /** RFC 3339; when the lease of an Active vnode closes. */
  leaseClosesAt: 'kubeocean.io/lease-closes-at',
  /** Set by users: `true` on a DaemonSet's pod template runs it on vnodes. */
  runningDaemonset: 'kubeocean.io/running-daemonset',
  /** Claims: who claims, and what the agent must know of the binding. */
  bindingUID: 'kubeocean.io/binding-uid',
  clusterID: 'kubeocean.io/cluster-id',
  computingClusterUID: 'kubeocean.io/computing-cluster-uid',
  nodeSelector: 'kubeocean.io/node-selector',
  epoch: 'kubeocean.io/epoch',
  /** On the agent's heartbeat Lease: beginnings, parted by commas, of labels and annotations that lent pods may carry. */
  metadataPrefixes: 'kubeocean.io/metadata-prefixes',
  /** On the agent's heartbeat Lease: UID of the worker's kube-system namespace, by which syncers know the cluster. */
  workerClusterUID: 'kubeocean.io/worker-cluster-uid',
  /** Set by the worker's owner on a policy or worker node: `now` ends the lease at once; taking it off lends again. */
  reclaim: 'kubeocean.io/reclaim',
  /** Set by the worker's owner on a claim: `true` takes the binding's lease away for good. */
  release: 'kubeocean.io/release',
  /** Set by users on a binding: UID of the worker cluster that takes the place of the one known. */
  approveWorker: 'kubeocean.io/worker-uid',
  /** Set by users on a binding: `true` finishes its deletion without the worker. */
  abandon: 'kubeocean.io/abandon',
  /** Set by users on a binding: `evict` lets Kubernetes evict while the worker cannot be reached. */
  unreachable: 'kubeocean.io/unreachable',
  /** Set by users on a binding: approves what the deletion guard stopped; value = the text the condition asks for. */
  approveDeletions: 'kubeocean.io/approve-deletions',
  /** On the Deployments the manager makes: hash of what was rendered. */
  templateHash: 'kubeocean.io/template-hash',
} as const;

/** Finalizers. */
export const Finalizer = {
  bindingManager: 'kubeocean.io/clusterbinding-manager',
  bindingSyncer: 'kubeocean.io/clusterbinding-syncer',
  vnode: 'kubeocean.io/vnode',
  /** On worker pods; removed once home shows the final state or is gone. */
  homeSync: 'kubeocean.io/home-sync',
} as const;

/** Keys of taints on vnodes. */
export const TaintKey = {
  /** Default taint, NoSchedule, no value. */
  vnode: 'kubeocean.io/vnode',
  /** The worker node is cordoned, or its network is not up. */
  physicalNodeUnschedulable: 'kubeocean.io/physical-node-unschedulable',
  /** `true`: no window of the policy is open. */
  outOfTimeWindows: 'kubeocean.io/out-of-time-windows',
  /** `true`: the vnode is being removed. */
  vnodeDeleting: 'kubeocean.io/vnode-deleting',
  /** The record is missing or the agent is silent: nothing is known of the lease. */
  leaseUnknown: 'kubeocean.io/lease-unknown',
  /** The worker cluster does not answer. */
  workerUnreachable: 'kubeocean.io/worker-unreachable',
  /** Kubernetes' own prefix; a record's taints under it are never copied. */
  kubernetesNodePrefix: 'node.kubernetes.io/',
} as const;

/** Condition types on home pods. */
export const PodCondition = {
  /** The pod is not run on vnodes (DaemonSet or system namespace). */
  notRun: 'kubeocean.io/NotRun',
  /** The worker cluster does not take the pod, in its own words; it is asked again. */
  refused: 'kubeocean.io/Refused',
  disruptionTarget: 'DisruptionTarget',
} as const;

/** `status.reason` of home pods that Kubeocean failed. */
export const PodReason = {
  workerPodLost: 'WorkerPodLost',
  leaseClosed: 'LeaseClosed',
  /** Event: it may run longer than its lease lasts. */
  leaseClosesFirst: 'LeaseClosesFirst',
  workerUnschedulable: 'WorkerUnschedulable',
} as const;

/** Namespaces. */
export const Namespace = {
  /** Computing cluster: manager, syncers, proxiers, and the only one whose Secrets may hold kubeconfigs. */
  system: 'kubeocean-system',
  /** Worker cluster: the agent. */
  agent: 'kubeocean-agent',
  /** Worker cluster: default mount namespace. */
  worker: 'kubeocean-worker',
  nodeLease: 'kube-node-lease',
  kubeSystem: 'kube-system',
} as const;

/** Home namespaces whose pods never run in a worker. */
export const SystemNamespaces: readonly string[] = [
  'kube-system',
  'kube-public',
  'kube-node-lease',
  'kubeocean-system',
  'kubeocean-fake',
];

/** Key of the kubeconfig in the Secret that a binding refers to. */
export const KubeconfigKey = 'kubeconfig';

/** Files mounted into our own pods. */
export const MountPath = {
  workerKubeconfig: '/etc/kubeocean/worker/kubeconfig',
  /** What the manager makes the syncer and proxier Deployments of, beside its flags. */
  workloads: '/etc/kubeocean/manager/workloads.json',
  tenants: '/etc/kubeocean/agent/tenants.json',
} as const;

/** Objects that the charts make, by name. */
export const ChartName = {
  manager: 'kubeocean-manager',
  /** ClusterRoles of the computing cluster that the manager may bind, and no others. */
  syncerClusterRole: 'kubeocean-syncer',
  proxierClusterRole: 'kubeocean-proxier',
  syncerLeasesClusterRole: 'kubeocean-syncer-leases',
  /** Worker cluster: Deployment, ServiceAccount and heartbeat Lease of the agent. */
  agent: 'kubeocean-agent',
  /** Worker cluster: default ServiceAccount, token Secret and Role in a mount namespace. */
  workerServiceAccount: 'kubeocean-syncer',
  workerPriorityClass: 'kubeocean-default',
  /** Worker cluster: admission policies, and bindings of the same names, that hold tenants to what is lent. */
  admissionPolicies: ['kubeocean-tenants', 'kubeocean-tenants-objects', 'kubeocean-tenants-volumes'],
  /** LeaseGuard in each mount namespace: parameter of the first of them, kept by the agent. */
  leaseGuard: 'kubeocean-lease',
} as const;

/** Services of the computing cluster whose addresses worker pods are given, where they exist. */
export const IntranetService = {
  apiServer: { namespace: 'default', name: 'kubernetes-intranet' },
  dns: { namespace: 'kube-system', name: 'kube-dns-intranet' },
} as const;

/** TCP ports. */
export const Port = {
  metrics: 8080,
  health: 8081,
  /** Kubelet API of vnodes on the proxier: below the ephemeral range of Linux (32768). */
  vnodeFirst: 15000,
  vnodeLast: 29999,
} as const;

/** Name of the health port in pods and Services. */
export const HealthPortName = 'health';

/** Seconds. */
export const Seconds = {
  /** Claims, heartbeats and vnode Leases: how often they are renewed, and when silence means gone. */
  renewEvery: 10,
  staleAfter: 40,
  leaseDuration: 40,
} as const;

/** Field managers of server-side apply, one per process. */
export const FieldManager = {
  manager: 'kubeocean-manager',
  syncer: 'kubeocean-syncer',
  proxier: 'kubeocean-proxier',
  agent: 'kubeocean-worker-agent',
} as const;

/** Identity of the kubelet-serving signer, for the proxier's CSR. */
export const KubeletServingSigner = 'kubernetes.io/kubelet-serving';

/** Audience of the short token by which a binding's ServiceAccount speaks to the agent, and the header it travels in. */
export const AgentAudience = 'kubeocean-worker-agent';
export const AgentTokenHeader = 'X-Kubeocean-Token';

/** `providerID` of vnodes. */
export function providerID(clusterID: string, nodeName: string): string {
  return `kubeocean://${clusterID}/${nodeName}`;
}
