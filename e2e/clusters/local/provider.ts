/** The provider `local`: a set of clusters brought up, looked at and taken down on this machine. */

import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { settleSizes, type Sizes, type UpOptions } from '../options.ts';
import { kubeconfigPath, stateRoot } from '../paths.ts';
import { ensureProgram, type ProgramName } from '../programs.ts';
import type { Progress } from '../progress.ts';
import { type Api, adminApi } from './api.ts';
import { applyBootstrap } from './bootstrap.ts';
import { daemonsCgroup } from './cgroups.ts';
import { type Claim, findClaim, lockSet, releaseClaim, takeClaim } from './claim.ts';
import { certificateFolder, type Context, readIfThere, setFolders, supervisorFor } from './context.ts';
import { startApiServer, startControllers } from './control-plane.ts';
import { startDns } from './dns.ts';
import { startHollowNodes } from './hollow.ts';
import { ensureOwnImages, importRemembered, rememberImage } from './images.ts';
import { raiseLimits } from './limits.ts';
import { ensureNetwork, freeIndexes } from './network.ts';
import { startContainerd, startKubelet } from './node.ts';
import { ensurePackages } from './packages.ts';
import { ensureCertificates, kubeconfig } from './pki.ts';
import { type ClusterPlan, hollowNodeName, planSet, type SetPlan } from './plan.ts';
import { isAlive, listRecords, logTail } from './process.ts';
import { waitFor } from './run.ts';
import { leftovers, removeSet, removeShared } from './teardown.ts';

export interface ClusterSet {
  root: string;
  /** Kubeconfig file by cluster name. */
  kubeconfigs: Record<string, string>;
  plan: SetPlan;
}

export interface ComponentStatus {
  cluster: string;
  name: string;
  pid: number;
  alive: boolean;
}

export interface NodeStatus {
  cluster: string;
  name: string;
  ready: boolean;
  version: string;
}

export interface SetStatus {
  /** Undefined when nothing was brought up. */
  set: ClusterSet | undefined;
  sizes: Sizes | undefined;
  components: ComponentStatus[];
  nodes: NodeStatus[];
  /** What could not be asked, and why. */
  problems: string[];
}

function requireRoot(command: string): void {
  if (process.platform !== 'linux')
    throw new Error('the provider local needs Linux; --provider kind needs docker and kind');
  if (process.getuid?.() !== 0) {
    throw new Error(
      `"${command}" makes network namespaces, mounts and cgroups: run it as root (or with --provider kind)`,
    );
  }
}

function savedSizes(index: number): Sizes | undefined {
  const text = readIfThere(setFolders(index).sizes);
  return text === undefined ? undefined : (JSON.parse(text) as Sizes);
}

function clusterSet(root: string, plan: SetPlan): ClusterSet {
  const kubeconfigs = Object.fromEntries(plan.clusters.map(({ name }) => [name, kubeconfigPath(name, root)]));
  return { root, kubeconfigs, plan };
}

async function gatherPrograms(root: string, hollow: boolean, progress: Progress): Promise<Context['programs']> {
  const ensure = (name: ProgramName): Promise<string> => ensureProgram(name, root, progress);
  // One after the other: each build keeps all cores busy by itself.
  const kubernetes = await ensure('kubernetes');
  await ensure('kubectl');
  const coredns = await ensure('coredns');
  const pause = await ensure('pause');
  const kwok = hollow ? await ensure('kwok') : undefined;
  await ensure('helm');
  return { kubernetes, coredns, pause, kwok };
}

