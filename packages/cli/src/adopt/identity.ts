/**
 * Whether the worker cluster that was given is the one that the binding's Secret leads to. Addresses prove little, one cluster
 * has several; so what only one cluster can have is compared first. Nothing is sent to where the Secret leads. Pure.
 */
import { X509Certificate } from 'node:crypto';
import type { ClusterAccess } from '@kubeocean/shared/kube';

export interface Evidence {
  /** `namespace/name` of the Secret. */
  secret: string;
  /** What is in it, or why that cannot be read. */
  access: ClusterAccess | { problem: string };
  worker: {
    server: string;
    /** UID of its kube-system namespace, and its authority; undefined where they cannot be read. */
    uid?: string;
    ca?: string;
    /** The ServiceAccount that the Secret's token is of, as this cluster knows it; undefined when that cannot be read. */
    account?: { uid: string } | 'missing';
  };
  /** Of the worker, as our own syncer found it. */
  knownUID?: string;
}

export interface Identity {
  problems: string[];
  warnings: string[];
}

/** Who a ServiceAccount's token is of. */
export interface Account {
  namespace: string;
  name: string;
  uid: string;
}

export function judgeIdentity({ secret, access, worker, knownUID }: Evidence): Identity {
  const which = `--worker-kubeconfig (${worker.server})`;
  const other = (why: string): Identity => ({
    problems: [`${which} is not the worker cluster of this binding: ${why}`],
    warnings: [],
  });
  const doubt = (why: string): Identity => ({ problems: [], warnings: [why] });
  if (knownUID !== undefined && worker.uid !== undefined) {
    if (knownUID === worker.uid) return { problems: [], warnings: [] };
    return other(`its kube-system namespace has the UID ${worker.uid}, and the binding's status knows ${knownUID}`);
  }
  if ('problem' in access) {
    return doubt(`whether ${which} is the worker cluster of this binding cannot be checked: ${access.problem}`);
  }
  const account = access.token === undefined ? undefined : accountOf(access.token);
  if (account && worker.account !== undefined) {
    if (worker.account !== 'missing' && worker.account.uid === account.uid) return { problems: [], warnings: [] };
    return other(
      `the kubeconfig in Secret ${secret} (${access.server}) is of the ServiceAccount ${account.namespace}/${account.name} with the UID ${account.uid}, and there is none such; if it was deleted and made anew there, give the Secret a new kubeconfig first`,
    );
  }
  if (originOf(access.server) === originOf(worker.server) || shareAuthority(access.ca, worker.ca)) {
    return { problems: [], warnings: [] };
  }
  return doubt(
    `the kubeconfig in Secret ${secret} leads to ${access.server}, and nothing proves that ${which} is the same cluster: make sure of it`,
  );
}

/** Read out of a token, unchecked: it is compared, not trusted. */
export function accountOf(token: string): Account | undefined {
  try {
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')) as {
      [claim: string]: unknown;
      'kubernetes.io'?: { namespace?: unknown; serviceaccount?: { name?: unknown; uid?: unknown } };
    };
    const bound = claims['kubernetes.io'];
    const old = 'kubernetes.io/serviceaccount/';
    const [namespace, name, uid] = bound
      ? [bound.namespace, bound.serviceaccount?.name, bound.serviceaccount?.uid]
      : [claims[`${old}namespace`], claims[`${old}service-account.name`], claims[`${old}service-account.uid`]];
    if (typeof namespace !== 'string' || typeof name !== 'string' || typeof uid !== 'string') return undefined;
    return { namespace, name, uid };
  } catch {
    // Not a token of a ServiceAccount, then.
    return undefined;
  }
}

function originOf(server: string): string {
  const { host, pathname } = new URL(server);
  return `${host}${pathname.replace(/\/$/, '')}`;
}

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

function shareAuthority(one: string | undefined, other: string | undefined): boolean {
  const known = new Set(fingerprints(one));
  return fingerprints(other).some((print) => known.has(print));
}

function fingerprints(pem = ''): string[] {
  return (pem.match(CERTIFICATES) ?? []).flatMap((text) => {
    try {
      return [new X509Certificate(text).fingerprint256];
    } catch {
      // Damaged: it proves nothing.
      return [];
    }
  });
}
