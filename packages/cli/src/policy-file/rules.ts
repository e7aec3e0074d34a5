/**
 * The CEL rules of the policy's schema, in TypeScript. The rule's own text is the key: a rule that changes in the schema
 * is missing here, and a test says so. The words for the user come from the schema alone.
 */
import { parseQuantity } from '@kubeocean/shared/lease';

type Json = Record<string, unknown>;

const days = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];

function valuesOf(self: unknown): unknown[] {
  const values = (self as Json)['values'];
  return Array.isArray(values) ? values : [];
}

function operatorIn(self: unknown, ...operators: string[]): boolean {
  return operators.includes(String((self as Json)['operator']));
}

function isQuantityFromZero(self: unknown): boolean {
  if (!/^[^eE]*(E|Ei|[eE][+-]?[0-9]{1,2})?$/.test(String(self))) return false;
  try {
    return parseQuantity(self as string | number).nanos >= 0n;
  } catch {
    return false;
  }
}

const plainResources = ['cpu', 'memory', 'ephemeral-storage', 'pods'];

/** By the text of the rule: whether a value of the right type passes. */
export const RULES: ReadonlyMap<string, (self: unknown) => boolean> = new Map([
  ["self.matches('^([01][0-9]|2[0-3]):[0-5][0-9]$')", (self) => /^([01][0-9]|2[0-3]):[0-5][0-9]$/.test(String(self))],
  [
    `self.lowerAscii() in [${days.map((day) => `'${day}'`).join(', ')}]`,
    (self) => days.includes(String(self).toLowerCase()),
  ],
  [
    'has(self.start) == has(self.end)',
    (self) => Object.hasOwn(self as Json, 'start') === Object.hasOwn(self as Json, 'end'),
  ],
  [
    "type(self) == string ? (self.matches('^[^eE]*(E|Ei|[eE][+-]?[0-9]{1,2})?$') && isQuantity(self) && !quantity(self).isLessThan(quantity('0'))) : self >= 0",
    isQuantityFromZero,
  ],
  [
    `self.contains('/') || self.startsWith('hugepages-') || self in [${plainResources.map((name) => `'${name}'`).join(', ')}]`,
    (self) => /\/|^hugepages-/.test(String(self)) || plainResources.includes(String(self)),
  ],
  [
    'has(self.quantity) || has(self.percent)',
    (self) => Object.hasOwn(self as Json, 'quantity') || Object.hasOwn(self as Json, 'percent'),
  ],
  [
    "self.matches('^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$')",
    (self) => /^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+)*$/.test(String(self)),
  ],
  [
    "!(self.operator in ['In', 'NotIn']) || (has(self.values) ? size(self.values) : 0) > 0",
    (self) => !operatorIn(self, 'In', 'NotIn') || valuesOf(self).length > 0,
  ],
  [
    "!(self.operator in ['Exists', 'DoesNotExist']) || (has(self.values) ? size(self.values) : 0) == 0",
    (self) => !operatorIn(self, 'Exists', 'DoesNotExist') || valuesOf(self).length === 0,
  ],
  [
    "!(self.operator in ['Gt', 'Lt']) || ((has(self.values) ? size(self.values) : 0) == 1 && self.values[0].matches('^-?[0-9]+$'))",
    (self) =>
      !operatorIn(self, 'Gt', 'Lt') || (valuesOf(self).length === 1 && /^-?[0-9]+$/.test(String(valuesOf(self)[0]))),
  ],
]);
