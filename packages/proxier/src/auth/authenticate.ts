/**
 * Who is calling: by client certificate, else by bearer token, as a kubelet does it. There are no anonymous callers.
 * Headers that claim a name (X-Remote-User, Impersonate-User) mean nothing here.
 */
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { type KubeClient, type KubeObject, TokenReviews } from '@kubeocean/shared/kube';
import { createTokenReviews } from '@kubeocean/shared/daemon';

export interface User {
  name: string;
  uid?: string;
  groups: readonly string[];
  extra?: Record<string, string[]>;
}

export type Authenticator = (request: IncomingMessage) => Promise<User | undefined>;

/** The subject of a client certificate as Node gives it: a repeated attribute comes as an array. */
export interface CertificateSubject {
  CN?: string | string[];
  O?: string | string[];
}

/** User and groups in a verified certificate: CN and each O. Undefined when it names nobody, or more than one. */
export function userOfSubject(subject: CertificateSubject): User | undefined {
  if (typeof subject.CN !== 'string' || subject.CN === '') return undefined;
  const groups = [subject.O ?? []].flat().filter((group) => group !== '');
  return { name: subject.CN, groups: withAuthenticated(groups) };
}

function withAuthenticated(groups: readonly string[]): string[] {
  return [...new Set([...groups, 'system:authenticated'])];
}

/** The user in the client certificate of a connection, if it shows one that the client CA signed and that is still valid. */
export function userOfConnection(socket: TLSSocket, now: Date): User | undefined {
  if (!socket.authorized) return undefined;
  const certificate = socket.getPeerCertificate();
  // Verified when the connection was made; connections live long, so its end is looked at again.
  if (!certificate?.subject || !(new Date(certificate.valid_to).getTime() >= now.getTime())) return undefined;
  return userOfSubject(certificate.subject);
}

/** The token of an `Authorization: Bearer` header. */
export function bearerToken(header: string | undefined): string | undefined {
  return /^Bearer +([^\s,]+)$/i.exec(header ?? '')?.[1];
}

interface TokenReview extends KubeObject {
  status?: {
    authenticated?: boolean;
    user?: { username?: string; uid?: string; groups?: string[]; extra?: Record<string, string[]> };
  };
}

const KNOWN_MS = 120_000;
const UNKNOWN_MS = 10_000;
/** Reviews are not to take the connections by which rights are asked about and pods are looked up. */
const REVIEWS_AT_ONCE = 8;
const REVIEWS_WAITING = 64;

/** @throws Error (from the returned function) when a token cannot be reviewed: as API calls throw, or when too many wait. */
export function createAuthenticator(client: KubeClient, now: () => Date): Authenticator {
  const bearerOf = createTokenReviews<User>({
    knownMs: KNOWN_MS,
    unknownMs: UNKNOWN_MS,
    atOnce: REVIEWS_AT_ONCE,
    waiting: REVIEWS_WAITING,
  });

  async function review(token: string): Promise<User | null> {
    const answer = await client.create<TokenReview>(
      TokenReviews,
      { metadata: {}, spec: { token } },
      { timeoutMs: 10_000 },
    );
    const user = answer.status?.user;
    if (!answer.status?.authenticated || !user?.username) return null;
    return {
      name: user.username,
      groups: withAuthenticated(user.groups ?? []),
      ...(user.uid && { uid: user.uid }),
      ...(user.extra && { extra: user.extra }),
    };
  }

  return async (request) => {
    const byCertificate = userOfConnection(request.socket as TLSSocket, now());
    if (byCertificate) return byCertificate;
    const token = bearerToken(request.headers.authorization);
    return token === undefined ? undefined : bearerOf(token, () => review(token));
  };
}
