/**
 * Ending and starting single components of a running set, for tests of what happens then. A component is named by its
 * cluster and its name as `npm run cluster -- status` shows them: `worker-1` `kube-apiserver`, `worker-1` `kubelet-node1`.
 */

import { daemonsCgroup } from './cgroups.ts';
import { kubeletFolder as folderOf, supervisorFor } from './context.ts';
import { ensureRunning, isAlive, lastCommand, readRecord, stopProcess, type Supervisor } from './process.ts';
import { runningPlan } from './provider.ts';
import { waitFor } from './run.ts';

function supervisor(): Supervisor {
  const { claim, plan } = runningPlan();
  return supervisorFor(claim, daemonsCgroup(plan.cgroup));
}

/** Asks a component to end and returns when it is gone. No error when it does not run. */
export async function stopComponent(cluster: string, name: string): Promise<void> {
  const record = readRecord(supervisor(), { cluster, name });
  if (record) await stopProcess(record);
}

/** Ends a component with SIGKILL and returns when it is gone. Throws when it does not run. */
export async function killComponent(cluster: string, name: string): Promise<void> {
  const record = readRecord(supervisor(), { cluster, name });
  if (!record || !isAlive(record)) throw new Error(`${cluster} ${name} does not run`);
  process.kill(record.pid, 'SIGKILL');
  await waitFor(`end of ${cluster} ${name}`, 10_000, () => (isAlive(record) ? undefined : true), 20);
}

/** Starts a component as it was started last. Returns when its process runs, which is before it is ready. */
export async function startComponent(cluster: string, name: string): Promise<void> {
  const own = supervisor();
  await ensureRunning(own, lastCommand(own, { cluster, name }));
}

/** stopComponent, then startComponent. */
export async function restartComponent(cluster: string, name: string): Promise<void> {
  await stopComponent(cluster, name);
  await startComponent(cluster, name);
}

/** The first node's network namespace of a cluster, for `nsenter --net=/run/netns/<name>`: etcd listens there. */
export function networkNamespace(cluster: string): string {
  const found = runningPlan().plan.clusters.find(({ name }) => name === cluster);
  if (!found) throw new Error(`no cluster ${cluster} runs`);
  return found.nodes[0]!.netns;
}

/** The root directory of a node's kubelet, where plug-ins register and volumes are mounted. */
export function kubeletFolder(cluster: string, node: string): string {
  const { plan } = runningPlan();
  const found = plan.clusters.find(({ name }) => name === cluster)?.nodes.find(({ name }) => name === node);
  if (!found) throw new Error(`no node ${node} of a cluster ${cluster} runs`);
  return folderOf(plan.index, found);
}
