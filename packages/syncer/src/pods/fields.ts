/**
 * What becomes of each field of a pod (Kubernetes 1.34): the table that docs/pod-fields.md is printed from. Unit tests hold
 * it to the translation, e2e/pods-fields.test.ts to the API server's own list of fields, so that a new one shows up.
 */

/** carried: as it is. translated: as something else that means the same. home: consumed at home. refused: told on the pod. */
export type Fate = 'carried' | 'translated' | 'home' | 'refused';

/** What becomes of it; how or why, in words; the end-to-end test (file without .test.ts) or `unit` that shows it. */
export type FieldRow = readonly [fate: Fate, how: string, test: string];
export type FieldTable = Readonly<Record<string, FieldRow>>;

const asIs = (test: string, how = ''): FieldRow => ['carried', how, test];

/** creation/left-out.ts, creation/dropped-volumes.ts */
const NOT_WITHOUT = 'not run while the worker’s API server would take it off the pod';

export const POD_SPEC: FieldTable = {
  activeDeadlineSeconds: asIs('pods-changes', 'shortened at home, shortened in the worker'),
  affinity: ['home', 'one required node affinity term names the worker node instead', 'pods-spec'],
  automountServiceAccountToken: [
    'translated',
    '`false`: the worker has no account for the pod; home has put its token into `volumes`',
    'pods-projected',
  ],
  containers: ['translated', 'see containers', 'pods-spec'],
  dnsConfig: ['translated', 'merged with DNS server and search list of home', 'pods-environment'],
  dnsPolicy: [
    'translated',
    '`ClusterFirst` and `ClusterFirstWithHostNet` become `None` with home’s DNS (`Default` when it is not known); others are carried',
    'pods-environment',
  ],
  enableServiceLinks: [
    'translated',
    '`false`: the variables are written into the containers, of at most 200 Services; an event says when there are more',
    'pods-environment',
  ],
  ephemeralContainers: [
    'translated',
    'by `pods/ephemeralcontainers` once the pod runs; what the worker refuses is the container’s waiting reason',
    'pods-changes',
  ],
  evictionResponders: ['home', 'controllers of home, for which the worker’s evictions would wait', 'unit'],
  hostAliases: ['translated', 'with one more for home’s API server (`kubernetes.default.svc`, …)', 'pods-environment'],
  hostIPC: asIs('trust-pods', 'the worker’s Pod Security decides; `baseline` refuses'),
  hostNetwork: asIs('trust-pods', 'the worker’s Pod Security decides; `baseline` refuses'),
  hostPID: asIs('trust-pods', 'the worker’s Pod Security decides; `baseline` refuses'),
  hostUsers: asIs('pods-spec'),
  hostname: ['translated', 'the pod’s name where it has none (dots become dashes)', 'pods-environment'],
  hostnameOverride: asIs('unit', 'needs a worker of 1.35; an older one drops it, which an event says'),
  imagePullSecrets: ['translated', 'copies under derived names', 'pods'],
  initContainers: ['translated', 'see containers', 'pods-spec'],
  nodeName: [
    'translated',
    'the worker node behind the vnode, by node affinity or, with `directScheduling`, by `nodeName`',
    'pods',
  ],
  nodeSelector: ['home', 'of labels of the vnode', 'pods-spec'],
  os: asIs('pods-spec'),
  overhead: asIs('pods-spec', 'the worker’s RuntimeClass must say the same'),
  preemptionPolicy: ['home', 'lent pods push nobody out', 'unit'],
  priority: ['home', 'in the worker lent pods are below all others', 'pods-controllers'],
  priorityClassName: [
    'translated',
    'the binding’s `podPriorityClassName`, else `kubeocean-default`',
    'pods-controllers',
  ],
  readinessGates: ['home', 'home’s Ready is the worker’s ContainersReady and home’s gates', 'pods-environment'],
  resourceClaims: ['refused', 'devices of a claim are the home cluster’s', 'unit'],
  resources: asIs('pods-spec', `${NOT_WITHOUT}; not resized: home’s API server refuses that on vnodes`),
  restartPolicy: asIs('pods-controllers'),
  runtimeClassName: asIs('pods-spec', 'must exist in the worker, else refused in its words and asked again'),
  schedulerName: ['home', 'the worker’s default scheduler checks the placement', 'unit'],
  schedulingGates: ['home', 'a gated pod is on no vnode yet', 'pods-spec'],
  schedulingGroup: ['home', 'home’s scheduler places the group', 'unit'],
  securityContext: asIs('pods-spec', 'all of it; the worker’s Pod Security decides'),
  serviceAccount: ['home', 'as serviceAccountName', 'unit'],
  serviceAccountName: ['home', 'tokens are of home’s account; in the worker it is `default`, without a token', 'pods'],
  setHostnameAsFQDN: [
    'translated',
    'with a subdomain: `hostnameOverride` with home’s whole name, which needs a worker of 1.35; an event says when it is too old',
    'pods-environment',
  ],
  shareProcessNamespace: asIs('pods-spec'),
  subdomain: [
    'home',
    'home’s DNS serves the name; in the worker it would make a name in the mount namespace, so `hostname -f` gives the short name',
    'pods-environment',
  ],
  terminationGracePeriodSeconds: asIs('pods-changes', 'the grace of a deletion is carried too'),
  tolerations: asIs('pods-changes', 'those added later stay at home, whose taints they are about'),
  topologySpreadConstraints: ['home', 'of vnodes', 'pods-spec'],
  volumes: ['translated', 'see volumes', 'pods'],
};

