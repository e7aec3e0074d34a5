/** Short tokens of a ServiceAccount, asked for when needed and renewed in time. */
import type { KubeClient } from '../kube/client.ts';
import { ServiceAccounts } from '../kube/resources.ts';
import type { KubeObject } from '../kube/types.ts';

export interface TokenOptions {
  namespace: string;
  serviceAccount: string;
  /** Whom the token is for; empty: the API server itself. */
  audiences: readonly string[];
  /** Milliseconds, never going back. */
  clock: () => number;
}

export interface TokenSource {
  /** @throws ApiError | ConnectionError when none can be had. */
  get(): Promise<string>;
  /** Forgets the token: it was refused. */
  forget(): void;
}

interface TokenRequest extends KubeObject {
  status: { token: string };
}

/** The least that the API server gives. */
const LIFE_SECONDS = 600;

/**
 * Tokens by TokenRequest, one at a time, renewed at 80 % of their life.
 * https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/
 */
export function createTokenSource(client: KubeClient, options: TokenOptions): TokenSource {
  const { namespace, serviceAccount: name, audiences, clock } = options;
  let held: { token: Promise<string>; until: number } | undefined;

  async function request(): Promise<string> {
    const spec = { expirationSeconds: LIFE_SECONDS, ...(audiences.length > 0 && { audiences }) };
    const answer = await client.create<TokenRequest>(
      ServiceAccounts,
      { metadata: { namespace, name }, spec },
      { subresource: 'token', timeoutMs: 10_000 },
    );
    return answer.status.token;
  }

  return {
    get() {
      if (!held || clock() >= held.until) {
        const asked = { token: request(), until: clock() + LIFE_SECONDS * 800 };
        held = asked;
        asked.token.catch(() => {
          if (held === asked) held = undefined;
        });
      }
      return held.token;
    },
    forget() {
      held = undefined;
    },
  };
}
