/**
 * A mount namespace of a test's own, with a claim and lent pods made by hand, and an agent run from source that has just
 * the rights of the worker chart there. Its clock is set by the test.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
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
import {
  ClusterRoleBindings,
  type Condition,
  Events,
  isNotFound,
  type KubeClient,
  type KubeObject,
  Leases,
  microTime,
  Namespaces,
  Pods,
  type Resource,
  RoleBindings,
  ServiceAccounts,
} from '@kubeocean/shared/kube';
import {
  cleanup,
  client,
  ClusterRoles,
  type ClusterName,
  kubeconfigOf,
  Roles,
  startProcess,
  type RunningProcess,
  uniqueName,
  waitFor,
} from '../harness/index.ts';

export const Budgets: Resource = {
  group: 'policy',
  version: 'v1',
  plural: 'poddisruptionbudgets',
  kind: 'PodDisruptionBudget',
  namespaced: true,
};

interface Rule {
  apiGroups: string[];
  resources: string[];
  resourceNames?: string[];
  verbs: string[];
}

type EventKind = 'Pod' | 'ResourceLeasingPolicy' | 'LeasedNode';

export interface PodShape {
  node: string;
  labels?: Record<string, string>;
  finalizers?: string[];
  graceSeconds?: number;
  /** What it requests. */
  cpu?: string;
}

export class Rig {
  readonly kubeconfig: string;
  readonly client: KubeClient;
  readonly name = uniqueName('reclaim');
  readonly folder = join(tmpdir(), this.name);
  private readonly clockFile = join(this.folder, 'clock');
  agent: RunningProcess | undefined;

  constructor(cluster: ClusterName) {
    this.kubeconfig = kubeconfigOf(cluster);
    this.client = client(cluster);
  }

  /**
   * Namespace, rights and tenants file. The chart must be installed in its default namespaces. A claim is made by hand
   * unless `claim` is false.
   */
  async setUp({ claim = true }: { claim?: boolean } = {}): Promise<void> {
    const { client, name } = this;
    mkdirSync(this.folder, { recursive: true });
    cleanup(() => rmSync(this.folder, { recursive: true }));
    await client.create(Namespaces, { metadata: { name } });
    cleanup(() => this.tearDown());
    // No pod is admitted before; a controller-manager whose API server was away may take its time.
    await waitFor('default ServiceAccount', () => client.get(ServiceAccounts, name, 'default'), { timeoutMs: 120_000 });
    await client.create(ServiceAccounts, { metadata: { namespace: name, name } });
    const role = await client.get<KubeObject & { rules: Rule[] }>(Roles, 'kubeocean-worker', 'kubeocean-agent');
    const wide = await client.get<KubeObject & { rules: Rule[] }>(ClusterRoles, '', 'kubeocean-agent');
    // Other tests may run their agents in this cluster: this one must not write into their policies.
    const rules = wide.rules.map((rule) =>
      rule.resources.includes('resourceleasingpolicies/status') ? { ...rule, resourceNames: [name] } : rule,
    );
    const subjects = [{ kind: 'ServiceAccount', name, namespace: name }];
    await client.create(Roles, { metadata: { namespace: name, name }, rules: role.rules });
    await client.create(ClusterRoles, { metadata: { name }, rules });
    const roleRef = { apiGroup: Roles.group, name };
    const metadata = { namespace: name, name };
    await client.create(RoleBindings, { metadata, subjects, roleRef: { ...roleRef, kind: 'Role' } });
    await client.create(ClusterRoleBindings, {
      metadata: { name },
      subjects,
      roleRef: { ...roleRef, kind: 'ClusterRole' },
    });
    const answer = await client.create<KubeObject & { status: { token: string } }>(
      ServiceAccounts,
      { metadata: { namespace: name, name }, spec: { expirationSeconds: 3600 } },
      { subresource: 'token' },
    );
    const admin = readFileSync(this.kubeconfig, 'utf8');
    const mine = admin.replace(/client-certificate-data: .*\n\s*client-key-data: .*/, `token: ${answer.status.token}`);
    writeFileSync(join(this.folder, 'kubeconfig'), mine, { mode: 0o600 });
    const tenants = [{ namespace: name, serviceAccount: 'kubeocean-syncer', bindings: [name] }];
    writeFileSync(join(this.folder, 'tenants.json'), JSON.stringify(tenants));
    if (!claim) return;
    await client.create(Leases, {
      metadata: {
        namespace: name,
        name: claimName(name),
        labels: { [Label.claim]: 'true', [Label.clusterBinding]: name },
        annotations: { [Annotation.nodeSelector]: '' },
      },
      spec: { holderIdentity: 'computing/binding', leaseDurationSeconds: 40 },
    });
  }

  private async tearDown(): Promise<void> {
    const { client, name } = this;
    await this.agent?.kill();
    const removals = [
      () => client.delete(ResourceLeasingPolicies, '', name),
      () => client.delete(ClusterRoleBindings, '', name),
      () => client.delete(ClusterRoles, '', name),
      async () => {
        for (const { metadata } of (await client.list(Pods, { namespace: name })).items)
          await this.letGo(metadata.name);
      },
      () => client.delete(Namespaces, '', name),
    ];
    for (const remove of removals) {
      await remove().catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
    }
  }

