/** The parts of core/v1 Pod that the syncer reads or writes. Objects stay raw JSON: fields not named here survive. */
import type { Condition, Json, KubeObject } from '@kubeocean/shared/kube';

export interface Pod extends KubeObject {
  spec: PodSpec;
  status?: PodStatus;
}

export interface PodSpec extends Json {
  nodeName?: string;
  containers: Container[];
  initContainers?: Container[];
  ephemeralContainers?: Container[];
  volumes?: Volume[];
  imagePullSecrets?: { name?: string }[];
  serviceAccountName?: string;
  hostNetwork?: boolean;
  hostname?: string;
  subdomain?: string;
  setHostnameAsFQDN?: boolean;
  hostnameOverride?: string;
  enableServiceLinks?: boolean;
  activeDeadlineSeconds?: number;
  hostAliases?: { ip: string; hostnames?: string[] }[];
  dnsPolicy?: string;
  dnsConfig?: DnsConfig;
  readinessGates?: { conditionType: string }[];
  /** Of the pod as a whole (KEP-2837). */
  resources?: Container['resources'];
  resourceClaims?: unknown[];
}

export interface DnsConfig {
  nameservers?: string[];
  searches?: string[];
  options?: { name?: string; value?: string }[];
}

export interface Container extends Json {
  name: string;
  image?: string;
  /** In the place of the pod's (KEP-5307); `Always` makes a sidecar of an init container. */
  restartPolicy?: string;
  resources?: { requests?: Record<string, string>; limits?: Record<string, string>; [field: string]: unknown };
  env?: EnvVar[];
  envFrom?: EnvFromSource[];
}

export interface EnvVar extends Json {
  name: string;
  value?: string;
  valueFrom?: {
    fieldRef?: FieldRef;
    configMapKeyRef?: ObjectReference;
    secretKeyRef?: ObjectReference;
    [source: string]: unknown;
  };
}

export interface EnvFromSource extends Json {
  prefix?: string;
  configMapRef?: ObjectReference;
  secretRef?: ObjectReference;
}

export interface FieldRef {
  apiVersion?: string;
  fieldPath: string;
}

export interface ObjectReference extends Json {
  name?: string;
  optional?: boolean;
}

/** A name and exactly one source. */
export interface Volume extends Json {
  name: string;
  configMap?: ObjectReference;
  secret?: { secretName?: string; optional?: boolean; [field: string]: unknown };
  projected?: { sources?: ProjectedSource[]; [field: string]: unknown };
  downwardAPI?: { items?: DownwardItem[]; [field: string]: unknown };
}

/** Exactly one source. */
export interface ProjectedSource extends Json {
  configMap?: ObjectReference;
  secret?: ObjectReference;
  downwardAPI?: { items?: DownwardItem[]; [field: string]: unknown };
  serviceAccountToken?: ServiceAccountTokenProjection;
}

export interface ServiceAccountTokenProjection {
  audience?: string;
  expirationSeconds?: number;
  path: string;
  /** Whose the file is; alpha in 1.37. */
  user?: number;
}

export interface DownwardItem extends Json {
  path: string;
  fieldRef?: FieldRef;
}

export interface PodStatus extends Json {
  phase?: string;
  reason?: string;
  message?: string;
  startTime?: string;
  observedGeneration?: number;
  podIP?: string;
  podIPs?: { ip: string }[];
  hostIP?: string;
  hostIPs?: { ip: string }[];
  conditions?: Condition[];
  containerStatuses?: ContainerStatus[];
  initContainerStatuses?: ContainerStatus[];
  ephemeralContainerStatuses?: ContainerStatus[];
}

export interface ContainerStatus extends Json {
  name: string;
  ready?: boolean;
  restartCount?: number;
  state?: {
    waiting?: { reason?: string; message?: string };
    running?: { startedAt?: string };
    terminated?: { exitCode: number; finishedAt?: string; reason?: string };
  };
}

/** Succeeded or Failed: nothing of the pod runs or will run again. */
export function isTerminal(pod: KubeObject): boolean {
  const { phase } = (pod['status'] ?? {}) as Pick<PodStatus, 'phase'>;
  return phase === 'Succeeded' || phase === 'Failed';
}

/** Its containers are ready and so are its gates, as its status says. */
export function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}

/** The owner that made the pod and replaces it, if any. */
export function controllerOf(pod: KubeObject): { kind: string; name: string; uid?: string } | undefined {
  return pod.metadata.ownerReferences?.find((owner) => owner.controller);
}

/** Made by a DaemonSet, which wants one on each node and puts it back. */
export function isDaemon(pod: KubeObject): boolean {
  return controllerOf(pod)?.kind === 'DaemonSet';
}

/** Pod to name in events. */
export function podSubject(pod: KubeObject): {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace: string; uid: string };
} {
  const { name, namespace = '', uid = '' } = pod.metadata;
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, uid } };
}
