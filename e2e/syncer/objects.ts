/** What a syncer's tests put into clusters and read out of them: a record's status, vnodes, credentials. */
import type { LeasedNodeStatus, Taint } from '@kubeocean/shared/api';
import {
  type Condition,
  isNotFound,
  type KubeClient,
  type KubeObject,
  parseKubeconfig,
  ServiceAccounts,
} from '@kubeocean/shared/kube';

export interface VnodeObject extends KubeObject {
  spec: { taints?: Taint[]; unschedulable?: boolean; providerID?: string };
  status: {
    capacity?: Record<string, string>;
    allocatable?: Record<string, string>;
    conditions?: Condition[];
    addresses?: { type: string; address: string }[];
    daemonEndpoints?: { kubeletEndpoint?: { Port: number } };
  };
}

export const openStatus: LeasedNodeStatus = {
  phase: 'Active',
  policy: 'evenings',
  allocatable: { cpu: '4000m', memory: '8Gi', pods: '20', 'example.com/gpu': '2' },
  taints: [
    { key: 'kubeocean.io/out-of-time-windows', value: 'true', effect: 'PreferNoSchedule' },
    { key: 'node.kubernetes.io/not-ready', effect: 'NoExecute' },
  ],
  node: {
    labels: {
      'kubernetes.io/hostname': 'lent-1',
      'kubernetes.io/arch': 'arm64',
      'topology.kubernetes.io/zone': 'z1',
      'node-role.kubernetes.io/control-plane': '',
      'kubeocean.io/role': 'worker',
      disk: 'ssd',
    },
    conditions: [
      { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' },
      { type: 'MemoryPressure', status: 'False', reason: 'KubeletHasSufficientMemory' },
    ],
    nodeInfo: { kubeletVersion: 'v1.34.4', operatingSystem: 'linux', architecture: 'arm64' },
    innerIP: '10.1.2.3',
  },
};

export function taintKeys({ spec }: VnodeObject): string[] {
  return (spec.taints ?? []).map(({ key, effect }) => `${key}:${effect}`);
}

export function ignoreMissing(error: unknown): void {
  if (!isNotFound(error)) throw error;
}

export async function tokenOf(of: KubeClient, namespace: string, name: string): Promise<string> {
  const request = { metadata: { namespace, name }, spec: { expirationSeconds: 7200 } };
  const made = await of.create<KubeObject & { status: { token: string } }>(ServiceAccounts, request, {
    subresource: 'token',
  });
  return made.status.token;
}

/** @param port of the server, when it is another than the administrator's */
export function kubeconfigText(admin: string, token: string, port?: number): string {
  const access = parseKubeconfig(admin, { trust: 'trusted' });
  const url = new URL(access.server);
  if (port !== undefined) url.port = String(port);
  const cluster = {
    server: url.origin,
    'certificate-authority-data': Buffer.from(access.ca ?? '').toString('base64'),
  };
  return JSON.stringify({
    'current-context': 'own',
    clusters: [{ name: 'own', cluster }],
    users: [{ name: 'own', user: { token } }],
    contexts: [{ name: 'own', context: { cluster: 'own', user: 'own' } }],
  });
}