/** Containers, init containers (sidecars too) and ephemeral containers. */
export const CONTAINER: FieldTable = {
  args: asIs('pods-spec'),
  command: asIs('pods-spec'),
  env: [
    'translated',
    'references renamed, the downward API resolved, Services and API server of home added in front',
    'pods-environment',
  ],
  envFrom: ['translated', 'references renamed; against home, variables of Services win over it', 'pods'],
  image: asIs('pods-changes', 'a change is followed'),
  imagePullPolicy: asIs('pods-told'),
  lifecycle: asIs('pods-spec'),
  livenessProbe: asIs('pods-spec'),
  name: asIs('pods-spec'),
  ports: asIs('pods-spec', 'host ports: home’s scheduler sees conflicts; the worker’s Pod Security decides'),
  readinessProbe: asIs('pods-spec'),
  resizePolicy: asIs('pods-spec'),
  resources: asIs('pods-changes', 'CPU and memory are resized in place, both ways, once they fit what is lent'),
  restartPolicy: asIs('pods-spec', `\`Always\` of an init container: a sidecar; ${NOT_WITHOUT}`),
  restartPolicyRules: asIs(
    'unit',
    `${NOT_WITHOUT}; with the action RestartAllContainers, home of 1.36 and newer places the pod on no vnode, which declares no node features`,
  ),
  securityContext: asIs('pods-spec', 'all of it; the worker’s Pod Security decides'),
  startupProbe: asIs('pods-spec'),
  stdin: asIs('pods-spec'),
  stdinOnce: asIs('unit'),
  targetContainerName: asIs('pods-changes', 'ephemeral containers only'),
  terminationMessagePath: asIs('pods-spec'),
  terminationMessagePolicy: asIs('pods-spec'),
  tty: asIs('pods-spec'),
  volumeDevices: asIs('unit'),
  volumeMounts: asIs('pods-spec', 'with subPath'),
  workingDir: asIs('pods-spec'),
};

const noSuchVolume: FieldRow = ['refused', 'refers to objects or disks of home; use a claim', 'unit'];

export const VOLUME: FieldTable = {
  awsElasticBlockStore: noSuchVolume,
  azureDisk: noSuchVolume,
  azureFile: noSuchVolume,
  cephfs: noSuchVolume,
  cinder: noSuchVolume,
  configMap: ['translated', 'a copy under a derived name', 'pods'],
  csi: asIs(
    'volumes-csi',
    'inline, of drivers that the worker’s owner lends; refused with a `nodePublishSecretRef`, whose name would mean another Secret',
  ),
  downwardAPI: ['translated', 'of the home pod, by annotations of the worker pod; it follows changes', 'pods-changes'],
  emptyDir: asIs('pods-spec'),
  ephemeral: ['translated', 'the claim that home has made', 'volumes'],
  fc: asIs('unit', 'the worker’s policy decides'),
  flexVolume: noSuchVolume,
  flocker: noSuchVolume,
  gcePersistentDisk: noSuchVolume,
  gitRepo: noSuchVolume,
  glusterfs: noSuchVolume,
  hostPath: asIs('volumes-refused', 'the worker’s policy decides; `baseline` refuses'),
  image: asIs('volumes-image', NOT_WITHOUT),
  iscsi: noSuchVolume,
  name: asIs('pods'),
  nfs: asIs('volumes-refused', 'the worker’s policy decides'),
  persistentVolumeClaim: ['translated', 'the worker’s claim of the same volume', 'volumes'],
  photonPersistentDisk: noSuchVolume,
  portworxVolume: noSuchVolume,
  projected: ['translated', 'see projected sources', 'pods-projected'],
  quobyte: noSuchVolume,
  rbd: noSuchVolume,
  scaleIO: noSuchVolume,
  secret: ['translated', 'a copy under a derived name', 'pods'],
  storageos: noSuchVolume,
  vsphereVolume: noSuchVolume,
};

