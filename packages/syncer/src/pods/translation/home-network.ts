/**
 * How pods in the worker reach the computing cluster's API server and DNS: by flags, by the Services made for it
 * (`kubernetes-intranet`, `kube-dns-intranet`), or by the endpoints behind the cluster's own Services, which a flat pod
 * network reaches. None of them is needed to start.
 */
import { IntranetService } from '@kubeocean/shared/api';
import { EndpointSlices, type KubeClient, type KubeObject, Services, unlessMissing } from '@kubeocean/shared/kube';
import type { SyncerSettings } from '../../context.ts';
import type { WorkerFacts } from './to-worker.ts';

export type HomeNetwork = Pick<WorkerFacts, 'apiServer' | 'dns'>;

const KEEP_MS = 30_000;
const MAX_SERVERS = 3;

interface Service extends KubeObject {
  spec?: { ports?: { name?: string; port: number }[] };
  status?: { loadBalancer?: { ingress?: { ip?: string }[] } };
}

interface EndpointSlice extends KubeObject {
  endpoints?: { addresses: string[]; conditions?: { ready?: boolean } }[];
  ports?: { name?: string; port?: number }[];
}

/** Gives a function that looks it up, at most every 30 s. @throws ApiError, ConnectionError when nothing is known yet */
export function createHomeNetwork(home: KubeClient, settings: SyncerSettings): () => Promise<HomeNetwork> {
  /** `at` in milliseconds, monotonic. */
  let known: { network: HomeNetwork; at: number } | undefined;
  let looking: Promise<HomeNetwork> | undefined;

  async function look(): Promise<HomeNetwork> {
    try {
      const [apiServer, servers] = await Promise.all([apiServerOf(home, settings), dnsServersOf(home, settings)]);
      const network: HomeNetwork = {
        ...(apiServer && { apiServer }),
        ...(servers.length > 0 && { dns: { servers, domain: settings.clusterDomain } }),
      };
      known = { network, at: performance.now() };
      return network;
    } catch (error) {
      if (known) return known.network;
      throw error;
    } finally {
      looking = undefined;
    }
  }

  return () => {
    if (known && performance.now() - known.at < KEEP_MS) return Promise.resolve(known.network);
    looking ??= look();
    return looking;
  };
}

async function apiServerOf(home: KubeClient, settings: SyncerSettings): Promise<WorkerFacts['apiServer']> {
  if (settings.kubernetesServiceHost) {
    return { host: settings.kubernetesServiceHost, port: Number(settings.kubernetesServicePort || 443) };
  }
  const service = await loadBalancer(home, IntranetService.apiServer);
  if (service) return { host: service.ip, port: service.port ?? 443 };
  for (const slice of await slicesOf(home, 'default', 'kubernetes')) {
    const [host] = addressesOf(slice);
    if (host) return { host, port: slice.ports?.[0]?.port ?? 443 };
  }
  return undefined;
}

async function dnsServersOf(home: KubeClient, settings: SyncerSettings): Promise<string[]> {
  if (settings.clusterDNS.length > 0) return [...settings.clusterDNS];
  const service = await loadBalancer(home, IntranetService.dns);
  if (service) return [service.ip];
  const slices = await slicesOf(home, 'kube-system', 'kube-dns');
  return slices.flatMap(addressesOf).toSorted().slice(0, MAX_SERVERS);
}

async function loadBalancer(
  home: KubeClient,
  { namespace, name }: { namespace: string; name: string },
): Promise<{ ip: string; port: number | undefined } | undefined> {
  const service = await unlessMissing(home.get<Service>(Services, namespace, name));
  const ip = service?.status?.loadBalancer?.ingress?.find((ingress) => ingress.ip)?.ip;
  return ip ? { ip, port: service.spec?.ports?.[0]?.port } : undefined;
}

async function slicesOf(home: KubeClient, namespace: string, service: string): Promise<EndpointSlice[]> {
  const labelSelector = `kubernetes.io/service-name=${service}`;
  return (await home.list<EndpointSlice>(EndpointSlices, { namespace, labelSelector })).items;
}

function addressesOf(slice: EndpointSlice): string[] {
  return (slice.endpoints ?? [])
    .filter(({ conditions }) => conditions?.ready !== false)
    .flatMap(({ addresses }) => addresses);
}
