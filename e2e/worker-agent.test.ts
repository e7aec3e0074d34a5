/**
 * The worker agent against a real API server with the worker chart's own kinds and rights. Nodes and pods are plain
 * objects here: the agent reads nothing else of them. It runs from source with the token of its ServiceAccount.
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
import {
  isNotFound,
  type KubeClient,
  type KubeObject,
  Leases,
  Nodes,
  Pods,
  RoleBindings,
  ServiceAccounts,
} from '@kubeocean/shared/kube';
import { beforeAll, describe, expect, test } from 'vitest';
import { checkout } from './clusters/paths.ts';
import { run } from './clusters/local/run.ts';
import {
  type ApiServer,
  kubectl,
  programPath,
  type RunningProcess,
  startApiServer,
  startProcess,
  waitFor,
} from './harness/index.ts';

const mount = 'kubeocean-worker';
const binding = 'example-cluster';

let server: ApiServer;
let client: KubeClient;
let agent: RunningProcess;

beforeAll(async () => {
  server = await startApiServer();
  client = server.client();
  const chart = await run([
    programPath('helm'),
    'template',
    '--kube-version=1.34.4',
    'kubeocean-worker',
    join(checkout, 'charts/kubeocean-worker'),
  ]);
  const file = join(server.folder, 'chart.yaml');
  writeFileSync(file, chart.stdout);
  // Kinds and namespaces come before what needs them: applied until all is in.
  await waitFor('the chart applied', async () =>
    kubectl(server.kubeconfig as `/${string}`, ['apply', '--server-side', '-f', file]),
  );
  for (const name of ['node1', 'node2']) await createNode(name);
  agent = await startAgent('a');
});

/** An agent with just the rights of the chart, ready. */
async function startAgent(name: string): Promise<RunningProcess> {
  const started = await launchAgent(name);
  await started.waitReady();
  return started;
}

async function launchAgent(name: string): Promise<RunningProcess> {
  const request = {
    metadata: { namespace: 'kubeocean-agent', name: 'kubeocean-agent' },
    spec: { expirationSeconds: 3600 },
  };
  const answer = await client.create<KubeObject & { status: { token: string } }>(ServiceAccounts, request, {
    subresource: 'token',
  });
  const folder = join(server.folder, name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'kubeconfig'), server.kubeconfigFor({ token: answer.status.token }));
  const tenants = [{ namespace: mount, serviceAccount: 'kubeocean-syncer', bindings: ['*'] }];
  writeFileSync(join(folder, 'tenants.json'), JSON.stringify(tenants));
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

