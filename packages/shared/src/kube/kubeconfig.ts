/**
 * Reads a kubeconfig into where an API server is and how to prove who we are. One that came out of a Secret is
 * untrusted input and may name neither programs nor files, nor lead back to this host. What would change where a call goes,
 * as whom, or how it is protected, and is not supported here, is refused of anybody: left out in silence, a person would act
 * as somebody else than the file says.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { parse, Parser } from 'yaml';

/** Everything needed to open a connection. PEM texts, not file names. */
export interface ClusterAccess {
  /** Origin and optional path prefix, `https://10.0.0.1:6443`, without a trailing slash. */
  server: string;
  ca?: string;
  cert?: string;
  key?: string;
  token?: string;
  /** Name to verify the server's certificate against, when it is not the host of `server`. */
  tlsServerName?: string;
  /** Namespace of the kubeconfig's context. */
  namespace?: string;
}

/** A kubeconfig that cannot or must not be used. The message never quotes its content. */
export class KubeconfigError extends Error {
  readonly reason:
    | 'Unreadable'
    | 'Malformed'
    | 'ContextMissing'
    | 'ExecPlugin'
    | 'AuthProvider'
    | 'FileReference'
    | 'Insecure'
    | 'Proxy'
    | 'Impersonation'
    | 'AddressNotAllowed'
    | 'NoCredential';

  constructor(reason: KubeconfigError['reason'], message: string) {
    super(message);
    this.name = 'KubeconfigError';
    this.reason = reason;
  }
}

export interface KubeconfigOptions {
  /** `untrusted` refuses everything that could run a program, read a file or reach this host itself, too. */
  trust: 'trusted' | 'untrusted';
  /** Folder that relative file names in a trusted kubeconfig start from. */
  folder?: string;
  /** Told the name of each file that a trusted kubeconfig refers to. */
  onFile?: (path: string) => void;
}

type Entry = Record<string, unknown>;

/**
 * Reads the current context of a kubeconfig.
 * @throws KubeconfigError naming what is wrong and what to write instead.
 */
export function parseKubeconfig(text: string, options: KubeconfigOptions): ClusterAccess {
  let document: Entry;
  try {
    document = read(text) as Entry;
  } catch {
    throw new KubeconfigError('Malformed', 'the kubeconfig is not valid YAML');
  }
  if (typeof document !== 'object' || document === null) {
    throw new KubeconfigError('Malformed', 'the kubeconfig is empty or not a YAML mapping');
  }
  const contextName = document['current-context'];
  if (typeof contextName !== 'string' || contextName === '') {
    throw new KubeconfigError('ContextMissing', 'the kubeconfig has no current-context');
  }
  const context = named(document, 'contexts', contextName, 'context');
  const cluster = named(document, 'clusters', context['cluster'], 'cluster');
  const user = named(document, 'users', context['user'], 'user');
  if (options.trust === 'untrusted') refuseUntrusted(cluster, user);
  refuseUnsupported(cluster, user);
  if (user['exec'] !== undefined) {
    throw new KubeconfigError(
      'ExecPlugin',
      'the kubeconfig uses an exec plug-in, which is refused: use a ServiceAccount token (scripts/kubeconfig.sh makes one)',
    );
  }
  const access: ClusterAccess = { server: serverOf(cluster) };
  const ca = pem(cluster, 'certificate-authority', 'cluster', options);
  const cert = pem(user, 'client-certificate', 'user', options);
  const key = pem(user, 'client-key', 'user', options);
  if (ca) {
    certificatesIn(ca, 'certificate-authority');
    access.ca = ca;
  }
  if (cert && key) {
    const [own] = certificatesIn(cert, 'client-certificate');
    if (!own?.checkPrivateKey(privateKeyIn(key))) {
      throw new KubeconfigError('Malformed', 'the client-key of the kubeconfig is not that of its client-certificate');
    }
    Object.assign(access, { cert, key });
  }
  if (typeof user['token'] === 'string') access.token = user['token'].trim();
  else if (typeof user['tokenFile'] === 'string') access.token = readReferred(user['tokenFile'], options).trim();
  if (access.token && !/^[\x21-\x7e]+$/.test(access.token)) {
    throw new KubeconfigError('Malformed', 'the token of the kubeconfig holds characters that no token has');
  }
  if (typeof cluster['tls-server-name'] === 'string') access.tlsServerName = cluster['tls-server-name'];
  if (typeof context['namespace'] === 'string') access.namespace = context['namespace'];
  if (!access.token && !access.cert) {
    throw new KubeconfigError(
      'NoCredential',
      'the kubeconfig has neither a token nor a client certificate with its key',
    );
  }
  return access;
}

/**
 * In a time that grows with the text as its length does, as whoever wrote it may be hostile: to compare each key with all before
 * it, or to collect tens of thousands of errors, takes minutes. Of a key that is there twice the last counts, as to kubectl.
 */
function read(text: string): unknown {
  for (const { type } of new Parser().parse(text)) if (type === 'error') throw new Error('not YAML');
  return parse(text, { maxAliasCount: 0, uniqueKeys: false, logLevel: 'error' });
}

