/**
 * CPU time and peak memory of the processes of pods, from /proc: found by the pod's UID in the process's cgroup, so
 * that they may be any implementation's. They have to run on this machine.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type KubeClient, type KubeObject, Pods } from '@kubeocean/shared/kube';

/** Clock ticks a second of /proc/<pid>/stat: USER_HZ, 100 on every Linux. */
const TICKS = 100;

export interface Proc {
  pid: number;
  /** Name of its pod. */
  pod: string;
  /** Name of its container: syncer, proxier, manager, worker-agent, ... */
  component: string;
  /** A container's own process; others are its children and what kubelets run in it, which come and go. */
  main: boolean;
  /** When it started, in ticks since the machine did: another process of its number has another. */
  started: number;
}

/** The measured processes in the computing cluster and in the worker. */
export interface SideProcesses {
  computing: Proc[];
  worker: Proc[];
}

export interface Usage {
  pod: string;
  component: string;
  pid: number;
  cpuSeconds: number;
  peakMiB: number;
  /** A container's own process that is gone by now: what it took since is not known. */
  ended: boolean;
}

/** UID of the pod that a process belongs to, as either cgroup driver writes it into its path. */
export function podUidIn(cgroup: string): string | undefined {
  return /pod([0-9a-f]{8}[-_][0-9a-f_-]{27})/.exec(cgroup)?.[1]?.replaceAll('_', '-');
}

/** Of /proc/<pid>/stat, whose second field may have blanks and brackets in it; undefined of a process that is gone. */
export function parseStat(stat: string): { cpuSeconds: number; started: number } | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // Counted from the third field on: utime and stime are the 14th and 15th, starttime is the 22nd (proc_pid_stat(5)).
  const [user = Number.NaN, system = Number.NaN, started = Number.NaN] = [11, 12, 19].map((at) => Number(fields[at]));
  const cpuSeconds = (user + system) / TICKS;
  return Number.isFinite(cpuSeconds) && Number.isFinite(started) ? { cpuSeconds, started } : undefined;
}

/** Of /proc/<pid>/status: the peak, and whether it is the first process of its container (or in no namespace of its own). */
export function parseStatus(status: string): { peakMiB: number; main: boolean } {
  const numbers = /^NSpid:\s+(.*)$/m.exec(status)?.[1]?.split(/\s+/) ?? [];
  return {
    peakMiB: Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024,
    main: numbers.length < 2 || numbers.at(-1) === '1',
  };
}

/** Processes of all pods of the namespace; kubelets' pause processes are left out. */
async function processesOfNamespace(client: KubeClient, namespace: string): Promise<Proc[]> {
  const { items } = await client.list<KubeObject>(Pods, { namespace });
  const pods = new Map(items.map((pod) => [pod.metadata.uid ?? '', pod]));
  const found: Proc[] = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const pod = pods.get(podUidIn(read(`/proc/${entry}/cgroup`)) ?? '');
    if (!pod) continue;
    if (read(`/proc/${entry}/cmdline`).split('\0')[0] === '/pause') continue;
    const stat = parseStat(read(`/proc/${entry}/stat`));
    if (!stat) continue;
    const { containers } = pod['spec'] as { containers: { name: string }[] };
    const { main } = parseStatus(read(`/proc/${entry}/status`));
    const component = containers[0]?.name ?? '';
    found.push({ pid: Number(entry), pod: pod.metadata.name, component, main, started: stat.started });
  }
  return found;
}

/** What is to be measured, by the namespaces that `--processes` names. */
export async function findProcesses(
  sides: { computing: KubeClient; worker: KubeClient },
  namespaces: { computing: string; worker: string },
): Promise<SideProcesses> {
  const [computing, worker] = await Promise.all([
    processesOfNamespace(sides.computing, namespaces.computing),
    processesOfNamespace(sides.worker, namespaces.worker),
  ]);
  return { computing, worker };
}

/** The sides of which no process was found. */
export function sidesWithout({ computing, worker }: SideProcesses): string[] {
  return [...(computing.length === 0 ? ['computing'] : []), ...(worker.length === 0 ? ['worker'] : [])];
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // It ended between the listing and now, or is a kernel thread.
    return '';
  }
}

/** CPU seconds of a process so far, user and system; 0 when it is gone. */
export function cpuSecondsOf(pid: number): number {
  return parseStat(read(`/proc/${pid}/stat`))?.cpuSeconds ?? 0;
}

/** The greatest peak of these processes over their whole lives. @throws Error when none of them is there. */
export function lifePeakMiB(processes: readonly Pick<Proc, 'pid'>[]): number {
  const peak = Math.max(0, ...processes.map(({ pid }) => parseStatus(read(`/proc/${pid}/status`)).peakMiB));
  if (peak === 0) throw new Error('the peak memory of the new processes cannot be read: none of them is there');
  return peak;
}

/** Measures a set of processes from now on; peaks begin anew. */
export function meter({ computing, worker }: SideProcesses): () => Usage[] {
  const begun = [...computing, ...worker].map((process) => {
    // 5 sets VmHWM back to what is resident now (proc_pid_clear_refs(5)).
    try {
      writeFileSync(`/proc/${process.pid}/clear_refs`, '5');
    } catch {
      // Without the right to it the peak is that of the process's whole life.
    }
    return { process, before: cpuSecondsOf(process.pid) };
  });
  return () =>
    begun.map(({ process: { pid, pod, component, main, started }, before }) => {
      const stat = parseStat(read(`/proc/${pid}/stat`));
      const there = stat?.started === started;
      return {
        pod,
        component,
        pid,
        cpuSeconds: there ? Math.max(0, stat.cpuSeconds - before) : 0,
        peakMiB: there ? parseStatus(read(`/proc/${pid}/status`)).peakMiB : 0,
        ended: main && !there,
      };
    });
}
