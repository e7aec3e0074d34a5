/**
 * The cgroups of a set, `kubeocean<index>` in every hierarchy. All that `up` starts and all containers are in them, so
 * that `down` finds every process by membership and ends nothing else. Works with cgroup v1, v2 and both mounted.
 */

import { existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Hierarchy {
  mount: string;
  version: 1 | 2;
  /** Controllers of a v1 hierarchy. */
  options: string[];
}

/** The mounted cgroup hierarchies, from the text of /proc/self/mountinfo. */
export function parseHierarchies(mountinfo: string): Hierarchy[] {
  return mountinfo.split('\n').flatMap((line): Hierarchy[] => {
    const [left = '', right = ''] = line.split(' - ');
    const mount = left.split(' ')[4];
    const [type, , options = ''] = right.split(' ');
    if (mount === undefined || (type !== 'cgroup' && type !== 'cgroup2')) return [];
    return [{ mount, version: type === 'cgroup2' ? 2 : 1, options: options.split(',') }];
  });
}

export function hierarchies(): Hierarchy[] {
  return parseHierarchies(readFileSync('/proc/self/mountinfo', 'utf8'));
}

function readText(file: string): string {
  return readFileSync(file, 'utf8').trim();
}

// In v1 a new cpuset is empty and takes no process; in v2 a child has only the controllers its parent hands down.
function makeGroup(hierarchy: Hierarchy, path: string): void {
  let folder = hierarchy.mount;
  for (const part of path.split('/')) {
    const parent = folder;
    folder = join(folder, part);
    mkdirSync(folder, { recursive: true });
    if (hierarchy.options.includes('cpuset')) {
      for (const file of ['cpuset.cpus', 'cpuset.mems']) {
        if (readText(join(folder, file)) === '') writeFileSync(join(folder, file), readText(join(parent, file)));
      }
    }
    if (hierarchy.version === 2) handDown(parent);
  }
  if (hierarchy.version === 2) handDown(folder);
}

function handDown(folder: string): void {
  for (const controller of readText(join(folder, 'cgroup.controllers')).split(' ')) {
    if (controller === '') continue;
    try {
      writeFileSync(join(folder, 'cgroup.subtree_control'), `+${controller}`);
    } catch {
      // A controller that cannot be handed down (held by a v1 hierarchy) is not needed; the kubelet names what it lacks.
    }
  }
}

/** Makes a cgroup in every hierarchy. */
export function ensureCgroup(path: string): void {
  for (const hierarchy of hierarchies()) makeGroup(hierarchy, path);
}

/** Of cgroup v1's cpu controller, where one process weighs 1024. */
const SHARES_OF_PODS = 20 * 1024;

/**
 * Lets the pods of a set weigh against its daemons as they would on machines of their own. With cgroup v1 the daemons stay
 * in the root group, where each of their threads weighs as much as a new group does with all that is in it: whenever the API
 * servers are busy, all pods together would get the time of one thread, and wait four times as long as they run.
 */
export function weighPods(setCgroup: string): void {
  for (const { mount, version, options } of hierarchies()) {
    if (version === 1 && options.includes('cpu')) {
      writeFileSync(join(mount, setCgroup, 'cpu.shares'), String(SHARES_OF_PODS));
    }
  }
}

/** Makes the cgroup that the set's own daemons join, in one hierarchy, and returns the files to write a process id into. */
export function daemonsCgroup(setCgroup: string): string[] {
  const all = hierarchies();
  const chosen = all.find(({ options }) => options.includes('pids')) ?? all.find(({ version }) => version === 2);
  if (!chosen) throw new Error('no cgroup hierarchy with the pids controller is mounted: the kubelet cannot run here');
  const folder = join(chosen.mount, setCgroup, 'daemons');
  mkdirSync(folder, { recursive: true });
  return [join(folder, 'cgroup.procs')];
}

function walk(folder: string, visit: (folder: string) => void): void {
  let entries;
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    return; // Gone since its parent was read.
  }
  for (const entry of entries) if (entry.isDirectory()) walk(join(folder, entry.name), visit);
  visit(folder);
}

function groups(setCgroup: string): string[] {
  const found: string[] = [];
  for (const { mount } of hierarchies()) {
    const top = join(mount, setCgroup);
    if (existsSync(top)) walk(top, (folder) => found.push(folder));
  }
  return found;
}

/** Ids of all processes in the set's cgroups. */
export function cgroupProcesses(setCgroup: string): number[] {
  const pids = new Set<number>();
  for (const folder of groups(setCgroup)) {
    try {
      for (const pid of readText(join(folder, 'cgroup.procs')).split('\n')) if (pid !== '') pids.add(Number(pid));
    } catch {
      // The group went away with its last process.
    }
  }
  return [...pids];
}

/** Removes the set's cgroups, deepest first; returns those that stayed. */
export function removeCgroups(setCgroup: string): string[] {
  for (const folder of groups(setCgroup)) {
    try {
      rmdirSync(folder);
    } catch {
      // Told by the return value.
    }
  }
  return groups(setCgroup);
}
