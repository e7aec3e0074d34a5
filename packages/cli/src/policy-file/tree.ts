/**
 * YAML as kubectl understands it: aliases and merge keys (`<<`) stand for what they name. Each value knows where in the text it
 * was written. Pure.
 */
import { type Document, isAlias, isMap, isPair, isScalar, isSeq, type Node, type Pair } from 'yaml';

export interface Tree {
  /** Of the text, where it begins. */
  offset: number;
  /** As JSON; fields that are null are left out, as the API server does. */
  value: unknown;
  /** Of a mapping. */
  fields?: Field[];
  /** Of a list. */
  items?: Tree[];
}

export interface Field {
  name: string;
  /** Of its name. */
  offset: number;
  /** Null stays null here. */
  value: Tree;
}

/** Aliases of aliases of aliases make a small text a large one. */
const MostValues = 100_000;

/** The text cannot be read as a tree. */
export class TreeError extends Error {
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.name = 'TreeError';
    this.offset = offset;
  }
}

interface Reading {
  document: Document;
  left: number;
  /** What is being read: an alias of one of these would never end. */
  above: Set<Node>;
}

/** @throws TreeError when aliases go in a circle, or come to more than anybody would write */
export function treeOf(node: Node, document: Document): Tree {
  return read(node, { document, left: MostValues, above: new Set() });
}

function read(given: unknown, reading: Reading): Tree {
  const node = isAlias(given) ? given.resolve(reading.document) : (given as Node | null);
  // An alias stands where it stands: a refusal is told there, and not where the text comes from.
  const offset = offsetOf(isAlias(given) ? given : node);
  if (!node) return { offset, value: null };
  if (reading.left-- <= 0) throw new TreeError('aliases make it too large', offset);
  if (reading.above.has(node)) throw new TreeError('an alias names what it is itself part of', offset);
  reading.above.add(node);
  try {
    return readNode(node, offset, reading);
  } finally {
    reading.above.delete(node);
  }
}

function readNode(node: Node, offset: number, reading: Reading): Tree {
  if (isMap(node)) return mapping(fieldsOf(node.items, reading), offset);
  if (isSeq(node)) {
    const items = node.items.map((item) =>
      isPair(item) ? mapping(fieldsOf([item], reading), offset) : read(item, reading),
    );
    return { offset, value: items.map(({ value }) => value), items };
  }
  return { offset, value: isScalar(node) ? (node.toJSON() as unknown) : null };
}

function mapping(fields: Field[], offset: number): Tree {
  const given = fields.filter(({ value }) => value.value !== null);
  return { offset, value: Object.fromEntries(given.map(({ name, value }) => [name, value.value])), fields };
}

/** What is written in the mapping itself goes before what it merges, and of that the first before the rest (yaml.org/type/merge). */
function fieldsOf(pairs: readonly Pair[], reading: Reading): Field[] {
  const own = new Map<string, Field>();
  const merged: Field[] = [];
  for (const { key, value } of pairs) {
    if (isMergeKey(key)) {
      const tree = read(value, reading);
      for (const source of tree.items ?? [tree]) {
        // A refusal of what was merged is told where it was merged.
        for (const field of source.fields ?? []) merged.push({ ...field, offset: tree.offset });
      }
    } else {
      const name = isScalar(key) ? String(key.value) : '';
      own.set(name, { name, offset: offsetOf(key), value: read(value, reading) });
    }
  }
  for (const field of merged) if (!own.has(field.name)) own.set(field.name, field);
  return [...own.values()];
}

function isMergeKey(key: unknown): boolean {
  return isScalar(key) && (key.value === '<<' || typeof key.value === 'symbol') && key.type === 'PLAIN';
}

function offsetOf(node: unknown): number {
  return (node as Node | null)?.range?.[0] ?? 0;
}
