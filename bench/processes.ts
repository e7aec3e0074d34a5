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
}

export interface Usage {
  pod: string;
  component: string;
  pid: number;
  cpuSeconds: number;
  peakMiB: number;
}

/** Processes of all pods of the namespace; kubelets' pause processes are left out. */
export async function processesOf(client: KubeClient, namespace: string): Promise<Proc[]> {
  const { items } = await client.list<KubeObject>(Pods, { namespace });
  const pods = new Map(items.map((pod) => [pod.metadata.uid ?? '', pod]));
  const found: Proc[] = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const uid = /pod([0-9a-f]{8}[-_][0-9a-f_-]{27})/.exec(read(`/proc/${entry}/cgroup`))?.[1]?.replaceAll('_', '-');
    const pod = uid === undefined ? undefined : pods.get(uid);
    if (!pod) continue;
    if (read(`/proc/${entry}/cmdline`).split('\0')[0] === '/pause') continue;
    const { containers } = pod['spec'] as { containers: { name: string }[] };
    found.push({ pid: Number(entry), pod: pod.metadata.name, component: containers[0]?.name ?? '' });
  }
  return found;
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
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / TICKS;
}

function peakMiBOf(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) / 1024;
}

/** Measures a set of processes from now on; peaks begin anew. */
export function meter(processes: readonly Proc[]): () => Usage[] {
  const started = processes.map((process) => {
    // 5 sets VmHWM back to what is resident now (proc_pid_clear_refs(5)).
    try {
      writeFileSync(`/proc/${process.pid}/clear_refs`, '5');
    } catch {
      // Without the right to it the peak is that of the process's whole life.
    }
    return { process, before: cpuSecondsOf(process.pid) };
  });
  return () =>
    started.map(({ process, before }) => ({
      ...process,
      cpuSeconds: Math.max(0, cpuSecondsOf(process.pid) - before),
      peakMiB: peakMiBOf(process.pid),
    }));
}
