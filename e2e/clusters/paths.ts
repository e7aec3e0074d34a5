/** Where things of one set of clusters are kept. */

import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

import { UsageError } from './options.ts';

export const checkout = resolve(import.meta.dirname, '../..');

/** The state folder: `.local` in the checkout, or the absolute folder in KUBEOCEAN_LOCAL. */
export function stateRoot(env: NodeJS.ProcessEnv = process.env): string {
  const given = env['KUBEOCEAN_LOCAL'];
  if (!given) return join(checkout, '.local');
  if (!isAbsolute(given)) throw new UsageError(`KUBEOCEAN_LOCAL must be an absolute folder, not "${given}"`);
  return resolve(given);
}

/** Kubeconfig of `computing`, `worker-1`, ... with the rights of a cluster administrator. */
export function kubeconfigPath(cluster: string, root = stateRoot()): string {
  return join(root, `${cluster}.kubeconfig`);
}

/** Folder of the links to the programs built: kubectl, helm, ... */
export function binFolder(root = stateRoot()): string {
  return join(root, 'bin');
}

export function logFolder(cluster: string, root = stateRoot()): string {
  return join(root, 'logs', cluster);
}

/** Folder of built programs, shared by all checkouts of this user. */
export function programCache(env: NodeJS.ProcessEnv = process.env): string {
  return join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'kubeocean', 'programs');
}
