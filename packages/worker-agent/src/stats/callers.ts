/**
 * Which tenant asks. The API server's service proxy takes the Authorization header away, so the caller's token, made for
 * this agent alone, comes in a header of its own.
 */
import { AgentAudience, AgentTokenHeader } from '@kubeocean/shared/api';
import { createTokenReviews } from '@kubeocean/shared/daemon';
import { type KubeClient, type KubeObject, messageOf, TokenReviews } from '@kubeocean/shared/kube';
import type { Tenant } from '@kubeocean/shared/lease';
import { StatsRefusal } from './refusal.ts';

interface TokenReview extends KubeObject {
  status?: { authenticated?: boolean; audiences?: string[]; user?: { username?: string } };
}

/** Finds the tenant behind a token. @throws StatsRefusal 401, 403, or 503 when the token cannot be reviewed. */
export type CallerCheck = (token: string | undefined) => Promise<Tenant>;

const KNOWN_MS = 60_000;
const UNKNOWN_MS = 10_000;
const MAX_TOKEN = 8192;
/** Any pod of this cluster may knock with made-up tokens: the API server is asked about few at once. */
const REVIEWS_AT_ONCE = 4;
const REVIEWS_WAITING = 64;

export function createCallerCheck(client: KubeClient, tenants: readonly Tenant[]): CallerCheck {
  const bearerOf = createTokenReviews<string>({
    knownMs: KNOWN_MS,
    unknownMs: UNKNOWN_MS,
    atOnce: REVIEWS_AT_ONCE,
    waiting: REVIEWS_WAITING,
  });
  const byUser = new Map(
    tenants.map((tenant) => [`system:serviceaccount:${tenant.namespace}:${tenant.serviceAccount}`, tenant]),
  );

  async function review(token: string): Promise<string | null> {
    const { status } = await client.create<TokenReview>(
      TokenReviews,
      { metadata: {}, spec: { token, audiences: [AgentAudience] } },
      { timeoutMs: 5_000 },
    );
    // A server that knows nothing of audiences leaves them out of its answer, and has not checked them.
    if (!status?.authenticated || !status.audiences?.includes(AgentAudience)) return null;
    return status.user?.username ?? null;
  }

  return async (token) => {
    if (!token || token.length > MAX_TOKEN) throw new StatsRefusal(401, `no token in the header ${AgentTokenHeader}`);
    const user = await bearerOf(token, () => review(token)).catch((error: unknown) => {
      throw new StatsRefusal(503, `the agent cannot review tokens: ${messageOf(error)}`, { cause: error });
    });
    if (!user) throw new StatsRefusal(401, `the token is not valid for the audience ${AgentAudience}`);
    const tenant = byUser.get(user);
    if (!tenant) {
      throw new StatsRefusal(403, `${user} is none of the tenants in the worker chart's values`);
    }
    return tenant;
  };
}
