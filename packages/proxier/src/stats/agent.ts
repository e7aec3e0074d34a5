/**
 * Asks the worker's agent for the metrics of a worker node, through the worker API server's service proxy. That takes
 * the Authorization header away; the agent knows us by a short token made for it, in a header of its own.
 */
import { AgentAudience, AgentTokenHeader } from '@kubeocean/shared/api';
import { createCache, createExpiringMap, createLimiter } from '@kubeocean/shared/daemon';
import {
  ApiError,
  ConnectionError,
  type KubeClient,
  type KubeObject,
  messageOf,
  SelfSubjectReviews,
  sleep,
} from '@kubeocean/shared/kube';
import { createTokenSource, proxiedStatsPath, type StatsPath, type TokenSource } from '@kubeocean/shared/stats';
import { Refusal } from '../errors.ts';

interface SelfSubjectReview extends KubeObject {
  status?: { userInfo?: { username?: string } };
}

/**
 * Gives the agent's answer as text.
 * @param signal aborts when nobody waits for it any more
 * @throws Refusal 502, 503 or 504; the signal's reason.
 */
export type AskAgent = (node: string, path: StatsPath, signal?: AbortSignal) => Promise<string>;

const IDENTITY_MS = 60_000;
/** With the time in line, and until an agent that is busy is so no more. */
const DEADLINE_MS = 15_000;
/**
 * Questions of this replica at once. The agent lets a tenant have 64 open: two replicas of several bindings together stay
 * below, and a thousand vnodes are through in some seconds.
 */
const AT_ONCE = { sound: 6, suspect: 2 };
/**
 * A node that was asked for so long in vain is asked in a lane of its own for a while: some that are hung would else take all
 * places again and again, and no vnode had metrics.
 */
const SLOW_MS = 2_500;
const SUSPECT_MS = 300_000;
const SUSPECTS = 8192;
const WAITING = 4096;
const BUSY_MS = 1_000;
const LEAST_BUSY_MS = 200;
const MAX_BYTES = 32 * 1024 * 1024;

export function createAgentClient(worker: KubeClient, deadlineMs = DEADLINE_MS, slowMs = SLOW_MS): AskAgent {
  const tooMany = () => new Refusal(503, 'too many ask for metrics at once: try again');
  const sound = createLimiter(AT_ONCE.sound, WAITING, tooMany);
  const suspect = createLimiter(AT_ONCE.suspect, WAITING, tooMany);
  const suspects = createExpiringMap<true>({ bound: SUSPECTS });
  const identities = createCache<string>({ holdMs: () => IDENTITY_MS, bound: 1 });
  let tokens: { user: string; source: TokenSource } | undefined;

  async function whoAmI(): Promise<string> {
    const review = await worker.create<SelfSubjectReview>(SelfSubjectReviews, { metadata: {} }, { timeoutMs: 10_000 });
    return review.status?.userInfo?.username ?? '';
  }

  async function tokenSource(): Promise<TokenSource> {
    const user = await identities.get('self', whoAmI);
    if (tokens?.user === user) return tokens.source;
    const [, namespace, serviceAccount] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(user) ?? [];
    if (!namespace || !serviceAccount) {
      throw new Refusal(502, `the worker kubeconfig is that of ${user}, but metrics are for ServiceAccounts only`);
    }
    const options = { namespace, serviceAccount, audiences: [AgentAudience], clock: () => performance.now() };
    tokens = { user, source: createTokenSource(worker, options) };
    return tokens.source;
  }

  async function ask(node: string, path: StatsPath, ending: AbortSignal): Promise<string> {
    const source = await tokenSource();
    const askedAt = performance.now();
    try {
      const response = await worker.transport.stream({
        method: 'GET',
        path: proxiedStatsPath(node, path),
        headers: { [AgentTokenHeader]: await source.get(), accept: '*/*' },
        retry: false,
        // The signal comes first, with the time in line counted.
        timeoutMs: 2 * deadlineMs,
        signal: ending,
      });
      const chunks: Buffer[] = [];
      let bytes = 0;
      for await (const chunk of response as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if (bytes > MAX_BYTES) throw new Error(`the agent's answer is longer than ${MAX_BYTES / 1024 / 1024} MiB`);
        chunks.push(chunk);
      }
      suspects.delete(node);
      return Buffer.concat(chunks).toString('utf8');
    } catch (error) {
      if (error instanceof ApiError && error.code === 401) source.forget();
      // Also when its caller left: scrapers wait no longer than the agent does for a kubelet.
      if (performance.now() - askedAt >= slowMs) suspects.set(node, true, SUSPECT_MS);
      throw error;
    }
  }

  /** The agent serves others and has more to do than that: 429 means a moment later. */
  async function askUntilFree(node: string, path: StatsPath, ending: AbortSignal, until: number): Promise<string> {
    let busy: ApiError | undefined;
    for (;;) {
      try {
        return await ask(node, path, ending);
      } catch (error) {
        // That it was busy all the time says more than that the time is over.
        if (!(error instanceof ApiError) || error.code !== 429) throw (ending.aborted && busy) || error;
        busy = error;
        // Never at once: the number is another cluster's.
        const askedMs = Math.max(Number(error.status.details?.retryAfterSeconds) * 1000 || BUSY_MS, LEAST_BUSY_MS);
        const waitMs = askedMs * (0.75 + Math.random() / 2);
        if (performance.now() + waitMs > until) throw error;
        await sleep(waitMs, ending);
      }
    }
  }

  return async (node, path, signal) => {
    const deadline = AbortSignal.timeout(deadlineMs);
    const until = performance.now() + deadlineMs;
    const ending = signal ? AbortSignal.any([signal, deadline]) : deadline;
    try {
      const lane = suspects.get(node) ? suspect : sound;
      return await lane.run(() => askUntilFree(node, path, ending, until), ending);
    } catch (error) {
      if (signal?.aborted) throw error;
      if (!deadline.aborted || error instanceof ApiError) throw agentRefusal(error);
      throw new Refusal(504, `no metrics: the worker's agent gave no answer within ${deadlineMs / 1000} s`, {
        cause: error,
      });
    }
  };
}

/** What to answer when the agent gave no metrics. Whose words they are shows in the kind: an API server sends a Status. */
export function agentRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof ConnectionError) {
    return new Refusal(503, `no metrics: the worker cluster does not answer (${error.code})`, { cause: error });
  }
  if (!(error instanceof ApiError)) return new Refusal(502, `no metrics: ${messageOf(error)}`, { cause: error });
  const text = error.message.trim();
  if (error.code === 429) {
    return new Refusal(503, `no metrics: the worker has too much to do at the moment: ${text}`, { cause: error });
  }
  if (error.status.kind !== 'Status') {
    return new Refusal(error.code >= 500 ? error.code : 502, `no metrics: the worker's agent answers: ${text}`, {
      cause: error,
    });
  }
  if (error.code === 404 || error.code === 503) {
    return new Refusal(503, `no metrics: the worker's agent does not run (${text}); logs and exec do not need it`, {
      cause: error,
    });
  }
  const advice = error.code === 403 ? '; is the chart kubeocean-worker of this version?' : '';
  return new Refusal(502, `no metrics: the worker's API server answers ${error.code}: ${text}${advice}`, {
    cause: error,
  });
}
