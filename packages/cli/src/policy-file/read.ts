/** Reads ResourceLeasingPolicies out of YAML or JSON text, and says by line what is wrong with them. Pure. */
import { policySchema, ResourceLeasingPolicies, type ResourceLeasingPolicy } from '@kubeocean/shared/api';
import { policyProblem } from '@kubeocean/shared/lease';
import { type Document, isMap, LineCounter, type Node, parseAllDocuments } from 'yaml';
import { Failure } from '../failure.ts';
import { checkNode, type Problem } from './check.ts';

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
    merge: true,
    logLevel: 'error',
  });
  const lineOf = (offset: number): number => counter.linePos(offset).line;
  const refusals: string[] = [];
  const policies: PolicyDocument[] = [];
  const kinds = new Set<string>();
  for (const document of Array.isArray(documents) ? documents : []) {
    for (const { message, pos } of document.errors) {
      refusals.push(
        `${source}:${lineOf(pos[0])}: not valid YAML: ${message.split('\n')[0]?.replace(/ at line.*$/, '')}`,
      );
    }
    const root = document.contents;
    if (document.errors.length > 0 || !isMap(root)) continue;
    const { resource, apiVersion } = wanted;
    const [version, kind] = [String(root.get('apiVersion')), String(root.get('kind'))];
    kinds.add(`${version} ${kind}`);
    if (kind !== resource.kind || version !== apiVersion) continue;
    const line = lineOf(root.range?.[0] ?? 0);
    const problems = problemsOf(document);
    refusals.push(...problems.map(({ offset, path, message }) => `${source}:${lineOf(offset)}: ${path}: ${message}`));
    if (problems.length > 0) continue;
    const policy = document.toJSON() as ResourceLeasingPolicy;
    // What no schema can know, such as whether a zone exists.
    const problem = policyProblem(policy.spec, defaultTimeZone);
    if (problem === undefined) policies.push({ policy, line });
    else refusals.push(`${source}:${lineOf(offsetOf(root.get('spec', true)))}: spec: ${problem}`);
  }
  if (refusals.length > 0) throw new Failure(refusals.join('\n'));
  if (policies.length === 0) {
    const seen = kinds.size > 0 ? `it holds ${[...kinds].join(', ')}` : 'it holds no object';
    throw new Failure(`${source}: no ${wanted.resource.kind} (apiVersion ${wanted.apiVersion}); ${seen}`);
  }
  return policies;
}

const wanted = {
  resource: ResourceLeasingPolicies,
  apiVersion: `${ResourceLeasingPolicies.group}/${ResourceLeasingPolicies.version}`,
};

function problemsOf(document: Document.Parsed): Problem[] {
  const root = document.contents as Node;
  const offset = offsetOf(root);
  const name = document.getIn(['metadata', 'name']);
  const found: Problem[] = [];
  if (typeof name !== 'string' || name === '') found.push({ offset, path: 'metadata.name', message: 'Required value' });
  const spec = document.get('spec', true) as Node | undefined;
  if (!spec) return [...found, { offset, path: 'spec', message: 'Required value' }];
  return [...found, ...checkNode(policySchema.spec, spec, 'spec')];
}

function offsetOf(node: Node | undefined): number {
  return node?.range?.[0] ?? 0;
}
