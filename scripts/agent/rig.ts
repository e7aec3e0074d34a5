/**
 * An agent beside a mount namespace and a policy of a script's own, without any computing cluster: the claim is made by
 * hand and nobody renews it. The worker chart must be installed there, with agent.replicas=0: another agent would speak of
 * the same policies.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import {
  claimName,
  Label,
  type LeasedNode,
  LeasedNodes,
  ResourceLeasingPolicies,
  type ResourceLeasingPolicySpec,
} from '@kubeocean/shared/api';
import {
  isAlreadyExists,
  isNotFound,
  KubeClient,
  kubeconfigFile,
  Leases,
  Namespaces,
  Transport,
} from '@kubeocean/shared/kube';
import { nodeFlags } from '../bundle.ts';
import { LOCAL } from '../tutorial.ts';
import { freePort } from '../../e2e/harness/ports.ts';

const ROOT = resolve(import.meta.dirname, '../..');

/** Of the set of clusters on this machine. */
export const WORKER_KUBECONFIG = `${LOCAL}/worker-1.kubeconfig`;

/** Waits until `look` is true. @throws Error after half an hour */
export async function until(what: string, look: () => Promise<boolean>, everyMs = 100): Promise<void> {
  const timeoutMs = 1_800_000;
  const deadline = performance.now() + timeoutMs;
  while (!(await look())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${timeoutMs / 60_000} min`);
    await after(everyMs);
  }
}

/** Calls `work` with 0 to `count` - 1, 32 at a time. */
export async function each(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  async function worker(): Promise<void> {
    for (let index = next++; index < count; index = next++) await work(index);
  }
  await Promise.all(Array.from({ length: 32 }, worker));
}

export class AgentRig {
  /** Of the binding, the mount namespace and the policy. */
  readonly name: string;
  readonly client: KubeClient;
  private readonly kubeconfig: string;
  private readonly folder: string;
  private agent: ChildProcess | undefined;
  private metricsPort = 0;

  constructor(name: string, kubeconfig: string) {
    this.name = name;
    this.kubeconfig = kubeconfig;
    this.client = new KubeClient(new Transport(kubeconfigFile(kubeconfig, { trust: 'trusted' })));
    this.folder = mkdtempSync(join(tmpdir(), `${name}-`));
  }

  async makeNamespace(name = this.name): Promise<void> {
    await this.client.create(Namespaces, { metadata: { name } }).catch((error: unknown) => {
      if (!isAlreadyExists(error)) throw error;
    });
  }

  /** Claim and policy; the namespace is there. */
  async makePolicy(spec: Partial<ResourceLeasingPolicySpec> = {}): Promise<void> {
    const { client, name } = this;
    const labels = { [Label.claim]: 'true', [Label.clusterBinding]: name };
    const claim = { namespace: name, name: claimName(name), labels };
    await client.create(Leases, { metadata: claim, spec: { holderIdentity: 'nobody', leaseDurationSeconds: 40 } });
    await client.create(ResourceLeasingPolicies, { metadata: { name }, spec: { cluster: name, ...spec } });
  }

  /** @param main what to run: from source, or a bundle as the image holds it */
  async startAgent({ main, flags = [] }: { main?: string; flags?: readonly string[] } = {}): Promise<void> {
    await this.stopAgent();
    const tenants = [{ namespace: this.name, serviceAccount: 'none', bindings: [this.name] }];
    writeFileSync(join(this.folder, 'tenants.json'), JSON.stringify(tenants));
    this.metricsPort = await freePort();
    this.agent = spawn(
      join(ROOT, 'node_modules/.bin/node'),
      [
        ...(main === undefined ? [join(ROOT, 'packages/worker-agent/src/main.ts')] : [...nodeFlags, main]),
        `--kubeconfig=${this.kubeconfig}`,
        `--tenants-file=${this.folder}/tenants.json`,
        '--leader-elect=false',
        '--log-level=error',
        `--metrics-bind-address=127.0.0.1:${this.metricsPort}`,
        '--health-probe-bind-address=127.0.0.1:0',
        '--stats-bind-address=127.0.0.1:0',
        ...flags,
      ],
      { stdio: ['ignore', 'inherit', 'inherit'] },
    );
  }

  get pid(): number {
    if (this.agent?.pid === undefined || this.agent.exitCode !== null) throw new Error('the agent does not run');
    return this.agent.pid;
  }

  async stopAgent(): Promise<void> {
    const { agent } = this;
    this.agent = undefined;
    if (!agent || agent.exitCode !== null) return;
    const ended = once(agent, 'exit');
    agent.kill();
    await ended;
  }

  async records(): Promise<LeasedNode[]> {
    return (await this.client.list<LeasedNode>(LeasedNodes, { namespace: this.name })).items;
  }

  /** Resident memory in MB: now (VmRSS), or at most (VmHWM). */
  memoryMB(field: 'VmRSS' | 'VmHWM'): number {
    const text = readFileSync(`/proc/${this.pid}/status`, 'latin1');
    return (Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]) * 1024) / 1e6;
  }

  /** Objects that the agent has written since it started. */
  async writes(): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.metricsPort}/metrics`)).text();
    return Number(/^kubeocean_agent_writes_total (\S+)$/m.exec(text)?.[1] ?? Number.NaN);
  }

  /** Ends the agent and takes away what was made, with further namespaces. */
  async clear(...namespaces: string[]): Promise<void> {
    await this.stopAgent();
    const { client, name } = this;
    const removals = [
      () => client.delete(ResourceLeasingPolicies, '', name),
      ...[name, ...namespaces].map((namespace) => () => client.delete(Namespaces, '', namespace)),
    ];
    for (const remove of removals) {
      await remove().catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