  /** Sets the agent's clock, which goes on from there. */
  setClock(time: string): void {
    writeFileSync(`${this.clockFile}.new`, time);
    renameSync(`${this.clockFile}.new`, this.clockFile);
  }

  async startAgent(...flags: string[]): Promise<RunningProcess> {
    const { folder, name } = this;
    this.agent = startProcess(
      'worker-agent',
      [
        `--kubeconfig=${folder}/kubeconfig`,
        `--tenants-file=${folder}/tenants.json`,
        `--test-clock-file=${this.clockFile}`,
        '--leader-elect=false',
        ...flags,
      ],
      { POD_NAME: name },
    );
    await this.agent.waitReady(60_000);
    return this.agent;
  }

  /** The syncer's sign of life. */
  async renewClaim(): Promise<void> {
    await this.client.patch(Leases, this.name, claimName(this.name), { spec: { renewTime: microTime(new Date()) } });
  }

  async setPolicy(spec: Partial<ResourceLeasingPolicySpec>): Promise<void> {
    const { client, name } = this;
    const policy = { metadata: { name }, spec: { cluster: name, ...spec } };
    await client.apply(ResourceLeasingPolicies, policy, 'reclaim-test');
  }

  policy(): Promise<ResourceLeasingPolicy> {
    return this.client.get<ResourceLeasingPolicy>(ResourceLeasingPolicies, '', this.name);
  }

  annotatePolicy(value: 'now' | null): Promise<KubeObject> {
    const metadata = { annotations: { [Annotation.reclaim]: value } };
    return this.client.patch(ResourceLeasingPolicies, '', this.name, { metadata });
  }

  async createPod(name: string, shape: PodShape): Promise<void> {
    const { node, labels, finalizers, graceSeconds = 1, cpu } = shape;
    const own = { [Label.clusterBinding]: this.name, [Label.managedBy]: 'kubeocean' };
    await this.client.create(Pods, {
      metadata: { namespace: this.name, name, labels: labels ?? own, ...(finalizers && { finalizers }) },
      spec: {
        nodeName: node,
        automountServiceAccountToken: false,
        terminationGracePeriodSeconds: graceSeconds,
        containers: [
          {
            name: 'main',
            image: 'kubeocean.local/pause:1',
            imagePullPolicy: 'Never',
            ...(cpu !== undefined && { resources: { requests: { cpu } } }),
          },
        ],
      },
    });
  }

  pod(name: string): Promise<KubeObject & { status: { phase: string; conditions?: Condition[] } }> {
    return this.client.get(Pods, this.name, name);
  }

  async running(name: string): Promise<void> {
    await waitFor(`${name} running`, async () => (await this.pod(name)).status.phase === 'Running', {
      timeoutMs: 120_000,
    });
  }

  /** Waits until the pod is no longer there. */
  async gone(name: string, timeoutMs = 60_000): Promise<void> {
    await waitFor(`${name} gone`, () => this.pod(name).then(() => false, isNotFound), { timeoutMs });
  }

  /** Takes the finalizers off, as the syncer does when home shows the end. */
  async letGo(name: string): Promise<void> {
    await this.client.patch(Pods, this.name, name, { metadata: { finalizers: null } }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }

  record(node: string): Promise<LeasedNode> {
    return this.client.get<LeasedNode>(LeasedNodes, this.name, `${this.name}.${node}`);
  }

  /** Waits until the record's status has these fields. */
  async becomes(node: string, expected: Record<string, unknown>, timeoutMs = 30_000): Promise<LeasedNode> {
    return waitFor(
      `${node} becoming ${JSON.stringify(expected)}`,
      async () => {
        const record = await this.record(node);
        const status: Record<string, unknown> = { ...record.status };
        for (const [field, value] of Object.entries(expected)) {
          if (status[field] !== value) throw new Error(JSON.stringify({ ...status, node: undefined }));
        }
        return record;
      },
      { timeoutMs },
    );
  }

  /** `reason: message` of the events on an object, in the namespace where they lie. */
  async events(kind: EventKind, name: string): Promise<string[]> {
    const list = await this.client.list<KubeObject & { reason: string; message: string }>(Events, {
      namespace: kind === 'ResourceLeasingPolicy' ? 'default' : this.name,
      fieldSelector: `involvedObject.kind=${kind},involvedObject.name=${name}`,
    });
    return list.items.map(({ reason, message }) => `${reason}: ${message}`);
  }

  async event(kind: EventKind, name: string, pattern: RegExp): Promise<string> {
    return waitFor(`event ${pattern} on ${kind} ${name}`, async () => {
      const events = await this.events(kind, name);
      const found = events.find((event) => pattern.test(event));
      if (found === undefined) throw new Error(events.join('\n') || 'no events');
      return found;
    });
  }
}
