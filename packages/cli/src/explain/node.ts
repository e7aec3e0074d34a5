/** `explain node`: what is lent of a worker node to whom, why not more, and the vnode that stands for it. Pure. */
import { Annotation, Label, labelValue, vnodeName, vnodeNames } from '@kubeocean/shared/api';
import { isOpen, type WorkerNode } from '@kubeocean/shared/lease';
import { deletionText } from '../deletion.ts';
import type { Explanation, Facts, Vnode, WorkerFacts } from './facts.ts';
import { unknowns, valueOr } from './facts.ts';
import { amounts, recordNext, recordText, takenBack, verdictOn, windowText } from './lease-words.ts';
import { bindingNamed, bindingProblems, WhileSilent } from './policy.ts';
import { reclaimRemark, sentence } from './sentences.ts';
import { whyNotMore } from './room.ts';
import { isReady, physicalNode, readyText, taintTexts } from './vnode-words.ts';
import { agentSilence, isGoing, type PolicyView, recordOf, type World, worldOf, zoneOf } from './world.ts';

/** What a name given by the user stands for. */
interface Target {
  /** Name of the worker node. */
  node: string;
  /** Set when a vnode was named: the one binding that is asked about. */
  cluster?: string;
  vnode?: Vnode;
}

/** The worker node behind a name, for whoever reads its pods; undefined when the name is not found. */
export function workerNodeOf(name: string, facts: Facts): string | undefined {
  return targetOf(name, facts)?.node;
}

function targetOf(name: string, facts: Facts): Target | undefined {
  const vnode = valueOr(facts.home?.vnodes, []).find(({ metadata }) => metadata.name === name);
  if (vnode) {
    const label = vnode.metadata.labels?.[Label.clusterBinding];
    const binding = valueOr(facts.home?.bindings, []).find(({ metadata }) => labelValue(metadata.name) === label);
    const cluster = binding?.metadata.name ?? label;
    return { node: physicalNode(vnode).name ?? name, vnode, ...(cluster && { cluster }) };
  }
  const { worker } = facts;
  if (!worker) return undefined;
  if (valueOr(worker.nodes, []).some(({ metadata }) => metadata.name === name)) return { node: name };
  const records = valueOr(worker.records, []);
  if (records.some(({ spec }) => spec.nodeName === name)) return { node: name };
  // The claims tell the clusterIDs that vnodes' names are made of.
  const ids = valueOr(worker.leases, []).flatMap(({ metadata }) => metadata.annotations?.[Annotation.clusterID] ?? []);
  const behind = records.find(({ spec }) => ids.some((id) => vnodeNames(id, spec.nodeName).includes(name)));
  return behind && { node: behind.spec.nodeName, cluster: behind.spec.cluster };
}

/** Undefined when neither cluster has such a node. */
export function explainNode(name: string, facts: Facts): Explanation | undefined {
  const target = targetOf(name, facts);
  if (!target) return undefined;
  const fromWorker = facts.worker ? workerSide(target, facts.worker, facts) : undefined;
  const vnodes = vnodesOf(target, facts);
  const home = homeSide(target, vnodes, facts);
  const unknown = [
    ...(facts.worker
      ? unknowns(
          facts.worker.nodes,
          facts.worker.policies,
          facts.worker.records,
          facts.worker.leases,
          facts.worker.tenants,
          facts.worker.timeZone,
          facts.worker.podsOnNode,
        )
      : ['What the policies say, why not more is lent, and when windows open or close: give --worker-kubeconfig.']),
    ...(facts.home
      ? unknowns(facts.home.vnodes, facts.home.bindings)
      : ['How its vnodes are, and whether pods run on them: give --kubeconfig.']),
  ];
  const what =
    target.vnode || target.node !== name
      ? `Vnode ${name} stands for the worker node ${target.node}`
      : `Worker node ${name}`;
  return {
    kind: 'node',
    name,
    summary: `${what}${fromWorker ? `: ${fromWorker.summary}` : ''}.`,
    now: [...(fromWorker?.now ?? []), ...home.now],
    why: [...(fromWorker?.why ?? []), ...home.why],
    next: fromWorker?.next ?? [],
    events: [],
    unknown,
  };
}

interface Side {
  summary: string;
  now: string[];
  why: string[];
  next: string[];
}

function workerSide(target: Target, worker: WorkerFacts, facts: Facts): Side {
  const world = worldOf(worker, facts.now);
  const node = world.nodes.find(({ metadata }) => metadata.name === target.node);
  const policies = world.policies.filter(({ cluster }) => !target.cluster || cluster === target.cluster);
  const clusters = [...new Set([...policies.map(({ cluster }) => cluster), ...recordClusters(world, target)])];
  const sides = clusters.map((cluster) => {
    const views = policies.filter((view) => view.cluster === cluster);
    return { cluster, ...leaseSide(cluster, views, target, node, worker, world) };
  });
  const several = sides.filter(({ next }) => next.length > 0).length > 1;
  const lentTo = sides.flatMap((side) => side.lentTo);
  const nobody = lentTo.length === 0 && clusters.length === 0 && world.seen.policies;
  return {
    summary: summaryOf(lentTo, world),
    now: sides.flatMap((side) => side.now),
    why: [
      ...sides.flatMap((side) => side.why),
      ...(node?.spec?.unschedulable ? ['The worker node is cordoned: its vnodes take no new pods.'] : []),
      ...(node ? reclaimRemark('the node', node) : []),
      ...(nobody ? [sentence(noPolicy(target))] : []),
    ],
    next: sides.flatMap(({ cluster, next }) => (several ? next.map((line) => `${cluster}: ${line}`) : next)),
  };
}

