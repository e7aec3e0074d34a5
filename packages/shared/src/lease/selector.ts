/**
 * Which nodes a NodeSelector means. Rules of k8s.io/component-helpers/scheduling/corev1/nodeaffinity, with one addition
 * that the tutorial makes: a selector left out, or with no terms at all, means every node.
 */
import type { NodeSelector, NodeSelectorRequirement, NodeSelectorTerm } from '../api/selector.ts';
import { matchesValues, ownLabel } from './label-selector.ts';
import { selectorShapeProblem } from './selector-shape.ts';

/** What a selector looks at. */
export interface SelectableNode {
  metadata: { name: string; labels?: Record<string, string> };
}

/**
 * True when the node is meant. Terms are ORed, the requirements of one term ANDed; a term without requirements, or with
 * one that is not valid (see {@link nodeSelectorProblem}), matches nothing.
 */
export function matchesNode(selector: NodeSelector | undefined, node: SelectableNode): boolean {
  const terms = selector?.nodeSelectorTerms ?? [];
  if (terms.length === 0) return true;
  return terms.some((term) => termProblem(term) === undefined && matchesTerm(term, node));
}

function matchesTerm(term: NodeSelectorTerm, node: SelectableNode): boolean {
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (expressions.length + fields.length === 0) return false;
  const labels = node.metadata.labels ?? {};
  return (
    expressions.every((requirement) => matchesValue(requirement, ownLabel(labels, requirement.key))) &&
    fields.every((requirement) => matchesValue(requirement, node.metadata.name))
  );
}

function matchesValue(requirement: NodeSelectorRequirement, value: string | undefined): boolean {
  const { operator, values } = requirement;
  if (operator !== 'Gt' && operator !== 'Lt') return matchesValues(requirement, value);
  return compareIntegers(value, values?.[0], (a, b) => (operator === 'Gt' ? a > b : a < b));
}

function compareIntegers(
  a: string | undefined,
  b: string | undefined,
  compare: (a: bigint, b: bigint) => boolean,
): boolean {
  const left = parseInteger(a);
  const right = parseInteger(b);
  return left !== undefined && right !== undefined && compare(left, right);
}

/** A 64-bit integer, as Go's ParseInt reads it, of no more digits than a label may have: a claim may bring a row of 32,000. */
function parseInteger(text: string | undefined): bigint | undefined {
  if (text === undefined || !/^[+-]?[0-9]{1,63}$/.test(text)) return undefined;
  const value = BigInt(text.replace(/^\+/, ''));
  return BigInt.asIntN(64, value) === value ? value : undefined;
}

/** Why a selector is not valid, in words for the object that carries it; undefined when it is. */
export function nodeSelectorProblem(selector: NodeSelector | undefined): string | undefined {
  if (selector === undefined) return undefined;
  const shape = selectorShapeProblem(selector);
  if (shape) return shape;
  for (const [index, term] of (selector.nodeSelectorTerms ?? []).entries()) {
    const problem = termProblem(term);
    if (problem) return `nodeSelectorTerms[${index}]: ${problem}`;
  }
  return undefined;
}

function termProblem(term: NodeSelectorTerm): string | undefined {
  for (const requirement of term.matchExpressions ?? []) {
    const problem = expressionProblem(requirement);
    if (problem) return `matchExpressions, key "${shortened(requirement.key)}": ${problem}`;
  }
  for (const requirement of term.matchFields ?? []) {
    if (requirement.key !== 'metadata.name')
      return `matchFields: "${shortened(requirement.key)}" is not a field; only metadata.name is`;
    if (requirement.operator !== 'In' && requirement.operator !== 'NotIn') {
      return `matchFields: operator ${shortened(requirement.operator)} is not allowed; use In or NotIn`;
    }
    if (requirement.values?.length !== 1) return 'matchFields: exactly one value is needed; use a term per node name';
  }
  return undefined;
}

/**
 * Messages stand in statuses that others read. Of half a character (JSON of a claim may have one, too) an API server keeps another
 * in its place, and the status would be written anew at each look.
 */
function shortened(text: string): string {
  return (text.length > 80 ? `${text.slice(0, 80)}…` : text).toWellFormed();
}

function expressionProblem(requirement: NodeSelectorRequirement): string | undefined {
  const values = requirement.values ?? [];
  switch (requirement.operator) {
    case 'In':
    case 'NotIn':
      return values.length === 0 ? `${requirement.operator} needs at least one value` : undefined;
    case 'Exists':
    case 'DoesNotExist':
      return values.length > 0 ? `${requirement.operator} takes no values` : undefined;
    case 'Gt':
    case 'Lt':
      if (values.length === 1 && parseInteger(values[0]) !== undefined) return undefined;
      return `${requirement.operator} needs exactly one integer`;
    default:
      return `operator "${shortened(requirement.operator)}" does not exist; use In, NotIn, Exists, DoesNotExist, Gt or Lt`;
  }
}