function serverOf({ server }: Entry): string {
  if (typeof server !== 'string' || !URL.canParse(server)) {
    throw new KubeconfigError('Malformed', 'the kubeconfig names no valid server URL');
  }
  const { protocol, username, password } = new URL(server);
  if (protocol !== 'https:') {
    throw new KubeconfigError('Insecure', 'the server of the kubeconfig is not https');
  }
  // Where the server is named, in a condition, an event or a log, its URL is quoted as it stands.
  if (username !== '' || password !== '') {
    throw new KubeconfigError(
      'Insecure',
      'a user name or password in the server URL of the kubeconfig is refused: give a token or client certificate of its user',
    );
  }
  // Of many slashes in a row only the first is tried.
  return server.replace(/(?<!\/)\/+$/, '');
}

function refuseUntrusted(cluster: Entry, user: Entry): void {
  for (const [entry, fields] of [
    [cluster, ['certificate-authority']],
    [user, ['client-certificate', 'client-key', 'tokenFile']],
  ] as const) {
    for (const field of fields) {
      if (entry[field] !== undefined) {
        throw new KubeconfigError(
          'FileReference',
          `the kubeconfig refers to a file (${field}), which is refused: embed the content (kubectl config view --flatten --minify)`,
        );
      }
    }
  }
  const { server } = cluster;
  if (typeof server !== 'string' || !URL.canParse(server)) return;
  if (isLocalAddress(new URL(server).hostname)) {
    throw new KubeconfigError(
      'AddressNotAllowed',
      'the server of the kubeconfig is a loopback or link-local address, which means this pod itself: use an address that pods of the computing cluster can reach',
    );
  }
}

/** What we cannot follow and must not leave out in silence. */
function refuseUnsupported(cluster: Entry, user: Entry): void {
  if (isGiven(user['auth-provider'])) {
    throw new KubeconfigError('AuthProvider', 'the kubeconfig uses an auth-provider, which is refused: use a token');
  }
  if (cluster['insecure-skip-tls-verify'] === true) {
    throw new KubeconfigError('Insecure', 'insecure-skip-tls-verify is refused: give certificate-authority-data');
  }
  if (isGiven(cluster['proxy-url'])) {
    throw new KubeconfigError('Proxy', 'proxy-url is refused: the cluster must be reachable directly');
  }
  for (const [field, value] of Object.entries(user)) {
    if (isGiven(value) && (field === 'as' || field.startsWith('as-'))) {
      throw new KubeconfigError(
        'Impersonation',
        `impersonation (${field}) is refused: give the credential of the account itself`,
      );
    }
  }
}

/** To kubectl, too, a field without a value is none. */
function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '';
}

/** Loopback, link-local and unspecified addresses, in every form a URL host takes. */
export function isLocalAddress(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$|\.$/g, '').toLowerCase();
  if (host === 'localhost' || host.endsWith('.localhost')) return true;
  switch (isIP(host)) {
    case 4:
      return host.startsWith('127.') || host.startsWith('169.254.') || host.startsWith('0.');
    case 6:
      return host === '::1' || host === '::' || /^fe[89ab]/.test(host) || /^::ffff:(7f|a9fe|0*:)/.test(host);
    default:
      return false;
  }
}

function named(document: Entry, list: string, name: unknown, what: string): Entry {
  const entries = document[list];
  const found = Array.isArray(entries)
    ? (entries as Entry[]).find((entry) => name && entry?.['name'] === name)
    : undefined;
  const value = found?.[what];
  if (typeof value !== 'object' || value === null) {
    throw new KubeconfigError(
      'ContextMissing',
      `the kubeconfig's current context refers to a ${what} that is not in the file`,
    );
  }
  return value as Entry;
}

function pem(entry: Entry, field: string, what: string, options: KubeconfigOptions): string | undefined {
  const data = entry[`${field}-data`];
  if (typeof data === 'string' && data !== '') {
    const decoded = Buffer.from(data, 'base64').toString('utf8');
    if (!decoded.includes('-----BEGIN ')) {
      throw new KubeconfigError('Malformed', `${field}-data of the kubeconfig's ${what} is not base64 of a PEM text`);
    }
    return decoded;
  }
  const file = entry[field];
  return typeof file === 'string' && file !== '' ? readReferred(file, options) : undefined;
}

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/**
 * All certificates of the text. What OpenSSL cannot read must be refused here, while a kubeconfig that can be read is still
 * in force, and not by every connection.
 */
function certificatesIn(text: string, field: string): X509Certificate[] {
  try {
    const found = (text.match(CERTIFICATES) ?? []).map((one) => new X509Certificate(one));
    if (found.length > 0) return found;
  } catch {
    // Said below.
  }
  throw new KubeconfigError('Malformed', `the ${field} of the kubeconfig is not a certificate in PEM, or is damaged`);
}

function privateKeyIn(text: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch {
    throw new KubeconfigError(
      'Malformed',
      'the client-key of the kubeconfig is not a private key in PEM, or is damaged',
    );
  }
}

/** Reads a file that a trusted kubeconfig, or a pod's service account, names. */
export function readReferred(name: string, options: Pick<KubeconfigOptions, 'folder' | 'onFile'>): string {
  const path = resolve(options.folder ?? '.', name);
  options.onFile?.(path);
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw new KubeconfigError('Unreadable', 'a file that the kubeconfig refers to cannot be read');
  }
}
