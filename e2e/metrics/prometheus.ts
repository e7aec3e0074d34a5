/** What Prometheus makes of a vnode: its own parsers, and a real server that scrapes as docs/proxier.md says. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeClient, KubeObject } from '@kubeocean/shared/kube';
import { ensureProgram, stateRoot } from '../clusters/index.ts';
import { run } from '../clusters/local/run.ts';
import { checkout } from '../clusters/paths.ts';
import { startChild } from '../harness/child.ts';
import { cleanup, waitFor } from '../harness/index.ts';
import { freePort } from '../harness/ports.ts';

export interface Parsed {
  /** Type of each family with samples. */
  families: Record<string, string>;
  samples: number;
  /** Samples of no TYPE. */
  untyped: number;
  /** Series that are there twice. */
  doubled: string[];
}

let program: Promise<string> | undefined;

/** Has the parsers' program built. */
export function buildParsers(): Promise<string> {
  return (program ??= ensureProgram('exposition', stateRoot(), (line) => console.log(line)));
}

/** Reads an exposition as Prometheus and its client libraries do. @throws Error in the parser's words. */
export async function parseExposition(text: string): Promise<Parsed> {
  const { stdout } = await run([await buildParsers()], { input: text });
  return JSON.parse(stdout) as Parsed;
}

/** The scrape configuration in the document, word for word. */
function documentedJob(): string {
  const text = readFileSync(join(checkout, 'docs/proxier.md'), 'utf8');
  const job = /```yaml\nscrape_configs:\n([^]*?)```/.exec(text)?.[1];
  if (job === undefined) throw new Error('docs/proxier.md has no scrape_configs');
  return job;
}

interface NodeParts {
  status?: {
    addresses?: { type: string; address: string }[];
    daemonEndpoints?: { kubeletEndpoint?: { Port: number } };
  };
}

/** Nodes as Prometheus' own discovery (`role: node`) gives them: address, name, and the label that the job selects by. */
function discovered(nodes: readonly KubeObject[]): string {
  return JSON.stringify(
    nodes.map((node) => {
      const { addresses, daemonEndpoints } = (node as KubeObject & NodeParts).status ?? {};
      const address = addresses?.find(({ type }) => type === 'InternalIP')?.address;
      const { name, labels } = node.metadata;
      return {
        targets: [`${address}:${daemonEndpoints?.kubeletEndpoint?.Port}`],
        labels: { instance: name, __meta_kubernetes_node_label_type: labels?.['type'] ?? '' },
      };
    }),
  );
}

/**
 * The documented job for each path, asking every second. Where files lie differs, as it runs outside of the cluster; and
 * it is told of the nodes: Debian builds Prometheus without its discovery in Kubernetes.
 */
function configOf(paths: readonly string[], files: CredentialFiles, nodes: readonly KubeObject[]): string {
  const replaced = (job: string, pattern: RegExp, by: string) => {
    if (!pattern.test(job)) throw new Error(`docs/proxier.md: the job has no ${String(pattern)}`);
    return job.replace(pattern, by);
  };
  const jobs = paths.map((path) => {
    let job = documentedJob();
    job = replaced(job, /job_name: \w+/, `job_name: ${path}`);
    job = replaced(job, /metrics_path: \S+/, `metrics_path: ${path}`);
    job = replaced(job, /credentials_file: [^\s}]+/, `credentials_file: ${files.token}`);
    job = replaced(job, /ca_file: [^\s}]+/, `ca_file: ${files.ca}`);
    return replaced(job, /kubernetes_sd_configs: \[\{role: node\}\]/, `static_configs: ${discovered(nodes)}`);
  });
  return `global: {scrape_interval: 1s}\nscrape_configs:\n${jobs.join('')}`;
}

export interface CredentialFiles {
  token: string;
  ca: string;
}

/** What a pod finds in its file system. */
export function credentialFiles(folder: string, { transport }: KubeClient, token: string): CredentialFiles {
  const files = { token: join(folder, 'token'), ca: join(folder, 'ca.crt') };
  writeFileSync(files.token, token, { mode: 0o600 });
  writeFileSync(files.ca, String(transport.authority));
  return files;
}

export interface Target {
  labels: Record<string, string>;
  health: string;
  lastError: string;
}

export interface Prometheus {
  targets(): Promise<Target[]>;
  /** The series that a PromQL expression gives now. */
  query(expression: string): Promise<{ metric: Record<string, string>; value: number }[]>;
}

/** Starts Prometheus with the documented job, once for each path, for these nodes. Ends with the file. */
export async function startPrometheus(
  program: string,
  folder: string,
  files: CredentialFiles,
  paths: readonly string[],
  nodes: readonly KubeObject[],
): Promise<Prometheus> {
  const config = join(folder, 'prometheus.yaml');
  writeFileSync(config, configOf(paths, files, nodes));
  const port = await freePort();
  const child = startChild([
    program,
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(folder, 'prometheus')}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
  cleanup(() => child.stop());

  async function get<T>(path: string): Promise<T> {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    const answer = (await response.json()) as { status: string; data: T; error?: string };
    if (answer.status !== 'success') throw new Error(answer.error);
    return answer.data;
  }

  const ready = async () => child.exit !== undefined || (await fetch(`http://127.0.0.1:${port}/-/ready`)).ok;
  await waitFor('Prometheus', ready, { timeoutMs: 60_000, everyMs: 200 });
  if (child.exit !== undefined) throw new Error(`Prometheus ended:\n${child.lines.slice(-20).join('\n')}`);
  return {
    targets: async () => (await get<{ activeTargets: Target[] }>('/api/v1/targets?state=active')).activeTargets,
    async query(expression) {
      const { result } = await get<{ result: { metric: Record<string, string>; value: [number, string] }[] }>(
        `/api/v1/query?query=${encodeURIComponent(expression)}`,
      );
      return result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
    },
  };
}
