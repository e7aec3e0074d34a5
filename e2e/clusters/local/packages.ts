/** The distribution's programs that the clusters need: found, installed when root on Debian or Ubuntu, or else named. */

import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';

import type { Progress } from '../progress.ts';
import { run } from './run.ts';

/** Where the CNI plug-ins lie in Debian's package, and in the upstream archive. */
const cniFolders = ['/usr/lib/cni', '/opt/cni/bin'];

/** Package by program. `cni:` stands for a plug-in in one of the CNI folders. */
const needed: Record<string, string> = {
  containerd: 'containerd',
  'containerd-shim-runc-v2': 'containerd',
  ctr: 'containerd',
  runc: 'runc',
  'cni:ptp': 'containernetworking-plugins',
  nft: 'nftables',
  iptables: 'iptables',
  conntrack: 'conntrack',
  ip: 'iproute2',
  busybox: 'busybox-static',
  socat: 'socat',
  ethtool: 'ethtool',
  openssl: 'openssl',
  nsenter: 'util-linux',
  mount: 'mount',
};

// Plain users' PATH lacks the sbin folders where most of these lie.
const searched = [...new Set([...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin', '/usr/bin', '/bin'])];

function find(program: string, path: readonly string[] = searched): string | undefined {
  const folders = program.startsWith('cni:') ? cniFolders : path;
  return folders
    .map((folder) => join(folder, program.replace(/^cni:/, '')))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** Absolute path of one of the distribution's programs; the kubelet and containerd look for theirs in PATH. */
export function programPath(program: string): string {
  const path = find(program);
  if (!path) throw new Error(`${program} is not installed: install the package ${needed[program] ?? program}`);
  return path;
}

/** The folder of the CNI plug-ins. */
export function cniFolder(): string {
  return join(programPath('cni:ptp'), '..');
}

/** PATH for what the clusters run: the usual folders, then wherever else the packages' programs were found. */
export function systemPath(): string {
  const usual = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
  const programs = Object.keys(needed).filter((program) => !program.startsWith('cni:'));
  const found = programs.flatMap((program) => find(program, usual) ?? find(program) ?? []);
  return [...new Set([...usual, ...found.map((path) => join(path, '..'))])].join(':');
}

function missingPackages(): string[] {
  return [
    ...new Set(
      Object.keys(needed)
        .filter((program) => !find(program))
        .map((program) => needed[program]!),
    ),
  ];
}

/** Makes sure that all packages are there. Throws naming those that are missing and cannot be installed. */
export async function ensurePackages(progress: Progress): Promise<void> {
  const missing = missingPackages();
  if (missing.length === 0) return;
  const names = missing.join(' ');
  if (!existsSync('/usr/bin/apt-get')) {
    throw new Error(
      `missing on this machine, and there is no apt-get to install them: ${names} (Debian package names)`,
    );
  }
  progress(`installing packages: ${names}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await run(['apt-get', 'update', '-q'], { env });
  await run(['apt-get', 'install', '-y', '-q', '--no-install-recommends', ...missing], { env });
  const still = missingPackages();
  if (still.length > 0) throw new Error(`still missing after installing ${names}: ${still.join(' ')}`);
}