export const PROJECTED_SOURCE: FieldTable = {
  clusterTrustBundle: ['refused', 'an object of home that is not brought along', 'unit'],
  configMap: ['translated', 'a copy under a derived name', 'pods-projected'],
  downwardAPI: ['translated', 'of the home pod', 'pods-projected'],
  podCertificate: ['refused', 'the worker would sign for a pod that home does not know', 'unit'],
  secret: ['translated', 'a copy under a derived name', 'pods-projected'],
  serviceAccountToken: ['translated', 'a Secret with a token of home, bound to the home pod', 'pods-projected'],
};

export const ENV_SOURCE: FieldTable = {
  configMapKeyRef: ['translated', 'a copy under a derived name', 'pods-told'],
  fieldRef: ['translated', 'the value of the home pod; addresses are the worker’s', 'pods-environment'],
  fileKeyRef: asIs('unit'),
  resourceFieldRef: asIs('pods-environment'),
  secretKeyRef: ['translated', 'a copy under a derived name', 'pods'],
};

/** The way back: `carried` from the worker, or kept by `home`. */
export const POD_STATUS: FieldTable = {
  allocatedResources: asIs('unit'),
  conditions: [
    'translated',
    'the kubelet’s own and DisruptionTarget are carried; all others are home’s',
    'pods-environment',
  ],
  containerStatuses: asIs(
    'pods-spec',
    'all of each, with home’s names in waiting messages; only of containers that the pod has',
  ),
  ephemeralContainerStatuses: asIs('pods-changes', 'as containerStatuses'),
  extendedResourceClaimStatus: ['home', 'claims of devices are home’s', 'unit'],
  hostIP: asIs('pods-environment'),
  hostIPs: asIs('pods-projected'),
  initContainerStatuses: asIs('pods-spec', 'as containerStatuses'),
  message: asIs('pods-told', 'in home’s names'),
  nodeAllocatableResourceClaimStatuses: ['home', 'claims of devices are home’s', 'unit'],
  nominatedNodeName: ['home', 'the scheduler’s', 'unit'],
  observedGeneration: ['translated', 'home’s generation, once the worker’s kubelet has acted on it', 'pods-changes'],
  phase: asIs('pods'),
  podIP: asIs('pods'),
  podIPs: asIs('pods-environment'),
  qosClass: ['home', 'the API server’s', 'unit'],
  reason: asIs('pods-changes'),
  resize: asIs('unit', 'of workers before 1.33'),
  resourceClaimStatuses: ['home', 'claims of devices are home’s', 'unit'],
  resources: asIs('unit'),
  startTime: asIs('pods-projected'),
  volumeHealth: ['home', 'not shown: it is of the worker’s volumes', 'unit'],
};

/** Fields of Kubernetes 1.35 to 1.37 that are known already, by kind: no API server of 1.34 lists them. */
export const NEWER: Readonly<Record<string, readonly string[]>> = {
  PodSpec: ['evictionResponders', 'schedulingGroup'],
  PodStatus: ['allocatedResources', 'nodeAllocatableResourceClaimStatuses', 'resources', 'volumeHealth'],
};

/** All tables, by the kind whose fields they name. */
export const FIELD_TABLES = {
  PodSpec: POD_SPEC,
  Container: CONTAINER,
  EphemeralContainer: CONTAINER,
  Volume: VOLUME,
  VolumeProjection: PROJECTED_SOURCE,
  EnvVarSource: ENV_SOURCE,
  PodStatus: POD_STATUS,
} as const;
