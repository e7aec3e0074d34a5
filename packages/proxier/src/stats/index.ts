/** The metrics of a vnode, as its kubelet would give them: this binding's pods under their home names, and their sums. */
import { providerID } from '@kubeocean/shared/api';
import { createCache } from '@kubeocean/shared/daemon';
import { type KubeClient, type KubeObject, messageOf, Nodes } from '@kubeocean/shared/kube';
import { parseQuantity } from '@kubeocean/shared/lease';
import type { StatsPath } from '@kubeocean/shared/stats';
import { Refusal } from '../errors.ts';
import type { Clusters } from '../kubelet/pods.ts';
import { createAgentClient } from './agent.ts';
import { nodeExposition, nodeSummary, resourceFigures, scrapeFailed, summaryCpu } from './node-figures.ts';
import { pairsOf } from './pairs.ts';
import { type PodPairs, renameExposition, renameSummary } from './rename.ts';
import { byWorkerPod, createSumCounter, type SumCounter, workerPodsOf } from './sum-counter.ts';

export interface Stats {
  /**
   * @param signal aborts when this caller does not wait any more
   * @throws Refusal when there are no metrics, with the reason.
   */
  get(vnode: string, path: StatsPath, signal?: AbortSignal): Promise<{ type: string; text: string }>;
  /** The vnode is gone. */
  forget(vnode: string): void;
}

interface Vnode extends KubeObject {
  spec?: { providerID?: string };
  status?: { capacity?: Record<string, string> };
}

/** Longest that the lists of pods may take, in milliseconds: as long as the agent's answer. */
const LISTS_MS = 15_000;
const TEXT = 'text/plain; version=0.0.4; charset=utf-8';

/** @param known the vnode as a watch has it, which is as good: what is read of it hardly changes; else it is asked for */
export function createStats(
  clusters: Clusters,
  now: () => Date,
  known: (vnode: string) => KubeObject | undefined = () => undefined,
): Stats {
  const { binding } = clusters;
  const ask = createAgentClient(clusters.worker);
  // Nothing is held: the agent does that. Who asks at the same time waits for the same answer.
  const asking = createCache<{ type: string; text: string }>({ holdMs: () => 0, bound: 1 });
  const counters = new Map<string, { resource: SumCounter; summary: SumCounter }>();

  function countersOf(vnode: string) {
    let found = counters.get(vnode);
    if (!found) {
      found = { resource: createSumCounter(), summary: createSumCounter() };
      counters.set(vnode, found);
    }
    return found;
  }

  async function collect(vnode: string, path: StatsPath, abandoned: AbortSignal) {
    const node: Vnode = known(vnode) ?? (await readVnode(clusters.home, vnode));
    const workerNode = workerNodeOf(node, binding.clusterID);
    // Looked up before the answer is waited for: when the vnode goes meanwhile, nothing would forget them a second time.
    const own = countersOf(vnode);
    // A list has as many pages as its server says: whoever lists on and on is not followed for ever.
    const ending = AbortSignal.any([abandoned, AbortSignal.timeout(LISTS_MS)]);
    const [answer, pairs] = await Promise.all([
      ask(workerNode, path, abandoned),
      pairsOf(clusters, vnode, workerNode, ending),
    ]);
    if (path === 'stats/summary') return { type: 'application/json', text: summary(node, answer, pairs, own.summary) };
    const renamed = renameExposition(answer, binding.mountNamespace, pairs);
    if (path === 'metrics/cadvisor') return { type: TEXT, text: renamed };
    // What is told is not all there is: sums of it would be wrong.
    const ofNode = scrapeFailed(answer) ? nodeExposition() : nodeOf(renamed, pairs, own.resource);
    return { type: TEXT, text: ofNode + renamed };
  }

  function nodeOf(renamed: string, pairs: PodPairs, counter: SumCounter): string {
    const { cpuSeconds: readings, memoryBytes, timestamp = now().getTime() } = resourceFigures(renamed);
    const cpuSeconds = counter.add(byWorkerPod(readings, pairs), workerPodsOf(pairs));
    return nodeExposition({ cpuSeconds, memoryBytes, timestamp });
  }

  function summary(node: Vnode, answer: string, pairs: PodPairs, counter: SumCounter): string {
    const pods = renameSummary(answer, binding.mountNamespace, pairs);
    const { name, creationTimestamp = '' } = node.metadata;
    const total = counter.add(byWorkerPod(summaryCpu(pods), pairs), workerPodsOf(pairs));
    const facts = { name, createdAt: creationTimestamp, memoryBytes: memoryOf(node) };
    return JSON.stringify({ node: nodeSummary(facts, pods, total, now()), pods });
  }

  return {
    get: (vnode, path, signal) =>
      asking.get(`${vnode} ${path}`, (abandoned) => collect(vnode, path, abandoned), signal),
    forget: (vnode) => void counters.delete(vnode),
  };
}

async function readVnode(home: KubeClient, vnode: string): Promise<Vnode> {
  return home.get<Vnode>(Nodes, '', vnode, { timeoutMs: 10_000 }).catch((error: unknown) => {
    throw new Refusal(503, `cannot read node ${vnode}: ${messageOf(error)}`, { cause: error });
  });
}

/** Name of the worker node, from the providerID that the syncer gave the vnode; it cannot be changed later. */
function workerNodeOf({ metadata, spec }: Vnode, clusterID: string): string {
  const prefix = providerID(clusterID, '');
  const id = spec?.providerID ?? '';
  if (!id.startsWith(prefix) || id === prefix) {
    throw new Refusal(503, `node ${metadata.name} has no providerID ${prefix}<worker node>: is it a vnode of ours?`);
  }
  return id.slice(prefix.length);
}

function memoryOf({ status }: Vnode): number {
  const text = status?.capacity?.['memory'];
  return text === undefined ? 0 : Number(parseQuantity(text).nanos / 1_000_000_000n);
}
