/** The two clusters, and asking them for something until it is so. */
import {
  is404,
  isNotFound,
  KubeClient,
  type KubeObject,
  kubeconfigFile,
  messageOf,
  type Resource,
  Transport,
} from '@kubeocean/shared/kube';
import { pause } from './stop.ts';

export interface Sides {
  computing: KubeClient;
  worker: KubeClient;
}

export type Say = (line: string) => void;

/** Longest that vnodes take to come or to go; some ten seconds on a quiet machine. */
export const SET_UP_MS = 600_000;

export function connect(kubeconfig: string): KubeClient {
  const source = kubeconfigFile(kubeconfig, { trust: 'trusted' });
  return new KubeClient(new Transport(source, { userAgent: 'kubeocean-bench', maxSockets: 256 }));
}

/** Takes "not found" for an answer: what is to go is gone. */
export async function gone(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** The objects; none when the kind is not installed. */
export async function listed(
  client: KubeClient,
  kind: Resource,
  query: { labelSelector: string },
): Promise<KubeObject[]> {
  try {
    return (await client.list<KubeObject>(kind, query)).items;
  } catch (error) {
    if (is404(error)) return [];
    throw error;
  }
}

export interface Telling {
  what: string;
  say: Say;
  /** What is missing; undefined: nothing. */
  probe: () => Promise<string | undefined>;
  mostMs?: number;
  /** Ends the wait at once. Without one only time does: what is taken away is taken away after Ctrl-C, too. */
  signal?: AbortSignal;
}

/**
 * Waits until `probe` finds nothing missing; says every ten seconds what is. An API server that does not answer for a
 * moment is asked again. @throws Error naming what is missing.
 */
export async function waitTelling({ what, say, probe, mostMs = SET_UP_MS, signal }: Telling): Promise<void> {
  const start = performance.now();
  let told = start;
  for (;;) {
    signal?.throwIfAborted();
    const missing = await probe().catch(messageOf);
    if (missing === undefined) return;
    const now = performance.now();
    if (now - start > mostMs) throw new Error(`${what}: not within ${mostMs / 1000} s: ${missing}`);
    if (now - told > 10_000) {
      told = now;
      say(`    ${what}: ${missing}`);
    }
    await pause(500, signal ?? NEVER);
  }
}

const NEVER = new AbortController().signal;
