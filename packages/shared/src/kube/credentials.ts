/**
 * Where credentials come from: a kubeconfig file that may be replaced while we run, or the pod's service account. They
 * are read again when a file changes, and a bad rotation never cuts a working connection.
 */
import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname } from 'node:path';
import {
  type ClusterAccess,
  KubeconfigError,
  type KubeconfigOptions,
  parseKubeconfig,
  readReferred,
} from './kubeconfig.ts';

/** Gives the access that holds now. `current` is cheap; `refresh` re-reads whatever it comes from. */
export interface CredentialSource {
  current(): ClusterAccess;
  refresh(): ClusterAccess;
}

/** A credential that never changes. */
export function fixedCredentials(access: ClusterAccess): CredentialSource {
  return { current: () => access, refresh: () => access };
}

export interface FileCredentialOptions extends KubeconfigOptions {
  /** Called once when the file changed into something unusable; the last good access stays in force. */
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
  return reloading(path, options, (text, onFile) =>
    parseKubeconfig(text, { folder: dirname(path), ...options, onFile }),
  );
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
  const checked = { trust: 'trusted', checkEveryMs: options.checkEveryMs ?? 10_000 } as const;
  return reloading(`${folder}/token`, checked, (text, onFile) => ({
    server,
    ca: readReferred(`${folder}/ca.crt`, { onFile }),
    token: text.trim(),
  }));
}

/** Chooses by the `--kubeconfig` flag: a file when given, else the pod's service account. */
export function credentialsFor(kubeconfig: string | undefined): CredentialSource {
  return kubeconfig ? kubeconfigFile(kubeconfig, { trust: 'trusted' }) : inClusterCredentials();
}

/**
 * The worker's kubeconfig, read as what it is: text of somebody else. A file that is missing or unusable makes calls
 * fail with a KubeconfigError until it is put right; it never stops the process.
 */
export function workerCredentials(path: string, onInvalid: (error: KubeconfigError) => void): CredentialSource {
  let source: CredentialSource | undefined;
  function opened(): CredentialSource {
    source ??= kubeconfigFile(path, { trust: 'untrusted', onInvalid });
    return source;
  }
  return { current: () => opened().current(), refresh: () => opened().refresh() };
}

function reloading(
  path: string,
  options: FileCredentialOptions,
  read: (text: string, onFile: (path: string) => void) => ClusterAccess,
): CredentialSource {
  const checkEveryMs = options.checkEveryMs ?? 2000;
  let access: ClusterAccess | undefined;
  let stamp = '';
  /** Everything that the access in force was read from. */
  let files = [path];
  let checkedAt = Number.NEGATIVE_INFINITY;
  /** What was told last of a file that cannot be used: one that is missing is looked for again and again. */
  let told: string | undefined;

  function refresh(): ClusterAccess {
    checkedAt = performance.now();
    try {
      // Stamped before they are read: a file replaced in between is noticed at the next look.
      const before = stampOf(files);
      if (access && before === stamp) return access;
      const text = readFileSync(path, 'utf8');
      const refersTo = [path];
      stamp = before;
      let next: ClusterAccess;
      try {
        next = read(text, (file) => refersTo.push(file));
      } finally {
        // Read once more when they are not the files of before. One that could not be read may come to be.
        if (refersTo.join('\n') !== files.join('\n')) {
          files = refersTo;
          stamp = '';
        }
      }
      // The same object is kept for the same content, so that connections survive a rewrite that changed nothing.
      if (!access || JSON.stringify(next) !== JSON.stringify(access)) access = next;
      told = undefined;
    } catch (error) {
      const problem =
        error instanceof KubeconfigError ? error : new KubeconfigError('Unreadable', `${path} cannot be read`);
      if (!access) throw problem;
      if (problem.message !== told) options.onInvalid?.(problem);
      told = problem.message;
    }
    return access;
  }

  refresh();
  return {
    refresh,
    current: () => (access && performance.now() - checkedAt < checkEveryMs ? access : refresh()),
  };
}

/** Changes when one of the files is replaced or rewritten. A file that is missing is part of the stamp, too. */
function stampOf(files: readonly string[]): string {
  return files
    .map((file) => {
      const stat = statSync(file, { throwIfNoEntry: false });
      return stat ? `${stat.mtimeMs}/${stat.ino}/${stat.size}` : 'missing';
    })
    .join(' ');
}
