/**
 * Whether something is a NodeSelector at all. A claim's is written by a computing cluster, as a text that no API server
 * checks: whatever it is, it must not stop or occupy who reads it.
 */

/** As the schema of policies and bindings has them (`api/schema-common.ts`). */
const MOST = { terms: 64, matchExpressions: 32, matchFields: 8, values: 256 } as const;

/** Why it is not; undefined when it is. Pure. */
export function selectorShapeProblem(selector: unknown): string | undefined {
  if (!isObject(selector)) return 'it is not an object';
  const terms = selector['nodeSelectorTerms'];
  return listProblem('nodeSelectorTerms', terms, MOST.terms, (term) => {
    if (!isObject(term)) return 'is not an object';
    for (const part of ['matchExpressions', 'matchFields'] as const) {
      const problem = listProblem(part, term[part], MOST[part], requirementProblem);
      if (problem) return `: ${problem}`;
    }
    return undefined;
  });
}

function requirementProblem(requirement: unknown): string | undefined {
  if (!isObject(requirement)) return 'is not an object';
  if (typeof requirement['key'] !== 'string') return 'has no key that is a text';
  if (typeof requirement['operator'] !== 'string') return 'has no operator that is a text';
  const problem = listProblem('values', requirement['values'], MOST.values, (value) =>
    typeof value === 'string' ? undefined : 'is not a text',
  );
  return problem && `: ${problem}`;
}

/** What is left out is an empty list. */
function listProblem(
  name: string,
  list: unknown,
  most: number,
  problemOf: (item: unknown) => string | undefined,
): string | undefined {
  if (list === undefined || list === null) return undefined;
  if (!Array.isArray(list)) return `${name} is not a list`;
  if (list.length > most) return `${name} has ${list.length} items, more than ${most}`;
  for (const [at, item] of list.entries()) {
    const problem = problemOf(item);
    if (problem) return `${name}[${at}]${problem.startsWith(':') ? '' : ' '}${problem}`;
  }
  return undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
