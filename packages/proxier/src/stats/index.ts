/** The metrics of a vnode, as its kubelet would give them: this binding's pods under their home names, and their sums. */
import { providerID } from '@kubeocean/shared/api';
import { createCache } from '@kubeocean/shared/daemon';
import { type KubeClient, type KubeObject, messageOf, Nodes } from '@kubeocean/shared/kube';
import { parseQuantity } from '@kubeocean/shared/lease';
import type { StatsPath } from '@kubeocean/shared/stats';
import { Refusal } from '../errors.ts';
import type { Clusters } from '../kubelet/pods.ts';
import { createAgentClient } from './agent.ts';
import {
  createSumCounter,
  nodeExposition,
  nodeSummary,
  resourceFigures,
  type SumCounter,
  summaryCpu,
} from './node-figures.ts';
import { pairsOf } from './pairs.ts';
import { type PodPairs, renameExposition, renameSummary } from './rename.ts';

export interface Stats {
  /** @throws Refusal when there are no metrics, with the reason. */
  get(vnode: string, path: StatsPath): Promise<{ type: string; text: string }>;
  /** The vnode is gone. */
  forget(vnode: string): void;
}

interface Vnode extends KubeObject {
  spec?: { providerID?: string };
  status?: { capacity?: Record<string, string> };
}

const TEXT = 'text/plain; version=0.0.4; charset=utf-8';

export function createStats(clusters: Clusters, now: () => Date): Stats {
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

  async function collect(vnode: string, path: StatsPath) {
    const node = await readVnode(clusters.home, vnode);
    const workerNode = workerNodeOf(node, binding.clusterID);
    const [answer, pairs] = await Promise.all([ask(workerNode, path), pairsOf(clusters, vnode, workerNode)]);
    if (path === 'stats/summary') return { type: 'application/json', text: summary(node, answer, pairs) };
    const renamed = renameExposition(answer, binding.mountNamespace, pairs);
    return { type: TEXT, text: path === 'metrics/resource' ? resource(vnode, renamed, pairs) : renamed };
  }

  function resource(vnode: string, renamed: string, pairs: PodPairs): string {
    const { cpuSeconds, memoryBytes, timestamp } = resourceFigures(renamed);
    const total = countersOf(vnode).resource.add(cpuSeconds, alive(pairs));
    return nodeExposition(total, memoryBytes, timestamp ?? now().getTime()) + renamed;
  }

  function summary(node: Vnode, answer: string, pairs: PodPairs): string {
    const pods = renameSummary(answer, binding.mountNamespace, pairs);
    const { name, creationTimestamp = '' } = node.metadata;
    const total = countersOf(name).summary.add(summaryCpu(pods), alive(pairs));
    const facts = { name, createdAt: creationTimestamp, memoryBytes: memoryOf(node) };
    return JSON.stringify({ node: nodeSummary(facts, pods, total, now()), pods });
  }

  return {
    get: (vnode, path) => asking.get(`${vnode} ${path}`, () => collect(vnode, path)),
    forget: (vnode) => void counters.delete(vnode),
  };
}

function alive(pairs: PodPairs): Set<string> {
  return new Set([...pairs.values()].map(({ namespace, name }) => `${namespace}/${name}`));
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
