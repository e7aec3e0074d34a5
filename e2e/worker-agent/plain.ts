/**
 * An API server with the worker chart's own kinds and rights, where nodes and pods are plain objects: the agent reads
 * nothing else of them. Agents run from source with the token of their ServiceAccount.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  Annotation,
  claimName,
  Label,
  type LeasedNode,
  LeasedNodes,
  ResourceLeasingPolicies,
  type ResourceLeasingPolicy,
  type ResourceLeasingPolicySpec,
} from '@kubeocean/shared/api';
import { type KubeClient, type KubeObject, Leases, Nodes, Pods, ServiceAccounts } from '@kubeocean/shared/kube';
import { expect } from 'vitest';
import {
  type ApiServer,
  applyChart,
  type RunningProcess,
  startApiServer,
  startProcess,
  waitFor,
} from '../harness/index.ts';

export const mount = 'kubeocean-worker';
export const binding = 'example-cluster';

export const selectsWorkers = {
  nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubeocean.io/role', operator: 'In', values: ['worker'] }] }],
} satisfies ResourceLeasingPolicySpec['nodeSelector'];

export class PlainCluster {
  server!: ApiServer;
  client!: KubeClient;
  /** Of tenants beside the usual one; each must be in the chart's values as well. */
  otherMounts: string[] = [];

  /** Two nodes; nothing else. @param values of the chart, such as `agent.timeZone=UTC` */
  async setUp(...values: string[]): Promise<void> {
    this.server = await startApiServer();
    this.client = this.server.client();
    await applyChart(this.server, 'kubeocean-worker', ...values);
    for (const name of ['node1', 'node2']) await this.createNode(name);
  }

  /** An agent with just the rights of the chart, ready. */
  async startAgent(name: string): Promise<RunningProcess> {
    const started = await this.launchAgent(name);
    await started.waitReady(90_000);
    return started;
  }

  async launchAgent(name: string): Promise<RunningProcess> {
    const request = {
      metadata: { namespace: 'kubeocean-agent', name: 'kubeocean-agent' },
      spec: { expirationSeconds: 3600 },
    };
    const answer = await this.client.create<KubeObject & { status: { token: string } }>(ServiceAccounts, request, {
      subresource: 'token',
    });
    const folder = join(this.server.folder, name);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'kubeconfig'), this.server.kubeconfigFor({ token: answer.status.token }));
    const tenants = [mount, ...this.otherMounts];
    writeFileSync(
      join(folder, 'tenants.json'),
      JSON.stringify(tenants.map((namespace) => ({ namespace, serviceAccount: 'kubeocean-syncer', bindings: ['*'] }))),
    );
    return startProcess(
      'worker-agent',
      [
        `--kubeconfig=${folder}/kubeconfig`,
        `--tenants-file=${folder}/tenants.json`,
        '--leader-election-id=kubeocean-agent-leader',
        '--leader-election-namespace=kubeocean-agent',
      ],
      { POD_NAME: name },
    );
  }

  async createNode(name: string, labels: Record<string, string> = {}): Promise<void> {
    await this.client.create(Nodes, {
      metadata: { name, labels: { 'kubeocean.io/role': 'worker', ...labels } },
      spec: {},
      status: {
        capacity: { cpu: '8', memory: '32Gi', pods: '110' },
        allocatable: { cpu: '8', memory: '32Gi', pods: '110' },
        addresses: [{ type: 'InternalIP', address: '10.1.2.3' }],
        conditions: [
          {
            type: 'Ready',
            status: 'True',
            reason: 'KubeletReady',
            message: 'ready',
            lastHeartbeatTime: '2026-01-01T00:00:00Z',
            lastTransitionTime: '2026-01-01T00:00:00Z',
          },
        ],
      },
    });
  }

  async createPod(namespace: string, name: string, nodeName: string, cpu: string, labels = {}): Promise<void> {
    await this.client.create(Pods, {
      metadata: { namespace, name, labels },
      spec: {
        nodeName,
        automountServiceAccountToken: false,
        containers: [{ name: 'c', image: 'none', resources: { requests: { cpu, memory: '1Gi' } } }],
      },
    });
  }

  async deletePod(namespace: string, name: string): Promise<void> {
    await this.client.delete(Pods, namespace, name, { gracePeriodSeconds: 0 });
  }

  async createPolicy(name: string, spec: Partial<ResourceLeasingPolicySpec> = {}): Promise<void> {
    await this.client.create(ResourceLeasingPolicies, {
      metadata: { name },
      spec: { cluster: binding, nodeSelector: selectsWorkers, ...spec },
    });
  }

  patchPolicy(name: string, spec: object): Promise<KubeObject> {
    return this.client.patch(ResourceLeasingPolicies, '', name, { spec });
  }

  /** As a syncer claims. */
  async createClaim(annotations: Record<string, string> = {}): Promise<void> {
    await this.client.create(Leases, {
      metadata: {
        namespace: mount,
        name: claimName(binding),
        labels: { [Label.claim]: 'true', [Label.clusterBinding]: binding },
        annotations: { [Annotation.nodeSelector]: JSON.stringify(selectsWorkers), ...annotations },
      },
      spec: { holderIdentity: 'computing/binding', leaseDurationSeconds: 40, renewTime: '2026-01-01T00:00:00.000000Z' },
    });
  }

  record(node = 'node1'): Promise<LeasedNode> {
    return this.client.get<LeasedNode>(LeasedNodes, mount, `${binding}.${node}`);
  }

  policy(name = 'example-policy'): Promise<ResourceLeasingPolicy> {
    return this.client.get<ResourceLeasingPolicy>(ResourceLeasingPolicies, '', name);
  }

  async versions(): Promise<string[]> {
    const records = await this.client.list<LeasedNode>(LeasedNodes, { namespace: mount });
    const policies = await this.client.list(ResourceLeasingPolicies);
    return [...records.items, ...policies.items].map(({ metadata }) => `${metadata.name}@${metadata.resourceVersion}`);
  }
}

/** Waits until `read` looks like `expected`; gives the milliseconds it took. */
export async function becomes(read: () => Promise<KubeObject>, expected: object, timeoutMs = 60_000): Promise<number> {
  const started = performance.now();
  const what = JSON.stringify(expected).slice(0, 200);
  async function look(): Promise<boolean> {
    expect(await read()).toMatchObject(expected);
    return true;
  }
  await waitFor(`becoming ${what}`, look, { timeoutMs, everyMs: 20 });
  return performance.now() - started;
}

/** A number in the agent's metrics. */
export async function metric(agent: RunningProcess, name: string): Promise<number> {
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(await metricsOf(agent))?.[1] ?? Number.NaN);
}

/** All of the agent's metrics, as text. */
export async function metricsOf(agent: RunningProcess): Promise<string> {
  return (await fetch(`${await agent.metrics()}/metrics`)).text();
}
