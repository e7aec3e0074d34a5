/** Reads ResourceLeasingPolicies out of YAML or JSON text, and says by line what is wrong with them. Pure. */
import { policySchema, ResourceLeasingPolicies, type ResourceLeasingPolicy } from '@kubeocean/shared/api';
import { policyProblem } from '@kubeocean/shared/lease';
import { LineCounter, parseAllDocuments } from 'yaml';
import { Failure } from '../failure.ts';
import { checkTree, type Problem } from './check.ts';
import { nameProblem, policyWith } from './metadata.ts';
import { type Tree, TreeError, treeOf } from './tree.ts';

export interface PolicyDocument {
  policy: ResourceLeasingPolicy;
  /** Where it begins, from 1. */
  line: number;
}

/**
 * The policies of a file; documents of other kinds are passed over.
 * @param source name of the file, for messages
 * @throws Failure naming file, line, field and what is wrong, one line each; or that there is no policy
 */
export function readPolicies(text: string, source: string, defaultTimeZone: string): PolicyDocument[] {
  const counter = new LineCounter();
  const documents = parseAllDocuments(text, {
    lineCounter: counter,
    // kubectl reads YAML 1.1, so `yes` is true; but 18:00 is text to it, not 1080.
    schema: 'yaml-1.1',
    customTags: (tags) => tags.filter((tag) => typeof tag === 'string' || tag.format !== 'TIME'),
    logLevel: 'error',
  });
  const lineOf = (offset: number): number => counter.linePos(offset).line;
  const refusals: string[] = [];
  const policies: PolicyDocument[] = [];
  const kinds = new Set<string>();
  const refuse = (offset: number, message: string): number => refusals.push(`${source}:${lineOf(offset)}: ${message}`);
  for (const document of Array.isArray(documents) ? documents : []) {
    for (const { message, pos } of document.errors) {
      refuse(pos[0], `not valid YAML: ${message.split('\n')[0]?.replace(/ at line.*$/, '')}`);
    }
    if (document.errors.length > 0 || !document.contents) continue;
    let objects: Tree[] = [];
    try {
      objects = objectsIn(treeOf(document.contents, document));
    } catch (error) {
      if (!(error instanceof TreeError)) throw error;
      refuse(error.offset, `not valid YAML: ${error.message}`);
    }
    for (const object of objects) {
      const kind = kindOf(object);
      kinds.add(kind);
      if (kind !== WANTED) continue;
      const problems = problemsOf(object, defaultTimeZone);
      for (const { offset, path, message } of problems) refuse(offset, `${path}: ${message}`);
      if (problems.length > 0) continue;
      policies.push({ policy: object.value as ResourceLeasingPolicy, line: lineOf(object.offset) });
    }
  }
  if (refusals.length > 0) throw new Failure(refusals);
  if (policies.length === 0) {
    const seen = kinds.size > 0 ? `it holds ${[...kinds].join(', ')}` : 'it holds no object';
    throw new Failure(`${source}: no ${KIND} (apiVersion ${API_VERSION}); ${seen}`);
  }
  return policies;
}

const KIND = ResourceLeasingPolicies.kind;
const API_VERSION = `${ResourceLeasingPolicies.group}/${ResourceLeasingPolicies.version}`;
const WANTED = `${API_VERSION} ${KIND}`;

function kindOf(object: Tree): string {
  const version = fieldOf(object, 'apiVersion')?.value;
  const kind = fieldOf(object, 'kind')?.value;
  return `${String(version)} ${String(kind)}`;
}

/** The object itself, or those in it: `kubectl get -o yaml` gives a List. */
function objectsIn(tree: Tree): Tree[] {
  if (!tree.fields) return [];
  const items = fieldOf(tree, 'items')?.items;
  const kind = kindOf(tree);
  const isList = kind === 'v1 List' || kind === `${WANTED}List`;
  return isList && items ? items.flatMap((item) => objectsIn(item)) : [tree];
}

const schema = policyWith(policySchema.spec);

function problemsOf(object: Tree, defaultTimeZone: string): Problem[] {
  const found = checkTree(schema, object, '');
  const name = fieldOf(fieldOf(object, 'metadata'), 'name');
  const badName = typeof name?.value === 'string' ? nameProblem(name.value) : undefined;
  if (name && badName !== undefined) found.push({ offset: name.offset, path: 'metadata.name', message: badName });
  if (found.length > 0) return found;
  // What no schema can know, such as whether a zone exists.
  const problem = policyProblem((object.value as ResourceLeasingPolicy).spec, defaultTimeZone);
  const offset = fieldOf(object, 'spec')?.offset ?? object.offset;
  return problem === undefined ? [] : [{ offset, path: 'spec', message: problem }];
}

function fieldOf(tree: Tree | undefined, name: string): Tree | undefined {
  return tree?.fields?.find((field) => field.name === name)?.value;
}