function writeKubeconfig(context: Context, cluster: ClusterPlan): void {
  const file = kubeconfigPath(cluster.name, context.root);
  const text = kubeconfig(cluster, certificateFolder(context.plan.index, cluster), 'admin');
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

interface KubeNode {
  metadata: { name: string };
  status?: { conditions?: { type: string; status: string }[]; nodeInfo?: { kubeletVersion: string } };
}

async function readNodes(api: Api, cluster: string): Promise<NodeStatus[]> {
  const answer = await api.send('GET', '/api/v1/nodes');
  if (answer.status !== 200) throw new Error(`listing nodes of ${cluster}: ${answer.status} ${answer.text}`);
  return (answer.body as { items: KubeNode[] }).items.map(({ metadata, status }) => ({
    cluster,
    name: metadata.name,
    ready: status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false,
    version: status?.nodeInfo?.kubeletVersion ?? '',
  }));
}

async function waitForNodes(context: Context, cluster: ClusterPlan, api: Api): Promise<void> {
  const hollow = Array.from({ length: cluster.hollow }, (_, i) => hollowNodeName(i + 1));
  const wanted = [...cluster.nodes.map(({ name }) => name), ...hollow];
  let missing = wanted;
  let ended: string | undefined;
  // A list of a thousand nodes is megabytes: asked ten times a second it would keep the machine from bringing them up.
  const interval = cluster.hollow > 20 ? 1000 : 100;
  const settled = await waitFor(
    `nodes of ${cluster.name}`,
    90_000 + cluster.hollow * 200,
    async () => {
      ended = endedComponents(context, cluster)[0];
      if (ended !== undefined) return false;
      const ready = new Set((await readNodes(api, cluster.name)).filter((node) => node.ready).map(({ name }) => name));
      missing = wanted.filter((name) => !ready.has(name));
      return missing.length === 0 ? true : undefined;
    },
    interval,
  ).catch((error: Error) => {
    const log = context.supervisor.logFile({ cluster: cluster.name, name: `kubelet-${missing[0]}` });
    throw new Error(`${error.message}; not Ready: ${missing.join(', ')}; see ${log}`, { cause: error });
  });
  if (settled) return;
  const log = context.supervisor.logFile({ cluster: cluster.name, name: ended! });
  throw new Error(`${cluster.name} ${ended} ended\nthe end of ${log}:\n${logTail(log, 8)}`);
}

function endedComponents(context: Context, cluster: ClusterPlan): string[] {
  const own = listRecords(context.supervisor).filter((entry) => entry.cluster === cluster.name);
  return own.filter(({ record }) => !isAlive(record)).map(({ name }) => name);
}

async function upCluster(context: Context, cluster: ClusterPlan): Promise<void> {
  const { index } = context.plan;
  await ensureCertificates(cluster, certificateFolder(index, cluster));
  writeKubeconfig(context, cluster);
  const preparing = Promise.all(
    cluster.nodes.map(async (node) => {
      await startContainerd(context, node);
      await importRemembered(context.plan, node);
    }),
  );
  preparing.catch(() => {}); // Awaited below; this keeps an early failure from ending the process before that.
  const api = await startApiServer(context, cluster);
  try {
    await startControllers(context, cluster);
    await applyBootstrap(api, cluster);
    await startDns(context, cluster);
    await preparing;
    for (const node of cluster.nodes) await startKubelet(context, cluster, node);
    await startHollowNodes(context, cluster, api);
    await waitForNodes(context, cluster, api);
    // Until it is there the API server refuses every pod of the namespace.
    await waitFor(`service account of ${cluster.name}`, 30_000, async () =>
      (await api.send('GET', '/api/v1/namespaces/default/serviceaccounts/default')).status === 200 ? true : undefined,
    );
  } finally {
    api.close();
  }
  const hollow = cluster.hollow > 0 ? ` and ${cluster.hollow} hollow` : '';
  context.progress(`${cluster.name}: ${cluster.nodes.length} node(s)${hollow} Ready`);
}

/** Brings the clusters up, or completes and repairs those that run. Idempotent. */
export async function up(options: UpOptions, progress: Progress): Promise<ClusterSet> {
  requireRoot('up');
  const root = stateRoot();
  const start = performance.now();
  await ensurePackages(progress);
  const before = findClaim(root);
  const sizes = settleSizes(options, before && savedSizes(before.index));
  mkdirSync(root, { recursive: true });
  const programs = await gatherPrograms(root, sizes.hollow > 0, progress);
  const built = performance.now();
  const claim = before ?? takeClaim(root, await freeIndexes());
  const unlock = lockSet(claim);
  try {
    const context = prepare(claim, sizes, programs, progress);
    raiseLimits();
    await ensureNetwork(context.plan);
    progress(`network ready: ${context.plan.range} on bridge ${context.plan.bridge}`);
    await ensureOwnImages(claim.index, programs.pause);
    await Promise.all(context.plan.clusters.map((cluster) => upCluster(context, cluster)));
    const seconds = (from: number): string => ((performance.now() - from) / 1000).toFixed(1);
    progress(`all clusters Ready: ${seconds(built)} s, ${seconds(start)} s with packages and programs`);
    return clusterSet(root, context.plan);
  } finally {
    unlock();
  }
}

function prepare(claim: Claim, sizes: Sizes, programs: Context['programs'], progress: Progress): Context {
  const folders = setFolders(claim.index);
  const plan = planSet(claim.index, sizes);
  // A first run, or the first after a reboot (which empties /run and keeps /var): nothing there is of use.
  const fresh = savedSizes(claim.index) === undefined || readIfThere(join(folders.run, 'begun')) === undefined;
  if (fresh) rmSync(folders.data, { recursive: true, force: true });
  for (const folder of [folders.data, folders.run]) mkdirSync(folder, { recursive: true, mode: 0o755 });
  writeFileSync(`${folders.sizes}.new`, JSON.stringify(sizes));
  renameSync(`${folders.sizes}.new`, folders.sizes);
  writeFileSync(join(folders.run, 'begun'), '');
  const supervisor = supervisorFor(claim, daemonsCgroup(plan.cgroup));
  return { plan, root: claim.root, folders, supervisor, progress, programs };
}

/** Takes the set of this state folder down. Throws naming everything that could not be removed. */
export async function down(progress: Progress): Promise<void> {
  requireRoot('down');
  const root = stateRoot();
  const claim = findClaim(root);
  if (!claim) return progress(`nothing of ${root} runs on this machine`);
  const unlock = lockSet(claim);
  try {
    const { clusters } = planSet(claim.index, savedSizes(claim.index) ?? { workers: 8, nodes: 1, hollow: 0 });
    await removeSet(claim.index);
    const left = Object.entries(leftovers(claim.index)).filter(([, found]) => found.length > 0);
    if (left.length > 0) {
      const words = left.map(([kind, found]) => `${kind}: ${found.join(' ')}`).join('\n  ');
      throw new Error(`could not remove all of ${root}; run "down" again, or look into:\n  ${words}`);
    }
    for (const { name } of clusters) rmSync(kubeconfigPath(name, root), { force: true });
    rmSync(join(root, 'logs'), { recursive: true, force: true });
    releaseClaim(claim);
  } finally {
    unlock();
  }
  await removeShared();
  progress('down: no process, namespace, mount, cgroup or link of the set is left');
}

/** What runs, without changing anything. */
export async function status(): Promise<SetStatus> {
  const root = stateRoot();
  const claim = findClaim(root);
  const sizes = claim && savedSizes(claim.index);
  if (!claim || !sizes) return { set: undefined, sizes: undefined, components: [], nodes: [], problems: [] };
  const plan = planSet(claim.index, sizes);
  const components = listRecords(supervisorFor(claim)).map(({ cluster, name, record }) => ({
    cluster,
    name,
    pid: record.pid,
    alive: isAlive(record),
  }));
  const problems: string[] = [];
  const nodes = await Promise.all(
    plan.clusters.map(async (cluster) => {
      try {
        const api = adminApi(cluster, certificateFolder(plan.index, cluster));
        return await readNodes(api, cluster.name).finally(() => api.close());
      } catch (error) {
        problems.push(`${cluster.name} does not answer: ${(error as Error).message}`);
        return [];
      }
    }),
  );
  return { set: clusterSet(root, plan), sizes, components, nodes: nodes.flat(), problems };
}

/** The plan of the set that runs for this state folder. Throws when there is none. */
export function runningPlan(): { claim: Claim; plan: SetPlan } {
  const claim = findClaim(stateRoot());
  const sizes = claim && savedSizes(claim.index);
  if (!claim || !sizes) throw new Error(`no clusters of ${stateRoot()} run: "npm run cluster -- up" brings them up`);
  return { claim, plan: planSet(claim.index, sizes) };
}

/** Imports image archives (docker-archive) into every node of every running cluster, and into nodes that come later. */
export async function importImages(archives: readonly string[]): Promise<void> {
  const { plan } = runningPlan();
  for (const archive of archives) rememberImage(plan.index, archive);
  const nodes = plan.clusters.flatMap((cluster) => cluster.nodes);
  await Promise.all(nodes.map((node) => importRemembered(plan, node)));
}
