/**
 * Reading the metrics of kubelets, with the token of a ServiceAccount that may do just that. Answers are held for a few
 * seconds and asked for once for all who ask at the same time, so tenants cost a kubelet no more than one scraper.
 */
import type { IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import { createCache } from '@kubeocean/shared/daemon';
import { isNotFound, type KubeClient, messageOf } from '@kubeocean/shared/kube';
import type { WorkerNode } from '@kubeocean/shared/lease';
import type { StatsPath, TokenSource } from '@kubeocean/shared/stats';
import { createLimiter } from './limiter.ts';
import { StatsRefusal } from './refusal.ts';

/** Gives a kubelet's answer as text. @throws StatsRefusal 502, 503 or 504 naming the node and the cause. */
export type Scrape = (node: WorkerNode, path: StatsPath) => Promise<string>;

export interface KubeletOptions {
  /** Client of the API server, whose CA kubelets are verified against. */
  client: KubeClient;
  token: TokenSource;
  /** Not to verify the kubelets' certificates. */
  insecure: boolean;
}

const HOLD_MS = 2_500;
/** Answers held; one of a busy node is some megabytes. */
const HELD = 8;
const DEADLINE_MS = 10_000;
const MAX_BYTES = 16 * 1024 * 1024;
const AT_ONCE = 4;
const WAITING = 128;
const KUBELET_PORT = 10250;

export function createScraper(options: KubeletOptions): Scrape {
  const answers = createCache<string>({ holdMs: () => HOLD_MS, bound: HELD });
  const limiter = createLimiter(
    AT_ONCE,
    WAITING,
    () => new StatsRefusal(503, 'the agent is asked for the metrics of too many nodes at once: try again later'),
  );
  const agent = new Agent({ keepAlive: true, timeout: 60_000, maxFreeSockets: 1 });

  async function scrape(node: WorkerNode, path: StatsPath): Promise<string> {
    const { name } = node.metadata;
    const address = node.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address;
    if (!address) throw new StatsRefusal(503, `node ${name} has no InternalIP, by which its kubelet is asked`);
    const token = await options.token.get().catch((error: unknown) => {
      const advice = isNotFound(error) ? '; upgrade the chart kubeocean-worker' : '';
      throw new StatsRefusal(503, `the agent gets no token for kubelets: ${messageOf(error)}${advice}`);
    });
    const ca = options.client.transport.authority;
    const { code, text } = await fetchText({
      host: address,
      port: portOf(node),
      path: `/${path}`,
      headers: {
        authorization: `Bearer ${token}`,
        accept: path === 'stats/summary' ? 'application/json' : 'text/plain',
      },
      ...(ca && { ca }),
      rejectUnauthorized: !options.insecure,
      minVersion: 'TLSv1.2',
      agent,
    }).catch((error: NodeJS.ErrnoException) => {
      throw unreachable(name, error);
    });
    if (code === 200) return text;
    if (code === 401) options.token.forget();
    throw new StatsRefusal(502, `the kubelet of node ${name} answers ${code}: ${text.trim().slice(0, 300)}`);
  }

  return (node, path) => answers.get(`${node.metadata.uid} ${path}`, () => limiter.run(() => scrape(node, path)));
}

function portOf(node: WorkerNode): number {
  const endpoints = node.status?.['daemonEndpoints'] as { kubeletEndpoint?: { Port?: number } } | undefined;
  return endpoints?.kubeletEndpoint?.Port || KUBELET_PORT;
}

const UNTRUSTED = /CERT|ISSUER|SIGNATURE/;

function unreachable(node: string, error: NodeJS.ErrnoException): StatsRefusal {
  if (error.name === 'TimeoutError' || error.name === 'AbortError') {
    return new StatsRefusal(504, `the kubelet of node ${node} gave no answer within ${DEADLINE_MS / 1000} s`);
  }
  const advice = UNTRUSTED.test(error.code ?? '')
    ? "; its certificate is not one of the cluster's CA: let kubelets have their serving certificates signed (serverTLSBootstrap), or set agent.kubeletInsecureTLS=true for the chart kubeocean-worker"
    : '';
  return new StatsRefusal(502, `the kubelet of node ${node} cannot be asked: ${error.message}${advice}`, {
    cause: error,
  });
}

/** @throws Error when there is no whole answer within the deadline, or it is too long. */
async function fetchText(options: RequestOptions): Promise<{ code: number; text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = httpsRequest({ ...options, signal: AbortSignal.timeout(DEADLINE_MS) });
  request.on('response', resolve).on('error', reject);
  request.end();
  const response = await promise;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) throw new Error(`the answer is longer than ${MAX_BYTES / 1024 / 1024} MiB`);
    chunks.push(chunk);
  }
  return { code: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') };
}
