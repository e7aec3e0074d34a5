/** The charts of this checkout as the real helm renders them, put into API servers of the tests' own where it is asked. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClusterBindings, LeasedNodes, LeaseGuards, ResourceLeasingPolicies } from '@kubeocean/shared/api';
import { run, type RunResult } from '../clusters/local/run.ts';
import { checkout } from '../clusters/paths.ts';
import type { ApiServer } from './api-server.ts';
import { kubectl, programPath } from './clusters.ts';
import { waitFor } from './wait.ts';

export type Chart = 'kubeocean' | 'kubeocean-worker';

const kindsOf = {
  kubeocean: [ClusterBindings],
  'kubeocean-worker': [LeasedNodes, LeaseGuards, ResourceLeasingPolicies],
};

/** The Kubernetes that charts are rendered for: that of the clusters here. */
const KUBERNETES = '1.34.4';

export interface RenderOptions {
  /** Values as text, `agent.replicas=0`. */
  set?: readonly string[];
  /** Values by their top-level names, of any shape. */
  values?: Record<string, unknown>;
  /** A file of values. */
  valuesFile?: string;
  /** Only these templates, by their names without the ending. */
  only?: readonly string[];
  /** Namespace of the release. */
  namespace?: string;
  /** Give the result back whatever the exit code. */
  anyExit?: boolean;
}

/** What `helm template` says; no cluster is needed. @throws Error in helm's words when it fails, unless `anyExit`. */
export function helmTemplate(chart: Chart, options: RenderOptions = {}): Promise<RunResult> {
  const { set = [], values = {}, valuesFile, only = [], namespace, anyExit = false } = options;
  const args = [
    `--kube-version=${KUBERNETES}`,
    ...(namespace === undefined ? [] : ['--namespace', namespace]),
    ...only.map((name) => `--show-only=templates/${name}.yaml`),
    ...(valuesFile === undefined ? [] : [`--values=${valuesFile}`]),
    ...set.flatMap((value) => ['--set', value]),
    ...Object.entries(values).flatMap(([name, value]) => ['--set-json', `${name}=${JSON.stringify(value)}`]),
  ];
  return run([programPath('helm'), 'template', chart, join(checkout, 'charts', chart), ...args], { anyExit });
}

/** The YAML of a chart. @throws Error in helm's words. */
export async function rendered(chart: Chart, options: Omit<RenderOptions, 'anyExit'> = {}): Promise<string> {
  return (await helmTemplate(chart, options)).stdout;
}

/**
 * Puts a whole chart into an API server of a test's own. Kinds and namespaces come before what needs them, so it is
 * applied until all is in, and its kinds are served. @returns the file of what was applied
 */
export async function applyChart(server: ApiServer, chart: Chart, ...set: string[]): Promise<string> {
  const file = join(server.folder, `${chart}.yaml`);
  writeFileSync(file, await rendered(chart, { set }));
  await waitFor(
    `the chart ${chart} applied`,
    () => kubectl(server.kubeconfig as `/${string}`, ['apply', '--server-side', '-f', file]),
    { timeoutMs: 60_000 },
  );
  // An API server serves a kind a moment after it was made.
  const admin = server.client();
  for (const kind of kindsOf[chart]) {
    await waitFor(`${kind.plural} served`, () => admin.list(kind), { timeoutMs: 60_000 });
  }
  return file;
}