async function createNode(name: string, labels: Record<string, string> = {}): Promise<void> {
  await client.create(Nodes, {
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

async function createPod(namespace: string, name: string, nodeName: string, cpu: string, labels = {}): Promise<void> {
  await client.create(Pods, {
    metadata: { namespace, name, labels },
    spec: {
      nodeName,
      automountServiceAccountToken: false,
      containers: [{ name: 'c', image: 'none', resources: { requests: { cpu, memory: '1Gi' } } }],
    },
  });
}

async function deletePod(namespace: string, name: string): Promise<void> {
  await client.delete(Pods, namespace, name, { gracePeriodSeconds: 0 });
}

const selectsWorkers = {
  nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubeocean.io/role', operator: 'In', values: ['worker'] }] }],
} satisfies ResourceLeasingPolicySpec['nodeSelector'];

async function createPolicy(name: string, spec: Partial<ResourceLeasingPolicySpec> = {}): Promise<void> {
  await client.create(ResourceLeasingPolicies, {
    metadata: { name },
    spec: { cluster: binding, nodeSelector: selectsWorkers, ...spec },
  });
}

function patchPolicy(name: string, spec: object): Promise<KubeObject> {
  return client.patch(ResourceLeasingPolicies, '', name, { spec });
}

async function createClaim(): Promise<void> {
  await client.create(Leases, {
    metadata: {
      namespace: mount,
      name: claimName(binding),
      labels: { [Label.claim]: 'true', [Label.clusterBinding]: binding },
      annotations: { [Annotation.nodeSelector]: JSON.stringify(selectsWorkers) },
    },
    spec: { holderIdentity: 'computing/binding', leaseDurationSeconds: 40, renewTime: '2026-01-01T00:00:00.000000Z' },
  });
}

function record(node = 'node1'): Promise<LeasedNode> {
  return client.get<LeasedNode>(LeasedNodes, mount, `${binding}.${node}`);
}

function policy(name = 'example-policy'): Promise<ResourceLeasingPolicy> {
  return client.get<ResourceLeasingPolicy>(ResourceLeasingPolicies, '', name);
}

/** Waits until `read` looks like `expected`; gives the milliseconds it took. */
async function becomes(read: () => Promise<KubeObject>, expected: object, timeoutMs = 10_000): Promise<number> {
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
async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${await agent.metrics()}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
}

async function versions(): Promise<string[]> {
  const records = await client.list<LeasedNode>(LeasedNodes, { namespace: mount });
  const policies = await client.list(ResourceLeasingPolicies);
  return [...records.items, ...policies.items].map(({ metadata }) => `${metadata.name}@${metadata.resourceVersion}`);
}

describe('the worker agent', () => {
  test('without a claim lends nothing, and the policy says what is missing', async () => {
    await createPolicy('example-policy', {
      resourceLimits: [
        { resource: 'cpu', quantity: '4', percent: 80 },
        { resource: 'memory', percent: 90 },
      ],
    });
    await becomes(policy, { status: { phase: 'Pending', nodes: 0, reason: 'NotClaimed', activeTimeWindow: true } });
    const message = (await policy()).status?.conditions?.find(({ type }) => type === 'Leased')?.message;
    expect(message).toMatch(/no computing cluster claims "example-cluster"; create a ClusterBinding.*kubeocean-worker/);
    expect((await client.list(LeasedNodes)).items).toEqual([]);
  });

  test('shows a sign of life in the mount namespace', async () => {
    await becomes(() => client.get(Leases, mount, 'kubeocean-agent'), {
      spec: { holderIdentity: 'a', leaseDurationSeconds: 40 },
    });
  });

  test('lends, once claimed, the smaller of quantity and percent of each node', async () => {
    await createClaim();
    const status = {
      phase: 'Active',
      policy: 'example-policy',
      allocatable: { cpu: '4', memory: '30923764531', pods: '110' },
      node: {
        innerIP: '10.1.2.3',
        labels: { 'kubeocean.io/role': 'worker' },
        conditions: [{ type: 'Ready', status: 'True' }],
      },
    };
    await becomes(() => record('node1'), { spec: { cluster: binding, nodeName: 'node1' }, status });
    await becomes(() => record('node2'), { spec: { nodeName: 'node2' }, status });
    await becomes(policy, { status: { phase: 'Active', nodes: 2, reason: 'NodesLent' } });
  });

  test('gives way to a native pod within 2 s, and takes back what it leaves', async () => {
    await createPod('default', 'native', 'node1', '5');
    expect(await becomes(record, { status: { allocatable: { cpu: '2400m', pods: '109' } } })).toBeLessThan(2000);
    await deletePod('default', 'native');
    expect(await becomes(record, { status: { allocatable: { cpu: '4', pods: '110' } } })).toBeLessThan(2000);
  });

  test('does not shrink by pods that are lent', async () => {
    await createPod(mount, 'lent', 'node1', '3', { [Label.clusterBinding]: binding });
    await createPod('default', 'marker', 'node1', '7');
    await becomes(record, { status: { allocatable: { cpu: '800m', pods: '109' } } });
    await deletePod('default', 'marker');
    await becomes(record, { status: { allocatable: { cpu: '4', pods: '110' } } });
    await deletePod(mount, 'lent');
  });

  test('takes a burst of 200 pods with a handful of allocations', async () => {
    const before = await metric('kubeocean_agent_allocations_total');
    const names = Array.from({ length: 200 }, (_, index) => `burst-${index}`);
    const started = performance.now();
    await Promise.all(names.map((name) => createPod('default', name, 'node2', '1m')));
    await Promise.all(names.map((name) => deletePod('default', name)));
    await becomes(() => record('node2'), { status: { allocatable: { cpu: '4', pods: '110' } } });
    const seconds = (performance.now() - started) / 1000;
    expect((await metric('kubeocean_agent_allocations_total')) - before).toBeLessThan(5 * seconds + 5);
  });

  test('shows a cordon and a taint within 2 s, and none of Kubernetes’ own taints', async () => {
    const taints = [{ key: 'dedicated', value: 'x', effect: 'NoSchedule' }];
    await client.patch(Nodes, '', 'node1', {
      spec: { unschedulable: true, taints: [...taints, { key: 'node.kubernetes.io/x', effect: 'NoSchedule' }] },
    });
    expect(await becomes(record, { status: { unschedulable: true, taints } })).toBeLessThan(2000);
    await client.patch(Nodes, '', 'node1', { spec: { unschedulable: null, taints: null } });
    await becomes(record, { status: { taints: [] } });
    expect((await record()).status?.unschedulable).toBeUndefined();
  });

  test('writes nothing for heartbeats of nodes, nor for renewals of the claim', async () => {
    const before = await versions();
    const beat = { type: 'Ready', status: 'True', lastHeartbeatTime: '2026-01-02T00:00:00Z' };
    await client.patch(
      Nodes,
      '',
      'node1',
      { status: { conditions: [beat] } },
      { subresource: 'status', type: 'strategic' },
    );
    await client.patch(Leases, mount, claimName(binding), { spec: { renewTime: '2026-01-02T00:00:00.000000Z' } });
    // What follows is seen after these, so when it shows, they have been dealt with.
    await client.patch(Nodes, '', 'node2', { metadata: { labels: { marker: 'x' } } });
    await becomes(() => record('node2'), { status: { node: { labels: { marker: 'x' } } } });
    expect((await versions())[0]).toBe(before[0]);
    expect((await versions())[2]).toBe(before[2]);
  });

  test('lends by the earliest policy; the later one says so', async () => {
    // Creation times are whole seconds, and of equal ones the name decides: `later-policy` comes after `example-policy`.
    await createPolicy('later-policy', { resourceLimits: [{ resource: 'cpu', quantity: '1' }] });
    await becomes(() => policy('later-policy'), { status: { nodes: 0, reason: 'EarlierPolicy' } });
    const message = (await policy('later-policy')).status?.conditions?.find(({ type }) => type === 'Leased')?.message;
    expect(message).toMatch(/older policy example-policy/);
    expect((await record()).status).toMatchObject({ policy: 'example-policy', allocatable: { cpu: '4' } });
    await client.delete(ResourceLeasingPolicies, '', 'later-policy');
  });

  test('keeps the lease of a policy that became invalid, and says what is wrong', async () => {
    const before = await record();
    await patchPolicy('example-policy', { timeZone: 'Mars/Olympus' });
    await becomes(policy, { status: { phase: 'Failed' } });
    const message = (await policy()).status?.conditions?.find(({ type }) => type === 'Valid')?.message;
    expect(message).toMatch(/time zone "Mars\/Olympus" is not known.*last valid spec applies/);
    expect((await record()).metadata.resourceVersion).toBe(before.metadata.resourceVersion);
    await patchPolicy('example-policy', { timeZone: null });
    await becomes(policy, { status: { phase: 'Active' } });
  });

  test('shows a closed window at once as taint, phase and times, and opens again', async () => {
    const hour = new Date().getUTCHours();
    const clock = (offset: number) => `${String((hour + offset + 24) % 24).padStart(2, '0')}:00`;
    await patchPolicy('example-policy', { timeWindows: [{ start: clock(4), end: clock(5) }] });
    await becomes(record, {
      status: {
        phase: 'Closing',
        taints: [{ key: 'kubeocean.io/out-of-time-windows', value: 'true', effect: 'NoSchedule' }],
      },
    });
    const { window } = (await record()).status ?? {};
    expect(window?.opensAt).toMatch(new RegExp(`T${clock(4)}:00Z$`));
    await becomes(policy, { status: { phase: 'Inactive', activeTimeWindow: false } });
    await patchPolicy('example-policy', { timeWindows: null });
    await becomes(record, { status: { phase: 'Active', taints: [] } });
  });

  test('killed and started again writes nothing', async () => {
    await becomes(policy, { status: { phase: 'Active' } });
    const before = await versions();
    await agent.kill();
    agent = await startAgent('b');
    // The dead one's Lease has to run out first.
    await agent.waitLog('leading', (line) => line.msg === 'leading', 30_000);
    await waitFor('the first look', async () => (await metric('kubeocean_agent_allocations_total')) >= 1);
    expect(await versions()).toEqual(before);
    expect(await metric('kubeocean_agent_writes_total')).toBe(0);
  });

  test('that cannot read the claims writes nothing, and says why it is not ready', async () => {
    const before = await versions();
    const role = await client.get(RoleBindings, mount, 'kubeocean-agent');
    await agent.stop();
    await client.delete(RoleBindings, mount, 'kubeocean-agent');
    agent = await launchAgent('c');
    await agent.waitLog('leading', (line) => line.msg === 'leading');
    await agent.waitLog('the refusal', (line) => line['kind'] === `claims in ${mount}`);
    const ready = await fetch(`${await agent.health()}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining(`claims in ${mount}`)]);
    expect(await versions()).toEqual(before);
    const { resourceVersion: _, uid: _uid, ...metadata } = role.metadata;
    await client.create(RoleBindings, { ...role, metadata });
    await agent.waitReady(40_000);
    await waitFor('the first look', async () => (await metric('kubeocean_agent_allocations_total')) >= 1);
    expect(await versions()).toEqual(before);
  });

  test('closes the record of a node that is gone, and of one that is no longer selected', async () => {
    await client.delete(Nodes, '', 'node2');
    await becomes(() => record('node2'), { status: { phase: 'Closed', reason: 'NodeGone' } });
    await client.patch(Nodes, '', 'node1', { metadata: { labels: { 'kubeocean.io/role': 'other' } } });
    await becomes(record, { status: { phase: 'Closed', reason: 'NotSelected' } });
    await becomes(policy, { status: { nodes: 0, reason: 'NoNodeMatches' } });
    await client.patch(Nodes, '', 'node1', { metadata: { labels: { 'kubeocean.io/role': 'worker' } } });
    await becomes(record, { status: { phase: 'Active', allocatable: { cpu: '4' } } });
  });

  test('lends a new node of an old name under a new record', async () => {
    const before = await record('node2');
    await createNode('node2');
    await becomes(() => record('node2'), { status: { phase: 'Active' } });
    expect((await record('node2')).metadata.uid).not.toBe(before.metadata.uid);
  });

  test('closes everything when the policy is deleted', async () => {
    await client.delete(ResourceLeasingPolicies, '', 'example-policy');
    await becomes(record, { status: { phase: 'Closed', reason: 'PolicyGone' } });
    expect((await record()).status?.allocatable).toBeUndefined();
  });

  test('removes the records when the claim is given back', async () => {
    await client.delete(Leases, mount, claimName(binding));
    await waitFor('no records', async () => (await client.list(LeasedNodes)).items.length === 0);
    await expect(record()).rejects.toSatisfy(isNotFound);
  });
});
