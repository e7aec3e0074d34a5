/** The flags of the manager: one table, from which parsing, `--help` and the docs come. */
import { Seconds } from '@kubeocean/shared/api';
import {
  areIPs,
  COMMON_OPTIONS,
  DNS_DOMAIN,
  LEADER_OPTIONS,
  type OptionTable,
  VERSION,
} from '@kubeocean/shared/daemon';

const NAME = '[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?';
const SECRET_NAMES = new RegExp(`^${NAME}(,${NAME})*$`);

export const OPTIONS = {
  ...COMMON_OPTIONS,
  ...LEADER_OPTIONS,
  'leader-election-id': {
    type: 'string',
    default: 'kubeocean-manager-leader',
    description: 'name of the Lease',
  },
  'syncer-image': {
    type: 'string',
    default: `kubeocean/kubeocean-syncer:v${VERSION}`,
    description: 'image of the syncer Deployments',
  },
  'proxier-image': {
    type: 'string',
    default: `kubeocean/kubeocean-proxier:v${VERSION}`,
    description: 'image of the proxier Deployments',
  },
  'image-pull-policy': {
    type: 'string',
    default: 'IfNotPresent',
    choices: ['Always', 'IfNotPresent', 'Never'],
    description: 'when the kubelet pulls those images',
  },
  'image-pull-secrets': {
    type: 'string',
    pattern: SECRET_NAMES,
    form: 'names of Secrets parted by commas',
    description: 'Secrets in kubeocean-system with credentials of the registry of those images',
  },
  'syncer-replicas': {
    type: 'integer',
    default: 2,
    min: 1,
    max: 10,
    description: 'pods a syncer Deployment; one leads',
  },
  'proxier-replicas': {
    type: 'integer',
    default: 2,
    min: 1,
    max: 10,
    description: 'pods a proxier Deployment; all serve',
  },
  'serving-certificate': {
    type: 'string',
    default: 'self-signed',
    choices: ['self-signed', 'csr', 'secret'],
    description:
      "where the proxiers' serving certificate comes from; csr needs a cluster that signs kubelet certificates, secret a Secret kubeocean-proxier-CLUSTERID-tls a binding, in kubeocean-system",
  },
  'agent-stale-after': {
    type: 'integer',
    default: Seconds.staleAfter,
    min: Seconds.renewEvery + 2,
    max: 3600,
    unit: 'seconds',
    description:
      "silence of the worker's agent, which renews its heartbeat every 10 s, after which a binding says AgentReady=False",
  },
  'abandon-after': {
    type: 'integer',
    default: 30,
    min: 1,
    max: 3600,
    unit: 'seconds',
    description:
      'time without any available syncer after which a deleted binding with kubeocean.io/abandon=true ends without it',
  },
  'cluster-dns': {
    type: 'string',
    check: areIPs,
    form: 'IP addresses parted by commas',
    description: "DNS servers given to worker pods; empty: the syncer finds the computing cluster's own",
  },
  'cluster-domain': {
    type: 'string',
    default: 'cluster.local',
    pattern: DNS_DOMAIN,
    form: 'a DNS domain such as cluster.local',
    description: 'DNS domain of the computing cluster',
  },
  'workloads-file': {
    type: 'string',
    description:
      'JSON file with resources, priorityClassName, nodeSelector, tolerations and extraArgs of both Deployments; empty: the one that the chart mounts',
  },
} as const satisfies OptionTable;
