/** A worker cluster in memory, all of it lent: what it holds, and what its API server tells of a pod's life. */
import {
  Annotation,
  ChartName,
  claimName,
  Finalizer,
  Label,
  type LeasedNode,
  type ResourceLeasingPolicy,
} from '@kubeocean/shared/api';
import type { Json, KubeObject } from '@kubeocean/shared/kube';
import type { Told } from './memory.ts';

export const MOUNT = 'lend-here';
export const BINDING = 'north';
const CREATED = '2026-01-01T00:00:00Z';
export const tenants = [{ namespace: MOUNT, serviceAccount: 'syncer', bindings: [BINDING] }];

/** A node as its kubelet told its status at `heartbeat` (RFC 3339). */
export function clusterNode(index: number, heartbeat = CREATED): KubeObject {
  const name = nodeName(index);
  const times = { lastHeartbeatTime: heartbeat, lastTransitionTime: CREATED };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      uid: `uid-of-${name}`,
      resourceVersion: '',
      creationTimestamp: CREATED,
      labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux', pool: 'batch' },
      managedFields: ['kubelet', 'controller-manager'].map(fieldsOf),
    },
    spec: { podCIDR: '10.0.0.0/24', podCIDRs: ['10.0.0.0/24'] },
    status: {
      allocatable: { cpu: '64', memory: '256Gi', pods: '1000', 'ephemeral-storage': '100Gi' },
      addresses: [{ type: 'InternalIP', address: '172.18.0.9' }],
      conditions: ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'].map((type) => ({
        type,
        status: type === 'Ready' ? 'True' : 'False',
        reason: `Kubelet${type}`,
        message: `what the kubelet says of ${type}`,
        ...times,
      })),
      nodeInfo: { architecture: 'amd64', kubeletVersion: 'v1.34.0', osImage: 'Linux', operatingSystem: 'linux' },
      // A kubelet names fifty.
      images: Array.from({ length: 50 }, (_, n) => ({
        names: [
          `registry.example.com/team/image-${n}@sha256:${'d'.repeat(64)}`,
          `registry.example.com/team/image-${n}:1`,
        ],
        sizeBytes: 100_000_000,
      })),
    },
  };
}

function nodeName(index: number): string {
  return `worker-node-${String(index).padStart(4, '0')}.example.com`;
}

/** The claim of the binding, renewed at a time (RFC 3339). */
export function claim(renewTime = CREATED): KubeObject {
  const labels = { [Label.claim]: 'true', [Label.clusterBinding]: BINDING };
  return {
    metadata: { name: claimName(BINDING), namespace: MOUNT, uid: 'uid-of-claim', creationTimestamp: CREATED, labels },
    spec: { renewTime },
  };
}

export function policy(): ResourceLeasingPolicy {
  return {
    metadata: { name: 'all', uid: 'uid-of-policy', creationTimestamp: CREATED, generation: 1 },
    spec: { cluster: BINDING, resourceLimits: [{ resource: 'cpu', percent: 90 }] },
  };
}

/** Names of the chart's admission policies and their bindings, in force. */
export function admission(): KubeObject[] {
  return ChartName.admissionPolicies.map((name) => ({
    metadata: { name, uid: `uid-of-${name}`, creationTimestamp: CREATED },
    spec: { policyName: name, failurePolicy: 'Fail', validationActions: ['Deny'] },
  }));
}

export interface PodKind {
  index: number;
  nodes: number;
  /** In the mount namespace, and the binding's. */
  lent: boolean;
}

export function podKey({ index, lent }: PodKind): string {
  return `${lent ? MOUNT : 'of-the-owner'}/pod-number-${index}`;
}

/** The changes of a pod's life in order: bound, started, ready, asked to end, ended, let go by home. */
export const STAGES = 6;

