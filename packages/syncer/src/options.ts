/** Flags of the syncer. */
import { MountPath, Seconds } from '@kubeocean/shared/api';
import {
  areIPs,
  COMMON_OPTIONS,
  DNS_DOMAIN,
  isPort,
  LEADER_OPTIONS,
  type OptionTable,
  type OptionValues,
} from '@kubeocean/shared/daemon';
import type { SyncerSettings } from './context.ts';

/** As good as never. */
const YEAR_SECONDS = 365 * 86_400;

export const SYNCER_OPTIONS = {
  ...COMMON_OPTIONS,
  ...LEADER_OPTIONS,
  'cluster-binding-name': {
    type: 'string',
    required: true,
    description: 'name of the ClusterBinding to work for',
  },
  'worker-kubeconfig': {
    type: 'string',
    default: MountPath.workerKubeconfig,
    description: 'kubeconfig file of the worker cluster; read again when it changes',
  },
  'cluster-dns': {
    type: 'string',
    default: '',
    check: areIPs,
    form: 'IP addresses separated by commas',
    description: 'DNS of the computing cluster for pods in the worker; empty: found from its Services',
  },
  'cluster-domain': {
    type: 'string',
    default: 'cluster.local',
    pattern: DNS_DOMAIN,
    form: 'a DNS domain such as cluster.local',
    description: 'DNS domain of the computing cluster',
  },
  'kubernetes-service-host': {
    type: 'string',
    default: '',
    description: "address of the computing cluster's API server for pods in the worker; empty: found from its Services",
  },
  'kubernetes-service-port': {
    type: 'string',
    default: '',
    check: isPort,
    form: 'a port from 1 to 65535',
    description: 'port that goes with --kubernetes-service-host',
  },
  'max-vnodes': {
    type: 'integer',
    default: 1000,
    min: 0,
    description: 'most vnodes that this binding may make, however many records the worker shows',
  },
  'worker-unreachable-after': {
    type: 'integer',
    default: 30,
    // The claim is looked at every 10 s: less would call a quiet worker silent.
    min: Seconds.renewEvery + 2,
    max: 3600,
    unit: 'seconds',
    description: 'silence of the worker cluster after which its vnodes take no new pods',
  },
  'agent-stale-after': {
    type: 'integer',
    default: Seconds.staleAfter,
    min: Seconds.renewEvery + 2,
    max: 3600,
    unit: 'seconds',
    description:
      "silence of the worker's agent, which renews its heartbeat every 10 s, after which vnodes take no new pods",
  },
  'worker-schedule-timeout': {
    type: 'integer',
    default: 300,
    min: 0,
    max: YEAR_SECONDS,
    unit: 'seconds',
    description: 'a pod that the worker has not scheduled for so long fails at home',
  },
  'mirror-normal-events': {
    type: 'boolean',
    default: false,
    description: 'show normal events of worker pods on home pods too; warnings are always shown',
  },
  'sweep-interval': {
    type: 'integer',
    default: 600,
    min: 0,
    max: 30 * 86_400,
    unit: 'seconds',
    description: 'how often everything in the worker is looked at again for changes made by hand; 0: never',
  },
} as const satisfies OptionTable;

export type SyncerOptions = OptionValues<typeof SYNCER_OPTIONS>;

export function settingsOf(options: SyncerOptions, systemNamespace: string): SyncerSettings {
  return {
    clusterDNS: options['cluster-dns'].split(',').filter((address) => address !== ''),
    clusterDomain: options['cluster-domain'],
    kubernetesServiceHost: options['kubernetes-service-host'],
    kubernetesServicePort: options['kubernetes-service-port'],
    maxVnodes: options['max-vnodes'],
    workerScheduleTimeoutSeconds: options['worker-schedule-timeout'],
    mirrorNormalEvents: options['mirror-normal-events'],
    sweepIntervalSeconds: options['sweep-interval'],
    systemNamespace,
  };
}
