/** What the charts render, by the real helm; no cluster is needed. */
import { run } from '../clusters/local/run.ts';
import { type Chart, programPath, rendered, type RenderOptions } from '../harness/index.ts';

export interface Rule {
  apiGroups: string[];
  resources: string[];
  resourceNames?: string[];
  verbs: string[];
}

export interface Rendered {
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  rules?: Rule[];
  subjects?: { kind: string; name: string; namespace?: string }[];
  roleRef?: { kind: string; name: string };
  data?: Record<string, string>;
  spec?: { replicas?: number; template?: { spec: PodSpec } };
  [field: string]: unknown;
}

export interface PodSpec {
  serviceAccountName: string;
  priorityClassName?: string;
  securityContext: Record<string, unknown>;
  affinity: Record<string, unknown>;
  containers: { image: string; imagePullPolicy: string; args: string[]; securityContext: Record<string, unknown> }[];
  volumes: Record<string, unknown>[];
}

/** The objects of a chart; kubectl reads the YAML, as it would to apply it. */
export function render(chart: Chart, ...set: string[]): Promise<Rendered[]> {
  return renderWith(chart, { set });
}

/** The same, with values of any shape. */
export async function renderWith(chart: Chart, options: RenderOptions): Promise<Rendered[]> {
  const input = await rendered(chart, options);
  const { stdout: json } = await run(
    [programPath('kubectl'), 'patch', '--local', '--type=merge', '-p', '{}', '-f', '-', '-o', 'json'],
    { input },
  );
  // kubectl prints one object after the other.
  const objects = JSON.parse(`[${json.trim().replaceAll(/^\}\n\{$/gm, '},\n{')}]`) as (Rendered & {
    items?: Rendered[];
  })[];
  return objects.flatMap((object) => object.items ?? [object]);
}

export function find(objects: Rendered[], kind: string, name: string, namespace?: string): Rendered {
  const found = objects.filter(
    (object) => object.kind === kind && object.metadata.name === name && object.metadata.namespace === namespace,
  );
  if (found.length !== 1) throw new Error(`${found.length} objects ${kind} ${namespace ?? ''}/${name} instead of 1`);
  return found[0] as Rendered;
}

export function podSpec(deployment: Rendered): PodSpec {
  const spec = deployment.spec?.template?.spec;
  if (!spec) throw new Error(`${deployment.kind} ${deployment.metadata.name} has no pods`);
  return spec;
}

/** All rules bound to a ServiceAccount cluster-wide, or in a namespace. */
export function rightsOf(objects: Rendered[], account: string, namespace?: string): Rule[] {
  const kind = namespace === undefined ? 'ClusterRoleBinding' : 'RoleBinding';
  return objects
    .filter((object) => object.kind === kind && object.metadata.namespace === namespace)
    .filter(({ subjects }) =>
      subjects?.some((subject) => subject.kind === 'ServiceAccount' && subject.name === account),
    )
    .flatMap(({ roleRef }) => {
      if (!roleRef) return [];
      return find(objects, roleRef.kind, roleRef.name, roleRef.kind === 'Role' ? namespace : undefined).rules ?? [];
    });
}

export function verbsOn(rules: Rule[], resource: string): string[] {
  return rules
    .filter(({ resources }) => resources.includes(resource) || resources.includes('*'))
    .flatMap(({ verbs }) => verbs)
    .toSorted();
}
