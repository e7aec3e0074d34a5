/** Which labels a LabelSelector means (apimachinery, pkg/labels). Pure. */
import type { LabelSelector } from '../api/selector.ts';

/** metav1.LabelSelector: all of its requirements hold. An operator that is not known matches nothing. */
export function matchesLabels(selector: LabelSelector, labels: Record<string, string>): boolean {
  const equal = Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
  return equal && (selector.matchExpressions ?? []).every((one) => matchesValues(one, ownLabel(labels, one.key)));
}

/** A label, but not what every object of JavaScript has (`constructor`). */
export function ownLabel(labels: Record<string, string>, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

/** The operators that selectors of nodes and of labels have in common. */
export function matchesValues(
  requirement: { operator: string; values?: string[] },
  value: string | undefined,
): boolean {
  const values = requirement.values ?? [];
  switch (requirement.operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      return false;
  }
}
