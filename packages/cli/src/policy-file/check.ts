/**
 * Holds a YAML node against a schema of ours, as the API server would: the same paths and words, and the line besides.
 * Fields that the schema does not know are refused, too; the API server only drops them with a warning, and a misspelt
 * `timeWindows` lends at all hours. Pure.
 */
import type { Schema } from '@kubeocean/shared/api';
import { isMap, isScalar, isSeq, type Node, type Pair } from 'yaml';
import { RULES } from './rules.ts';

export interface Problem {
  /** Of the text, where the value (or the object that lacks one) begins. */
  offset: number;
  /** As the API server writes it: `spec.timeWindows[0].start`. */
  path: string;
  message: string;
}

/** Everything that is wrong with `node` under `path`. What has the wrong type is not looked at further. */
export function checkNode(schema: Schema, node: Node, path: string): Problem[] {
  const offset = node.range?.[0] ?? 0;
  const value: unknown = node.toJSON();
  const wrongType = typeProblem(schema, value, path);
  if (wrongType !== undefined) return [{ offset, path, message: wrongType }];
  const found: Problem[] = plainProblems(schema, value, path).map((message) => ({ offset, path, message }));
  if (isMap(node)) found.push(...checkFields(schema, node.items as Pair<Node, Node | null>[], offset, path));
  if (isSeq(node)) {
    for (const [index, item] of node.items.entries()) {
      if (schema.items) found.push(...checkNode(schema.items, item as Node, `${path}[${index}]`));
    }
    found.push(...duplicates(schema, node.items as Node[], path));
  }
  // CEL is only asked about what is otherwise in order.
  if (found.length > 0) return found;
  for (const { rule, message, fieldPath = '' } of schema['x-kubernetes-validations'] ?? []) {
    if (RULES.get(rule)?.(value) === false) {
      found.push({ offset, path: `${path}${fieldPath}`, message: `Invalid value: ${shown(value)}: ${message}` });
    }
  }
  return found;
}

function checkFields(schema: Schema, pairs: Pair<Node, Node | null>[], offset: number, path: string): Problem[] {
  const { properties } = schema;
  if (!properties) return [];
  const found: Problem[] = [];
  const given = new Set<string>();
  for (const { key, value } of pairs) {
    const name = isScalar(key) ? String(key.value) : '';
    const child = Object.hasOwn(properties, name) ? properties[name] : undefined;
    // `field:` with nothing behind it is null, which the API server drops.
    const isNull = !value || (isScalar(value) && value.value === null);
    if (!isNull) given.add(name);
    if (!child) {
      const near = Object.keys(properties).find((known) => known.toLowerCase() === name.toLowerCase());
      const known = near ? `did you mean ${near}?` : `known here: ${Object.keys(properties).join(', ')}`;
      found.push({ offset: key.range?.[0] ?? offset, path: `${path}.${name}`, message: `unknown field; ${known}` });
    } else if (!isNull) found.push(...checkNode(child, value, `${path}.${name}`));
  }
  for (const name of schema.required ?? []) {
    if (!given.has(name)) found.push({ offset, path: `${path}.${name}`, message: 'Required value' });
  }
  return found;
}

function duplicates(schema: Schema, items: Node[], path: string): Problem[] {
  const keys = schema['x-kubernetes-list-map-keys'];
  if (!keys) return [];
  const seen = new Set<string>();
  return items.flatMap((item, index): Problem[] => {
    const value = item.toJSON() as Record<string, unknown>;
    const text = JSON.stringify(Object.fromEntries(keys.map((key) => [key, value?.[key]])));
    const known = seen.has(text);
    seen.add(text);
    const offset = item.range?.[0] ?? 0;
    return known ? [{ offset, path: `${path}[${index}]`, message: `Duplicate value: ${text}` }] : [];
  });
}

function typeProblem(schema: Schema, value: unknown, path: string): string | undefined {
  const type = typeOf(value);
  const allowed = schema['x-kubernetes-int-or-string'] ? ['integer', 'string'] : schema.type ? [schema.type] : [type];
  if (allowed.includes(type)) return undefined;
  return `Invalid value: "${type}": ${path} in body must be of type ${allowed.join(' or ')}: "${type}"`;
}

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return value === null ? 'null' : typeof value;
}

/** What a value of the right type may be, in the words of the API server (k8s.io/kube-openapi validation errors). */
function plainProblems(schema: Schema, value: unknown, path: string): string[] {
  const found: string[] = [];
  const { enum: words, pattern, minLength = 0, maxLength = Infinity, minimum = -Infinity, maximum = Infinity } = schema;
  const invalid = (what: string): number => found.push(`Invalid value: ${shown(value)}: ${path} in body ${what}`);
  if (typeof value === 'string') {
    const { length } = Array.from(value);
    if (words && !words.includes(value)) {
      found.push(
        `Unsupported value: ${shown(value)}: supported values: ${words.map((word) => `"${word}"`).join(', ')}`,
      );
    }
    if (pattern !== undefined && !new RegExp(pattern, 'u').test(value)) invalid(`should match '${pattern}'`);
    if (length < minLength) invalid(`should be at least ${minLength} chars long`);
    if (length > maxLength) found.push(`Too long: may not be more than ${maxLength} bytes`);
  }
  if (typeof value === 'number') {
    if (value < minimum) invalid(`should be greater than or equal to ${minimum}`);
    if (value > maximum) invalid(`should be less than or equal to ${maximum}`);
  }
  if (Array.isArray(value)) {
    const { minItems = 0, maxItems = Infinity } = schema;
    if (value.length < minItems) invalid(`should have at least ${minItems} items`);
    if (value.length > maxItems) found.push(`Too many: ${value.length}: must have at most ${maxItems} items`);
  }
  return found;
}

function shown(value: unknown): string {
  return typeof value === 'object' ? `"${typeOf(value)}"` : JSON.stringify(value);
}
