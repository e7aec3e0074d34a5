/**
 * Removing a set, in whatever state it is: running, half made by a killed run, or with its state folder deleted.
 * Everything is found by what the machine knows (cgroups, mounts, namespaces, links), not by what `up` wrote down.
 */

import { existsSync, readFileSync, readdirSync, readlinkSync, rmSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

import { cgroupProcesses, removeCgroups } from './cgroups.ts';
import { dataFolder, runFolder } from './claim.ts';
import { setFolders } from './context.ts';
import { restoreLimits } from './limits.ts';
import { run, waitFor } from './run.ts';

/** Everything of a set that can be left on the machine. */
export interface Leftovers {
  processes: number[];
  mounts: string[];
  namespaces: string[];
  links: string[];
  cgroups: string[];
  folders: string[];
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Mount points below any of the folders, from the text of /proc/self/mountinfo; the innermost first. */
export function mountsBelow(mountinfo: string, folders: readonly string[]): string[] {
  const points = mountinfo.split('\n').flatMap((line) => {
    const point = line.split(' ')[4];
    // The kernel writes space, tab, newline and backslash as octal.
    return point
      ? [point.replaceAll(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))]
      : [];
  });
  return points
    .filter((point) => folders.some((folder) => point === folder || point.startsWith(`${folder}/`)))
    .toReversed();
}

function setMounts(index: number): string[] {
  const { data, run: sockets } = setFolders(index);
  return mountsBelow(readFileSync('/proc/self/mountinfo', 'utf8'), [data, sockets]);
}

function namespaces(index: number): string[] {
  return list('/run/netns').filter((name) => name.startsWith(`kube${index}-`));
}

function links(index: number): string[] {
  return list('/sys/class/net').filter((name) => name === `kube${index}` || name.startsWith(`kube${index}-`));
}

async function endProcesses(cgroup: string): Promise<void> {
  // Data and all go away: nothing gains from an orderly end. Again and again, because a process may have had a child
  // between the reading and the signal.
  await waitFor(
    `end of the processes in cgroup ${cgroup}`,
    20_000,
    () => {
      const pids = cgroupProcesses(cgroup);
      for (const pid of pids) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It ended by itself.
        }
      }
      return pids.length === 0 ? true : undefined;
    },
    50,
  ).catch(() => {}); // What stays is told at the end.
}

// A shim killed with SIGKILL leaves its socket in a folder that all containerds of a machine share.
function shimSockets(index: number): string[] {
  const found: string[] = [];
  for (const node of list(setFolders(index).run)) {
    const tasks = join(setFolders(index).run, node, 'containerd/io.containerd.runtime.v2.task/k8s.io');
    for (const task of list(tasks)) {
      const file = join(tasks, task, 'address');
      if (existsSync(file))
        found.push(
          readFileSync(file, 'utf8')
            .trim()
            .replace(/^unix:\/\//, ''),
        );
    }
  }
  return found;
}

async function unmountAll(index: number): Promise<void> {
  for (const mount of setMounts(index)) {
    const { status } = await run(['umount', mount], { anyExit: true });
    if (status !== 0) await run(['umount', '--lazy', mount], { anyExit: true });
  }
}

// Traces outside the set's folders: fixed paths of the kubelet and of the CNI library.
function removeTraces(index: number): void {
  const { data } = setFolders(index);
  for (const name of list('/var/log/containers')) {
    const path = join('/var/log/containers', name);
    try {
      if (readlinkSync(path).startsWith(`${data}/`)) rmSync(path);
    } catch {
      // Not a link: not the kubelet's.
    }
  }
  for (const folder of ['/var/lib/cni/results', '/var/lib/cni/cache/results']) {
    const own = list(folder).filter((name) => name.startsWith(`kube${index}-`));
    for (const name of own) {
      // Beside each there is one of the loopback, known only by the same sandbox.
      const sandbox = /-([0-9a-f]{64})-eth0$/.exec(name)?.[1];
      rmSync(join(folder, name));
      if (sandbox) rmSync(join(folder, `cni-loopback-${sandbox}-lo`), { force: true });
    }
  }
}

// The kubelet's one fixed path; the last socket in it belongs to a kubelet that is gone, unless somebody else runs one.
function removeDevicePlugins(): void {
  const folder = '/var/lib/kubelet';
  if (list(folder).join() !== 'device-plugins') return;
  if (list(join(folder, 'device-plugins')).every((name) => name === 'kubelet.sock' || name === 'DEPRECATION')) {
    rmSync(folder, { recursive: true, force: true });
  }
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Not empty, or never there: not ours to remove.
  }
}

/** Removes everything of the set; what is left is found by `leftovers`. */
export async function removeSet(index: number): Promise<void> {
  const folders = setFolders(index);
  const sockets = shimSockets(index);
  await endProcesses(`kubeocean${index}`);
  for (const socket of sockets) rmSync(socket, { force: true });
  await unmountAll(index);
  for (const name of namespaces(index)) await run(['ip', 'netns', 'delete', name], { anyExit: true });
  // Deleting a cable's one end deletes both; the routes through the bridge go with it.
  for (const name of links(index)) await run(['ip', 'link', 'delete', name], { anyExit: true });
  removeCgroups(`kubeocean${index}`);
  removeTraces(index);
  if (setMounts(index).length === 0) {
    // Not through a mount that stayed: it may show a folder of somebody else.
    rmSync(folders.data, { recursive: true, force: true });
    rmSync(folders.run, { recursive: true, force: true });
  }
}

/** Removes what all sets share, once the last is gone. */
export async function removeShared(): Promise<void> {
  if (list(runFolder).some((name) => /^\d+\.json$/.test(name))) return;
  restoreLimits();
  removeDevicePlugins();
  for (const folder of [
    '/run/containerd/s',
    '/run/containerd',
    '/var/log/containers',
    '/var/lib/cni/results',
    '/var/lib/cni/cache/results',
    '/var/lib/cni/cache',
    '/var/lib/cni',
    dataFolder,
    runFolder,
  ]) {
    removeIfEmpty(folder);
  }
  // `ip netns` mounts its folder on itself when the first namespace is made.
  if (existsSync('/run/netns') && list('/run/netns').length === 0) {
    await run(['umount', '/run/netns'], { anyExit: true });
    removeIfEmpty('/run/netns');
  }
}

/** What of the set is still on the machine. */
export function leftovers(index: number): Leftovers {
  const { data, run: sockets } = setFolders(index);
  return {
    processes: cgroupProcesses(`kubeocean${index}`),
    mounts: setMounts(index),
    namespaces: namespaces(index),
    links: links(index),
    cgroups: removeCgroups(`kubeocean${index}`),
    folders: [data, sockets].filter((folder) => existsSync(folder)),
  };
}