function summaryOf(lentTo: readonly string[], { seen }: World): string {
  if (lentTo.length > 0) return `it is lent to ${lentTo.join(', ')}`;
  return seen.records ? 'it is not lent' : 'whether it is lent cannot be seen';
}

/** What is said of the leases of one binding on the node. */
function leaseSide(
  cluster: string,
  views: readonly PolicyView[],
  target: Target,
  node: WorkerNode | undefined,
  worker: WorkerFacts,
  world: World,
): Omit<Side, 'summary'> & { lentTo: string[] } {
  const side = { now: [] as string[], why: [] as string[], next: [] as string[], lentTo: [] as string[] };
  const namespace = views[0]?.claim.served?.namespace;
  const record = recordOf(world, cluster, target.node, namespace);
  if (isOpen(record)) side.lentTo.push(`${cluster}${record.status?.phase === 'Closing' ? ' (closing)' : ''}`);
  if (record) side.now.push(sentence(recordText(record)));
  if (isOpen(record) && node && record.status?.phase === 'Active') {
    side.why.push(...whyNotMore(record, node, worker, world));
  }
  const applied = record?.status?.policy ?? record?.spec.policy;
  const view = views.find(({ policy }) => policy.metadata.name === applied);
  const zone = view ? zoneOf(view, world) : world.zone;
  const silence = namespace && isOpen(record) ? agentSilence(world, namespace) : undefined;
  if (silence) side.next.push(WhileSilent);
  if (record) side.next.push(...recordNext(record, view?.spec, zone, world.now));
  for (const other of views) {
    if (isOpen(record) && other === view && !isGoing(other)) continue;
    const name = `policy ${other.policy.metadata.name}`;
    const text = isGoing(other) ? deletionText(other.policy) : `for ${cluster}: ${nodeText(other, node, world)}`;
    side.why.push(sentence(`${name} ${text}`));
    if (!record && other.spec && !isGoing(other)) side.next.push(sentence(`${name} ${windowText(other, world)}`));
  }
  const taken = view && takenBack(view, node);
  if (taken) side.why.push(sentence(taken));
  if (silence) side.why.push(sentence(silence));
  return side;
}

function nodeText(view: PolicyView, node: WorkerNode | undefined, world: World): string {
  if (node) return verdictOn(view, node, world).text;
  return world.seen.nodes
    ? 'not lent: the worker cluster has no such node any more'
    : 'what it means for this node cannot be seen, for the nodes of the worker cannot be read';
}

function noPolicy({ cluster }: Target): string {
  return `no ResourceLeasingPolicy ${cluster ? `for ${cluster} ` : ''}exists in the worker cluster, and without one nothing is lent`;
}

function recordClusters({ records }: World, { node, cluster }: Target): string[] {
  const named = records.filter(({ spec }) => spec.nodeName === node);
  return named.map(({ spec }) => spec.cluster).filter((name) => !cluster || name === cluster);
}

function vnodesOf(target: Target, { home, worker }: Facts): Vnode[] {
  if (target.vnode) return [target.vnode];
  const ids =
    worker &&
    new Set(
      valueOr(worker.nodes, [])
        .filter(({ metadata }) => metadata.name === target.node)
        .map(({ metadata }) => metadata.uid),
    );
  return valueOr(home?.vnodes, []).filter((vnode) => {
    const { name, uid } = physicalNode(vnode);
    if (name !== target.node) return false;
    // Another worker cluster may have a node of this name.
    return !ids || ids.size === 0 || ids.has(uid);
  });
}

function homeSide(target: Target, vnodes: readonly Vnode[], facts: Facts): Pick<Side, 'now' | 'why'> {
  if (!facts.home) return { now: [], why: [] };
  const now = vnodes.map((vnode) => {
    const binding = vnode.metadata.labels?.[Label.clusterBinding] ?? 'an unknown binding';
    return `Vnode ${vnode.metadata.name} of ${binding} is ${readyText(vnode)} and offers ${amounts(vnode.status?.allocatable)}.`;
  });
  const why = vnodes.flatMap((vnode) => [
    ...(isReady(vnode) ? [] : [`${vnode.metadata.name} is ${readyText(vnode)}.`]),
    ...taintTexts(vnode),
  ]);
  const records = valueOr(facts.worker?.records, []).filter(
    (record) => isOpen(record) && record.spec.nodeName === target.node,
  );
  const clusters = target.cluster ? [target.cluster] : [...new Set(records.map(({ spec }) => spec.cluster))];
  for (const cluster of clusters) {
    const binding = bindingNamed(facts, cluster);
    const shown = vnodes.some(({ metadata }) => metadata.labels?.[Label.clusterBinding] === labelValue(cluster));
    if (binding && !shown && 'value' in facts.home.vnodes) {
      const name = vnodeName(binding.spec.clusterID, target.node);
      why.push(
        `The computing cluster shows no vnode ${name} yet: see the conditions of ClusterBinding ${cluster} and the log of its syncer.`,
      );
    }
    why.push(...bindingProblems(facts, cluster));
  }
  return { now, why };
}
