/**
 * Long-running processes: started once, found again by a later run, ended by process id.
 *
 * A process is known by its id and its start time (field 22 of /proc/<pid>/stat, clock ticks since boot): an id used
 * again for something else is not ours. The child notes both itself before it becomes the program, so there is no
 * moment at which it runs unrecorded, even if whoever started it is killed. It also joins the set's cgroup, by which
 * `down` finds it and everything it starts.
 */

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { systemPath } from './packages.ts';
import { waitFor } from './run.ts';

export interface ProcessRecord {
  pid: number;
  /** Clock ticks since boot. */
  startTime: string;
  /** Hash of the command it was started with. */
  hash: string;
}

export interface Component {
  /** Unique in its cluster, for example `etcd` or `kubelet-node1`. */
  name: string;
  cluster: string;
  netns: string;
  argv: string[];
  env?: Record<string, string>;
  /** Anything else that, when changed, calls for a restart: the text of a configuration file. */
  inputs?: string[];
}

export interface Supervisor {
  /** Folder of the process records. */
  folder: string;
  /** Files to write an own process id into: cgroup.procs of the set's cgroup. */
  joins: string[];
  logFile(component: Pick<Component, 'cluster' | 'name'>): string;
}

/** Start time from the text of /proc/<pid>/stat. The program's name may hold spaces and brackets: count from the last. */
export function parseStartTime(stat: string): string | undefined {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}

export function parseRecord(text: string): ProcessRecord | undefined {
  const match = /^(\d+) (\d+) ([0-9a-f]+)\n$/.exec(text);
  return match ? { pid: Number(match[1]), startTime: match[2]!, hash: match[3]! } : undefined;
}

export function commandHash(component: Component): string {
  const { argv, env = {}, inputs = [], netns } = component;
  return createHash('sha256')
    .update(JSON.stringify([netns, argv, env, inputs]))
    .digest('hex')
    .slice(0, 16);
}

/** Whether that very process still runs (a zombie does not). `proc` is a parameter for the tests. */
export function isAlive(record: ProcessRecord, proc = '/proc'): boolean {
  try {
    const stat = readFileSync(join(proc, String(record.pid), 'stat'), 'utf8');
    const state = stat[stat.lastIndexOf(')') + 2];
    return parseStartTime(stat) === record.startTime && state !== 'Z' && state !== 'X';
  } catch {
    return false;
  }
}

function recordFile(supervisor: Supervisor, component: Pick<Component, 'cluster' | 'name'>): string {
  return join(supervisor.folder, `${component.cluster}.${component.name}`);
}

export function readRecord(
  supervisor: Supervisor,
  component: Pick<Component, 'cluster' | 'name'>,
): ProcessRecord | undefined {
  try {
    return parseRecord(readFileSync(recordFile(supervisor, component), 'utf8'));
  } catch {
    return undefined;
  }
}

function commandFolder(supervisor: Supervisor): string {
  return join(supervisor.folder, '../commands');
}

function commandFile(supervisor: Supervisor, component: Pick<Component, 'cluster' | 'name'>): string {
  return join(commandFolder(supervisor), `${component.cluster}.${component.name}.json`);
}

/** How a component was started last. Throws when it never was. */
export function lastCommand(supervisor: Supervisor, component: Pick<Component, 'cluster' | 'name'>): Component {
  const file = commandFile(supervisor, component);
  if (!existsSync(file)) throw new Error(`no component ${component.name} in cluster ${component.cluster} was started`);
  return JSON.parse(readFileSync(file, 'utf8')) as Component;
}

/** Every process recorded: cluster, name, record. */
export function listRecords(supervisor: Supervisor): { cluster: string; name: string; record: ProcessRecord }[] {
  let files: string[];
  try {
    files = readdirSync(supervisor.folder);
  } catch {
    return [];
  }
  return files.toSorted().flatMap((file) => {
    const [cluster = '', ...rest] = file.split('.');
    const record = readRecord(supervisor, { cluster, name: rest.join('.') });
    return record && !file.endsWith('.new') ? [{ cluster, name: rest.join('.'), record }] : [];
  });
}

const startScript = `
record=$1 hash=$2 joins=$3; shift 3
start() { echo "\${22}"; }
for procs in $joins; do echo $$ > "$procs" || exit 97; done
echo "$$ $(start $(cat /proc/$$/stat)) $hash" > "$record.new" && mv "$record.new" "$record" || exit 98
exec "$@"
`;

/** Starts the component unless it runs with the same command already; one with another command is replaced. */
export async function ensureRunning(supervisor: Supervisor, component: Component): Promise<'kept' | 'started'> {
  const hash = commandHash(component);
  // Kept for startComponent: it can bring the component back without knowing how it was put together.
  mkdirSync(commandFolder(supervisor), { recursive: true });
  writeFileSync(commandFile(supervisor, component), JSON.stringify(component));
  const old = readRecord(supervisor, component);
  if (old && isAlive(old)) {
    if (old.hash === hash) return 'kept';
    await stopProcess(old);
  }
  mkdirSync(supervisor.folder, { recursive: true });
  const file = recordFile(supervisor, component);
  rmSync(file, { force: true });
  const log = supervisor.logFile(component);
  mkdirSync(join(log, '..'), { recursive: true });
  const output = openSync(log, 'a');
  try {
    // nsenter, not `ip netns exec`: that one mounts a fresh /sys, which hides the cgroups from the kubelet.
    const argv = ['nsenter', `--net=/run/netns/${component.netns}`, '--', ...component.argv];
    const child = spawn('sh', ['-c', startScript, 'sh', file, hash, supervisor.joins.join(' '), ...argv], {
      detached: true,
      cwd: '/',
      // Nothing of the caller's: the same component is the same whoever starts it.
      env: { PATH: systemPath(), HOME: '/nonexistent', ...component.env },
      stdio: ['ignore', output, output],
    });
    child.unref();
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    await waitFor(
      `start of ${component.cluster} ${component.name}`,
      10_000,
      () => readRecord(supervisor, component),
      10,
    );
  } finally {
    closeSync(output);
  }
  return 'started';
}

/** Asks a process to end, insists after `patience` ms, and returns when it is gone. */
export async function stopProcess(record: ProcessRecord, patience = 5000): Promise<void> {
  const send = (signal: NodeJS.Signals): void => {
    // Between this look and the signal the id could pass to another process only after 32,768 more were started.
    if (!isAlive(record)) return;
    try {
      process.kill(record.pid, signal);
    } catch {
      // Gone in between, which is what was wanted; waitFor below says so if it is not.
    }
  };
  const gone = (): true | undefined => (isAlive(record) ? undefined : true);
  send('SIGTERM');
  await waitFor(`end of process ${record.pid}`, patience, gone, 20).catch(async () => {
    send('SIGKILL');
    await waitFor(`end of killed process ${record.pid}`, 10_000, gone, 20);
  });
}

/** The last `lines` lines of a log, for an error message. */
export function logTail(file: string, lines: number): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '(no log)';
  }
}
