/** Vnodes in words: ready or not, and what their taints mean. Pure. */
import { Label, TaintKey } from '@kubeocean/shared/api';
import { type PodFacts, valueOr, type Vnode } from './facts.ts';

const meanings = new Map<string, string>([
  [TaintKey.vnode, 'only pods that tolerate it are scheduled here (the default of vnodes)'],
  [TaintKey.physicalNodeUnschedulable, 'the worker node is cordoned, or its network is not up'],
  [TaintKey.outOfTimeWindows, 'the lease takes no new pods: its window is closed, or the owner takes it back'],
  [TaintKey.vnodeDeleting, 'the vnode is being removed'],
  [TaintKey.leaseUnknown, 'nothing is known of the lease: its record is missing, or the worker agent is silent'],
  [TaintKey.workerUnreachable, 'the worker cluster does not answer'],
]);

function meaningOf(key: string): string {
  if (key.startsWith(TaintKey.kubernetesNodePrefix)) return "Kubernetes' own, from the state of the vnode at home";
  return meanings.get(key) ?? "the worker node's own, or someone's at home";
}

/** The worker node behind a vnode. What is too long for a label stands in full in the annotation of the same key. */
export function physicalNode({ metadata: { labels = {}, annotations = {} } }: Vnode): { name?: string; uid?: string } {
  const name = annotations[Label.physicalNodeName] ?? labels[Label.physicalNodeName];
  const uid = annotations[Label.physicalNodeUID] ?? labels[Label.physicalNodeUID];
  return { ...(name !== undefined && { name }), ...(uid !== undefined && { uid }) };
}

export function isVnode({ metadata }: Vnode): boolean {
  return metadata.labels?.[Label.clusterBinding] !== undefined;
}

/** Whether a home pod is on a vnode; undefined when it has no node, or that cannot be known. */
export function isOnVnode(home: Pick<NonNullable<PodFacts['home']>, 'pod' | 'node'> | undefined): boolean | undefined {
  const node = valueOr(home?.node, undefined);
  return valueOr(home?.pod, undefined)?.spec.nodeName && node ? isVnode(node) : undefined;
}

export function isReady(vnode: Vnode): boolean {
  return vnode.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}

/** `Ready`, or what the condition says. */
export function readyText(vnode: Vnode): string {
  const ready = vnode.status?.conditions?.find(({ type }) => type === 'Ready');
  if (!ready) return 'without a condition Ready';
  if (ready.status === 'True') return 'Ready';
  return `not Ready (${ready.status}${ready.reason ? `, ${ready.reason}` : ''}${ready.message ? `: ${ready.message}` : ''})`;
}

/** One sentence per thing that keeps pods away. */
export function taintTexts(vnode: Vnode): string[] {
  const name = vnode.metadata.name;
  const taints = (vnode.spec?.taints ?? []).map(
    ({ key, effect }) => `${name} has the taint ${key}:${effect}: ${meaningOf(key)}.`,
  );
  return [...(vnode.spec?.unschedulable ? [`${name} is cordoned in the computing cluster.`] : []), ...taints];
}
