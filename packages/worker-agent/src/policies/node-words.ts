/** What an owner has set on a policy or its nodes, where that does less than it seems: words for the policy's status. Pure. */
import { misreadReclaim, type PolicyOutcome, type WorkerNode } from '@kubeocean/shared/lease';

/** Nodes that are told by name. */
const MOST_NAMED = 5;

/** A node as far as it is looked at here. */
export type NodeWords = Pick<WorkerNode, 'metadata' | 'spec'>;

/**
 * Each with `; ` before it.
 * @param nodeOf a node of the cluster by its name
 */
export function nodeWords(
  { policy, nodes, closing }: Pick<PolicyOutcome, 'policy' | 'nodes' | 'closing'>,
  nodeOf: (name: string) => NodeWords | undefined,
): string {
  const present = nodes.flatMap((name) => nodeOf(name) ?? []);
  const cordoned = present.filter(({ metadata, spec }) => spec?.unschedulable === true && !closing.has(metadata.name));
  const names = named(cordoned.map(({ metadata }) => metadata.name));
  const misread = present.map((node) => misreadReclaim(`the node ${node.metadata.name}`, node)).filter(isText);
  return [
    ...(cordoned.length > 0 ? [`cordoned, so that no new pods come: ${names}`] : []),
    misreadReclaim('this policy', policy),
    // One is enough to see what it should say.
    misread[0],
  ]
    .filter(isText)
    .map((words) => `; ${words}`)
    .join('');
}

function named(names: readonly string[]): string {
  const more = names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : '';
  return `${names.toSorted().slice(0, MOST_NAMED).join(', ')}${more}`;
}

function isText(text: string | undefined): text is string {
  return text !== undefined;
}
