/**
 * Holds a value of a file against a schema of ours, as the API server would: the same paths and words, and the line besides.
 * Fields that the schema does not know are refused, too; the API server only drops them with a warning, and a misspelt
 * `timeWindows` lends at all hours. Pure.
 */
import type { Schema } from '@kubeocean/shared/api';
import { RULES } from './rules.ts';
import type { Field, Tree } from './tree.ts';

export interface Problem {
  /** Of the text, where the value (or the object that lacks one) begins. */
  offset: number;
  /** As the API server writes it: `spec.timeWindows[0].start`. */
  path: string;
  message: string;
}

/** Everything that is wrong with `tree` under `path`. What has the wrong type is not looked at further. */
export function checkTree(schema: Schema, tree: Tree, path: string): Problem[] {
  const { offset, value } = tree;
  const wrongType = typeProblem(schema, value, path);
  if (wrongType !== undefined) return [{ offset, path, message: wrongType }];
  const found: Problem[] = plainProblems(schema, value, path).map((message) => ({ offset, path, message }));
  if (tree.fields) found.push(...checkFields(schema, tree.fields, offset, path));
  if (tree.items) {
    for (const [index, item] of tree.items.entries()) {
      if (schema.items) found.push(...checkTree(schema.items, item, `${path}[${index}]`));
    }
    found.push(...duplicates(schema, tree.items, path));
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

function checkFields(schema: Schema, fields: readonly Field[], offset: number, path: string): Problem[] {
  const { properties = {}, additionalProperties } = schema;
  if (!schema.properties && !additionalProperties) return [];
  const found: Problem[] = [];
  const given = new Set<string>();
  for (const { name, offset: at, value } of fields) {
    const child = Object.hasOwn(properties, name) ? properties[name] : additionalProperties;
    // `field:` with nothing behind it is null, which the API server drops.
    const isNull = value.value === null;
    if (!isNull) given.add(name);
    if (!child) {
      found.push({ offset: at, path: below(path, name), message: `unknown field; ${hint(properties, name)}` });
    } else if (!isNull) found.push(...checkTree(child, value, below(path, name)));
  }
  for (const name of schema.required ?? []) {
    if (!given.has(name)) found.push({ offset, path: below(path, name), message: 'Required value' });
  }
  return found;
}

/** The root has no path. */
function below(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

/** What was meant: the same word in other letters, or a field of one of the fields. */
function hint(properties: Record<string, Schema>, name: string): string {
  const near = Object.keys(properties).find((known) => known.toLowerCase() === name.toLowerCase());
  if (near !== undefined) return `did you mean ${near}?`;
  const home = Object.entries(properties).find(([, child]) => Object.hasOwn(child.properties ?? {}, name));
  return home ? `did you mean ${home[0]}.${name}?` : `known here: ${Object.keys(properties).join(', ')}`;
}

function duplicates(schema: Schema, items: readonly Tree[], path: string): Problem[] {
  const keys = schema['x-kubernetes-list-map-keys'];
  if (!keys) return [];
  const seen = new Set<string>();
  return items.flatMap(({ value, offset }, index): Problem[] => {
    const named = value as Record<string, unknown> | null;
    const text = JSON.stringify(Object.fromEntries(keys.map((key) => [key, named?.[key]])));
    const known = seen.has(text);
    seen.add(text);
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
