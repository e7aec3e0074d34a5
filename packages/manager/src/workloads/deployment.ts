/** The Deployments of a binding's syncer and proxier: a pure function of the binding and the manager's settings. */
import { dirname } from 'node:path';
import {
  type ClusterBinding,
  HealthPortName,
  KubeconfigKey,
  Label,
  MountPath,
  Namespace,
  Port,
  proxierName,
  syncerName,
  VnodeType,
} from '@kubeocean/shared/api';
import { OptionError, parseOptions, PROXIER_OPTIONS, STOP_SECONDS } from '@kubeocean/shared/daemon';
import { Deployments, type Json } from '@kubeocean/shared/kube';
import type { Settings } from '../settings.ts';
import { componentName } from './access.ts';
import { commonLabels, type ComponentName, type Made, made, selectorLabels } from './made.ts';

/** User and group that the images run as; the mounted kubeconfig is readable for this group only. */
const USER = 65532;
const READABLE_BY_GROUP = 0o440;

/** Seconds from SIGTERM to SIGKILL of a syncer: it hands over its Lease, and says so when that takes too long. */
const SYNCER_GRACE = STOP_SECONDS + 5;
/** Of a proxier, beyond the time in which sessions may end: to end the others, and for the kubelet's own slowness. */
const PROXIER_GRACE_AFTER_DRAIN = 15;

/** @param flags all that the container is given */
function graceSeconds(component: ComponentName, flags: readonly string[]): number {
  return component === 'syncer' ? SYNCER_GRACE : drainSeconds(flags) + PROXIER_GRACE_AFTER_DRAIN;
}

/** As the proxier itself reads its flags. Where it cannot, it does not run, and says so. */
function drainSeconds(flags: readonly string[]): number {
  const flag = 'drain-seconds';
  try {
    const options = parseOptions(PROXIER_OPTIONS, flags);
    return options === 'help' ? PROXIER_OPTIONS[flag].default : options[flag];
  } catch (error) {
    if (error instanceof OptionError) return PROXIER_OPTIONS[flag].default;
    throw error;
  }
}

/**
 * One more before one less: whoever serves goes on until somebody else does. The vnodes of a proxier that leaves move
 * as soon as it is not ready, while it drains.
 */
const PROXIER_STRATEGY: Json = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } };

const SERVING_CERTIFICATE_FOLDER = '/etc/kubeocean/serving';

export function deployment(binding: ClusterBinding, component: ComponentName, settings: Settings): Made {
  const workload = settings[component];
  const name = componentName(component, binding.spec.clusterID);
  const flags = [...args(binding, component, settings), ...workload.extraArgs];
  const mounts: Json[] = [
    { name: 'worker-kubeconfig', mountPath: dirname(MountPath.workerKubeconfig), readOnly: true },
  ];
  const volumes: Json[] = [
    {
      name: 'worker-kubeconfig',
      secret: {
        secretName: binding.spec.secretRef.name,
        defaultMode: READABLE_BY_GROUP,
        items: [{ key: KubeconfigKey, path: 'kubeconfig' }],
      },
    },
  ];
  if (component === 'proxier' && settings.servingCertificate === 'secret') {
    const secretName = `${proxierName(binding.spec.clusterID)}-tls`;
    mounts.push({ name: 'serving-certificate', mountPath: SERVING_CERTIFICATE_FOLDER, readOnly: true });
    volumes.push({ name: 'serving-certificate', secret: { secretName, defaultMode: READABLE_BY_GROUP } });
  }
  const podSpec: Json = {
    serviceAccountName: name,
    terminationGracePeriodSeconds: graceSeconds(component, flags),
    ...(settings.imagePullSecrets.length > 0 && {
      imagePullSecrets: settings.imagePullSecrets.map((secret) => ({ name: secret })),
    }),
    securityContext: {
      runAsNonRoot: true,
      runAsUser: USER,
      runAsGroup: USER,
      fsGroup: USER,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    affinity: affinity(binding, component),
    ...(workload.priorityClassName && { priorityClassName: workload.priorityClassName }),
    nodeSelector: { 'kubernetes.io/os': 'linux', ...workload.nodeSelector },
    tolerations: workload.tolerations,
    containers: [
      {
        name: component,
        image: workload.image,
        imagePullPolicy: settings.imagePullPolicy,
        args: flags,
        env: [
          { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
          { name: 'POD_NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
          { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
        ],
        ports: [
          { name: 'metrics', containerPort: Port.metrics, protocol: 'TCP' },
          { name: HealthPortName, containerPort: Port.health, protocol: 'TCP' },
        ],
        resources: workload.resources,
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        startupProbe: probe('/startz', { periodSeconds: 1, failureThreshold: 90 }),
        livenessProbe: probe('/healthz', { periodSeconds: 10, failureThreshold: 6 }),
        readinessProbe: probe('/readyz', { periodSeconds: 10, failureThreshold: 2 }),
        volumeMounts: mounts,
      },
    ],
    volumes,
  };
  return made(
    binding,
    component,
    Deployments,
    { name, namespace: Namespace.system },
    {
      spec: {
        replicas: workload.replicas,
        ...(component === 'proxier' && { strategy: PROXIER_STRATEGY }),
        revisionHistoryLimit: 3,
        progressDeadlineSeconds: 120,
        selector: { matchLabels: selectorLabels(binding, component) },
        template: { metadata: { labels: commonLabels(binding, component) }, spec: podSpec },
      },
    },
  );
}

/** Asked every second until it has started, and then seldom: each question costs a process at rest a millisecond. */
function probe(path: string, times: { periodSeconds: number; failureThreshold: number }): Json {
  return { httpGet: { path, port: HealthPortName }, timeoutSeconds: 5, ...times };
}

function args(binding: ClusterBinding, component: ComponentName, settings: Settings): string[] {
  const common = [
    `--cluster-binding-name=${binding.metadata.name}`,
    `--worker-kubeconfig=${MountPath.workerKubeconfig}`,
    `--log-level=${settings.logLevel}`,
  ];
  if (component === 'proxier') {
    const folder =
      settings.servingCertificate === 'secret'
        ? [`--serving-certificate-secret-dir=${SERVING_CERTIFICATE_FOLDER}`]
        : [];
    return [...common, `--serving-certificate=${settings.servingCertificate}`, ...folder];
  }
  const dns = settings.clusterDNS ? [`--cluster-dns=${settings.clusterDNS}`] : [];
  // The Lease that the admission policy kubeocean-syncers lets this account hold.
  const leader = `--leader-election-id=${syncerName(binding.spec.clusterID)}`;
  return [...common, leader, ...dns, `--cluster-domain=${settings.clusterDomain}`];
}

/** Never on a vnode, where it would depend on itself; replicas on different nodes when there are some. */
function affinity(binding: ClusterBinding, component: ComponentName): Json {
  return {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: Label.nodeType, operator: 'NotIn', values: [VnodeType] }] }],
      },
    },
    podAntiAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        {
          weight: 100,
          podAffinityTerm: {
            topologyKey: Label.hostname,
            labelSelector: { matchLabels: selectorLabels(binding, component) },
          },
        },
      ],
    },
  };
}
