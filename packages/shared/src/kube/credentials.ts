/**
 * Where an API server is and how to prove who we are: from a kubeconfig file, or from the service account of the pod.
 * A kubeconfig that came out of a Secret is untrusted input and may name neither programs nor files.
 */
import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';

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

/** Gives the access that holds now. `current` is cheap; `refresh` re-reads whatever it comes from. */
export interface CredentialSource {
  current(): ClusterAccess;
  refresh(): ClusterAccess;
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
  /** `untrusted` refuses everything that could run a program, read a file, weaken TLS or reach this host itself. */
  trust: 'trusted' | 'untrusted';
  /** Folder that relative file names in a trusted kubeconfig start from. */
  folder?: string;
}

type Entry = Record<string, unknown>;

/**
 * Reads the current context of a kubeconfig.
 * @throws KubeconfigError naming what is wrong and what to write instead.
 */
export function parseKubeconfig(text: string, options: KubeconfigOptions): ClusterAccess {
  let document: Entry;
  try {
    document = parse(text, { maxAliasCount: 0 }) as Entry;
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
  const cluster = named(document, 'clusters', String(context['cluster'] ?? ''), 'cluster');
  const user = named(document, 'users', String(context['user'] ?? ''), 'user');
  if (options.trust === 'untrusted') refuseUntrusted(cluster, user);
  if (user['exec'] !== undefined) {
    throw new KubeconfigError(
      'ExecPlugin',
      'the kubeconfig uses an exec plug-in, which is refused: use a ServiceAccount token (scripts/kubeconfig.sh makes one)',
    );
  }
  const server = cluster['server'];
  if (typeof server !== 'string' || !URL.canParse(server)) {
    throw new KubeconfigError('Malformed', 'the kubeconfig names no valid server URL');
  }
  const text1 = (entry: Entry, field: string, what: string) => pem(entry, field, what, options);
  const access: ClusterAccess = { server: server.replace(/\/+$/, '') };
  const ca = text1(cluster, 'certificate-authority', 'cluster');
  const cert = text1(user, 'client-certificate', 'user');
  const key = text1(user, 'client-key', 'user');
  if (ca) access.ca = ca;
  if (cert && key) Object.assign(access, { cert, key });
  if (typeof user['token'] === 'string') access.token = user['token'].trim();
  else if (typeof user['tokenFile'] === 'string') access.token = readFile(user['tokenFile'], options).trim();
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

function refuseUntrusted(cluster: Entry, user: Entry): void {
  if (user['auth-provider'] !== undefined) {
    throw new KubeconfigError('AuthProvider', 'the kubeconfig uses an auth-provider, which is refused: use a token');
  }
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
  if (cluster['insecure-skip-tls-verify'] === true) {
    throw new KubeconfigError('Insecure', 'insecure-skip-tls-verify is refused: give certificate-authority-data');
  }
  if (cluster['proxy-url'] !== undefined) {
    throw new KubeconfigError('Proxy', 'proxy-url is refused: the cluster must be reachable directly');
  }
  for (const field of Object.keys(user)) {
    if (field === 'as' || field.startsWith('as-')) {
      throw new KubeconfigError(
        'Impersonation',
        `impersonation (${field}) is refused: give the credential of the account itself`,
      );
    }
  }
  const server = String(cluster['server'] ?? '');
  if (!URL.canParse(server)) return;
  const url = new URL(server);
  if (url.protocol !== 'https:') {
    throw new KubeconfigError('Insecure', 'the server of the kubeconfig is not https');
  }
  if (isLocalAddress(url.hostname)) {
    throw new KubeconfigError(
      'AddressNotAllowed',
      'the server of the kubeconfig is a loopback or link-local address, which means this pod itself: use an address that pods of the computing cluster can reach',
    );
  }
}

/** Loopback, link-local and unspecified addresses, in every form a URL host takes. */
export function isLocalAddress(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').toLowerCase();
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

function named(document: Entry, list: string, name: string, what: string): Entry {
  const entries = document[list];
  const found = Array.isArray(entries) ? (entries as Entry[]).find((entry) => entry?.['name'] === name) : undefined;
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
  return typeof file === 'string' && file !== '' ? readFile(file, options) : undefined;
}

function readFile(name: string, options: KubeconfigOptions): string {
  try {
    return readFileSync(resolve(options.folder ?? '.', name), 'utf8');
  } catch {
    throw new KubeconfigError('Unreadable', 'a file that the kubeconfig refers to cannot be read');
  }
}

/** A credential that never changes. */
export function fixedCredentials(access: ClusterAccess): CredentialSource {
  return { current: () => access, refresh: () => access };
}

export interface FileCredentialOptions extends KubeconfigOptions {
  /** Called when the file changed into something unusable; the last good access stays in force. */
  onInvalid?: (error: KubeconfigError) => void;
  /** How often `current` looks whether the file changed, in milliseconds. Default 2000. */
  checkEveryMs?: number;
}

/**
 * A kubeconfig file that may be replaced while we run, as a mounted Secret is. The first read throws when the file is
 * unusable; later ones keep the last good access, so a bad rotation never cuts a working connection.
 * @throws KubeconfigError when the file cannot be used at the start.
 */
export function kubeconfigFile(path: string, options: FileCredentialOptions): CredentialSource {
  return reloading(path, options, (text) => parseKubeconfig(text, { folder: dirname(path), ...options }));
}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * The pod's own service account.
 * @throws KubeconfigError outside a pod.
 */
export function inClusterCredentials(
  options: { env?: NodeJS.ProcessEnv; folder?: string; checkEveryMs?: number } = {},
): CredentialSource {
  const env = options.env ?? process.env;
  const folder = options.folder ?? SERVICE_ACCOUNT;
  const host = env['KUBERNETES_SERVICE_HOST'];
  if (!host) {
    throw new KubeconfigError(
      'Unreadable',
      'not running in a pod (KUBERNETES_SERVICE_HOST is not set): give --kubeconfig',
    );
  }
  const server = `https://${isIP(host) === 6 ? `[${host}]` : host}:${env['KUBERNETES_SERVICE_PORT'] ?? '443'}`;
  const ca = readFile(`${folder}/ca.crt`, { trust: 'trusted' });
  return reloading(`${folder}/token`, { trust: 'trusted', checkEveryMs: options.checkEveryMs ?? 10_000 }, (text) => ({
    server,
    ca,
    token: text.trim(),
  }));
}

/** Chooses by the `--kubeconfig` flag: a file when given, else the pod's service account. */
export function credentialsFor(kubeconfig: string | undefined): CredentialSource {
  return kubeconfig ? kubeconfigFile(kubeconfig, { trust: 'trusted' }) : inClusterCredentials();
}

function reloading(
  path: string,
  options: FileCredentialOptions,
  read: (text: string) => ClusterAccess,
): CredentialSource {
  const checkEveryMs = options.checkEveryMs ?? 2000;
  let access: ClusterAccess | undefined;
  let stamp = '';
  let checkedAt = Number.NEGATIVE_INFINITY;

  function refresh(): ClusterAccess {
    checkedAt = performance.now();
    try {
      const { mtimeMs, ino, size } = statSync(path);
      const now = `${mtimeMs}/${ino}/${size}`;
      if (access && now === stamp) return access;
      const text = readFileSync(path, 'utf8');
      stamp = now;
      const next = read(text);
      // The same object is kept for the same content, so that connections survive a rewrite that changed nothing.
      if (!access || JSON.stringify(next) !== JSON.stringify(access)) access = next;
    } catch (error) {
      const problem =
        error instanceof KubeconfigError ? error : new KubeconfigError('Unreadable', `${path} cannot be read`);
      if (!access) throw problem;
      options.onInvalid?.(problem);
    }
    return access;
  }

  refresh();
  return {
    refresh,
    current: () => (access && performance.now() - checkedAt < checkEveryMs ? access : refresh()),
  };
}
