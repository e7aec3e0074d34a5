/** What every step of bringing a set up or down needs to know: the plan, the folders, the programs, the supervisor. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { logFolder } from '../paths.ts';
import type { Progress } from '../progress.ts';
import { type Claim, dataFolder, runFolder } from './claim.ts';
import type { ClusterPlan, NodePlan, SetPlan } from './plan.ts';
import type { Supervisor } from './process.ts';

export interface SetFolders {
  /** /var/lib/kubeocean/<index>: what takes space. */
  data: string;
  /** /run/kubeocean/<index>: sockets, process records. */
  run: string;
  /** The sizes the set was brought up with. */
  sizes: string;
  /** Images given to every node, also to those that come later. */
  images: string;
}

export interface Context {
  plan: SetPlan;
  root: string;
  folders: SetFolders;
  supervisor: Supervisor;
  progress: Progress;
  /** Program files. */
  programs: { kubernetes: string; coredns: string; kwok: string | undefined; pause: string };
}

export function setFolders(index: number): SetFolders {
  const data = join(dataFolder, String(index));
  return { data, run: join(runFolder, String(index)), sizes: join(data, 'set.json'), images: join(data, 'images') };
}

export function clusterFolder(index: number, cluster: Pick<ClusterPlan, 'name'>): string {
  return join(setFolders(index).data, cluster.name);
}

export function certificateFolder(index: number, cluster: Pick<ClusterPlan, 'name'>): string {
  return join(clusterFolder(index, cluster), 'pki');
}

export function nodeFolder(index: number, node: NodePlan): string {
  return join(setFolders(index).data, node.cluster, node.name);
}

/** The kubelet's root directory. */
export function kubeletFolder(index: number, node: NodePlan): string {
  return join(nodeFolder(index, node), 'kubelet');
}

/** Folder of a node's sockets and of what containerd mounts. */
export function nodeRunFolder(index: number, node: NodePlan): string {
  return join(setFolders(index).run, node.netns);
}

export function containerdSocket(index: number, node: NodePlan): string {
  return join(nodeRunFolder(index, node), 'containerd.sock');
}

/** A component's name says its node when it is of a node: `kubelet-node1`. */
export function onNode(component: string, node: NodePlan): string {
  return `${component}-${node.name}`;
}

export function supervisorFor(claim: Claim, joins: string[] = []): Supervisor {
  return {
    folder: join(setFolders(claim.index).run, 'processes'),
    joins,
    logFile: ({ cluster, name }) => join(logFolder(cluster, claim.root), `${name}.log`),
  };
}

/** The text of a file, or undefined when it is not there. */
export function readIfThere(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}
