/**
 * Reading the metrics of kubelets, with the token of a ServiceAccount that may do just that. Answers are held for a few
 * seconds and asked for once for all who ask at the same time, so tenants cost a kubelet no more than one scraper.
 */
import { Agent } from 'node:https';
import { createCache } from '@kubeocean/shared/daemon';
import { isNotFound, type KubeClient, messageOf } from '@kubeocean/shared/kube';
import type { WorkerNode } from '@kubeocean/shared/lease';
import type { StatsPath, TokenSource } from '@kubeocean/shared/stats';
import { fetchText, TooSlow } from './fetch-text.ts';
import { createLanes, type InTurn } from './lanes.ts';
import { StatsRefusal } from './refusal.ts';

/**
 * Gives a kubelet's answer as text.
 * @param signal aborts when this caller does not wait any more
 * @throws StatsRefusal 429, 502, 503 or 504 naming the node and the cause; the signal's reason.
 */
export type Scrape = (node: WorkerNode, path: StatsPath, signal?: AbortSignal) => Promise<string>;

export interface KubeletOptions {
  /** Client of the API server, whose CA kubelets are verified against. */
  client: Pick<KubeClient, 'transport'>;
  token: TokenSource;
  /** Not to verify the kubelets' certificates. */
  insecure: boolean;
}

const HOLD_MS = 2_500;
/** One answer of a busy node is some megabytes. */
const HELD = { answers: 32, bytes: 32 * 1024 * 1024 };
const KUBELET_PORT = 10250;

export function createScraper(options: KubeletOptions): Scrape {
  const answers = createCache<string>({
    holdMs: () => HOLD_MS,
    bound: HELD.answers,
    weight: { most: HELD.bytes, of: (text) => text.length },
  });
  const lanes = createLanes();
  const agent = new Agent({ keepAlive: true, timeout: 60_000, maxFreeSockets: 1 });

  async function scrape(node: WorkerNode, path: StatsPath, abandoned: AbortSignal, inTurn: InTurn): Promise<string> {
    const { name, uid = name } = node.metadata;
    const address = node.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address;
    if (!address) throw new StatsRefusal(503, `node ${name} has no InternalIP, by which its kubelet is asked`);
    const token = await options.token.get().catch((error: unknown) => {
      const advice = isNotFound(error) ? '; upgrade the chart kubeocean-worker' : '';
      throw new StatsRefusal(503, `the agent gets no token for kubelets: ${messageOf(error)}${advice}`);
    });
    const ca = options.client.transport.authority;
    const request = {
      host: address,
      port: portOf(node),
      path: `/${path}`,
      headers: {
        authorization: `Bearer ${token}`,
        accept: path === 'stats/summary' ? 'application/json' : 'text/plain',
      },
      ...(ca && { ca }),
      rejectUnauthorized: !options.insecure,
      minVersion: 'TLSv1.2' as const,
      agent,
    };
    const { code, text } = await fetchText({ request, abandoned, inTurn }).catch((error: NodeJS.ErrnoException) => {
      // That somebody else left, or that too many read, is no fault of the node.
      if ((abandoned.aborted && !(error instanceof TooSlow)) || error instanceof StatsRefusal) throw error;
      const refusal = unreachable(name, error);
      lanes.failed(uid, refusal);
      throw refusal;
    });
    lanes.answered(uid);
    if (code === 200) return text;
    if (code === 401) options.token.forget();
    throw new StatsRefusal(502, `the kubelet of node ${name} answers ${code}: ${text.trim().slice(0, 300)}`);
  }

  return (node, path, signal) => {
    const { name, uid = name } = node.metadata;
    return answers.get(
      `${uid} ${path}`,
      (abandoned) => lanes.ask(uid, abandoned, (inTurn) => scrape(node, path, abandoned, inTurn)),
      signal,
    );
  };
}

function portOf(node: WorkerNode): number {
  const endpoints = node.status?.['daemonEndpoints'] as { kubeletEndpoint?: { Port?: number } } | undefined;
  return endpoints?.kubeletEndpoint?.Port || KUBELET_PORT;
}

const UNTRUSTED = /CERT|ISSUER|SIGNATURE/;

function unreachable(node: string, error: NodeJS.ErrnoException): StatsRefusal {
  if (error instanceof TooSlow) return new StatsRefusal(504, `the kubelet of node ${node} ${error.message}`);
  const advice = UNTRUSTED.test(error.code ?? '')
    ? "; its certificate is not one of the cluster's CA: let kubelets have their serving certificates signed (serverTLSBootstrap), or set agent.kubeletInsecureTLS=true for the chart kubeocean-worker"
    : '';
  return new StatsRefusal(502, `the kubelet of node ${node} cannot be asked: ${error.message}${advice}`, {
    cause: error,
  });
}