/** What a watch tells at a stage of a pod's life, from 0. */
export function stageOf(kind: PodKind, stage: number): Told {
  const [namespace = '', name = ''] = podKey(kind).split('/');
  const ready = stage === 2 || stage === 3;
  const ended = stage >= 4;
  const type = stage === 0 ? 'ADDED' : stage === STAGES - 1 ? 'DELETED' : 'MODIFIED';
  const held = kind.lent && stage < STAGES - 1;
  const conditions = ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled'];
  const metadata = {
    name,
    namespace,
    uid: `0123abcd-0000-4000-8000-${String(kind.index).padStart(12, '0')}`,
    // Before managedFields, as servers write it.
    resourceVersion: '',
    generation: stage >= 3 ? 2 : 1,
    creationTimestamp: CREATED,
    ...(stage >= 3 && { deletionTimestamp: CREATED, deletionGracePeriodSeconds: 1 }),
    labels: { app: 'batch', ...(kind.lent && { [Label.clusterBinding]: BINDING }) },
    annotations: { [Annotation.virtualPodUID]: `of-home-${kind.index}`, 'example.com/checksum': 'c'.repeat(64) },
    ...(held && { finalizers: [Finalizer.homeSync] }),
    managedFields: ['creator', 'scheduler', 'kubelet'].map(fieldsOf),
  };
  const status = {
    phase: ended ? 'Succeeded' : stage >= 2 ? 'Running' : 'Pending',
    ...(stage > 0 && { observedGeneration: 1, hostIP: '172.18.0.9', podIP: '10.0.0.9', podIPs: [{ ip: '10.0.0.9' }] }),
    conditions: conditions
      .slice(stage === 0 ? 4 : 0)
      .map((each) => ({ type: each, status: ready ? 'True' : 'False', lastTransitionTime: CREATED })),
    ...(stage > 0 && { startTime: CREATED, containerStatuses: [containerStatus(stage)] }),
    qosClass: 'Burstable',
  };
  const spec = { ...podSpec(), nodeName: nodeName(kind.index % kind.nodes) };
  return [type, { apiVersion: 'v1', kind: 'Pod', metadata, spec, status }];
}

function podSpec(): Json {
  const mounts = [{ name: 'kube-api-access-x7k2p', readOnly: true, mountPath: '/var/run/secrets/kubernetes.io' }];
  return {
    volumes: [{ name: 'kube-api-access-x7k2p', projected: { sources: [{ secret: { name: 'token-of-it' } }] } }],
    containers: [
      {
        name: 'main',
        image: 'registry.example.com/team/app:1.2.3',
        command: ['sleep', '3600'],
        ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
        env: Array.from({ length: 12 }, (_, n) => ({ name: `SETTING_${n}`, value: `the value number ${n} of it` })),
        resources: { limits: { memory: '64Mi' }, requests: { cpu: '10m', memory: '16Mi' } },
        volumeMounts: mounts,
        terminationMessagePath: '/dev/termination-log',
        terminationMessagePolicy: 'File',
        imagePullPolicy: 'IfNotPresent',
        securityContext: { allowPrivilegeEscalation: false },
      },
    ],
    restartPolicy: 'Never',
    terminationGracePeriodSeconds: 1,
    dnsPolicy: 'None',
    dnsConfig: { nameservers: ['10.96.0.10'], searches: ['batch.svc.cluster.local', 'svc.cluster.local'] },
    serviceAccountName: 'default',
    securityContext: {},
    hostname: 'pod-of-home',
    schedulerName: 'default-scheduler',
    tolerations: [{ operator: 'Exists' }],
    priorityClassName: 'kubeocean-default',
    priority: -10_000,
    preemptionPolicy: 'Never',
  };
}

function containerStatus(stage: number): Json {
  const state = stage >= 4 ? { terminated: { exitCode: 0, reason: 'Completed' } } : stage >= 2 ? { running: {} } : {};
  return {
    name: 'main',
    state,
    ready: stage === 2 || stage === 3,
    restartCount: 0,
    image: 'registry.example.com/team/app:1.2.3',
    imageID: `registry.example.com/team/app@sha256:${'a'.repeat(64)}`,
    containerID: `containerd://${'b'.repeat(64)}`,
    allocatedResources: { cpu: '10m', memory: '16Mi' },
    resources: { limits: { memory: '64Mi' }, requests: { cpu: '10m', memory: '16Mi' } },
  };
}

function fieldsOf(manager: string): Json {
  const fields = Array.from({ length: 20 }, (_, n) => [`f:field-number-${n}`, { '.': {}, 'f:inner': {} }] as const);
  const fieldsV1 = { 'f:metadata': { 'f:labels': { 'f:app': {} } }, 'f:spec': Object.fromEntries(fields) };
  return { manager, operation: 'Update', apiVersion: 'v1', time: CREATED, fieldsType: 'FieldsV1', fieldsV1 };
}

/** A record as its first creation leaves it. */
export function createdRecord(record: Pick<LeasedNode, 'spec'> & { name: string; namespace: string }): LeasedNode {
  const { name, namespace, spec } = record;
  const labels = { [Label.clusterBinding]: spec.cluster };
  return { metadata: { name, namespace, uid: `uid-of-${name}`, creationTimestamp: CREATED, labels }, spec };
}
