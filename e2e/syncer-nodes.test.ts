/**
 * The syncer's vnodes on real clusters. The syncer runs from source with just the rights of the two charts; records and
 * heartbeat are written by hand, in the agent's stead.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Annotation,
  claimName,
  type ClusterBinding,
  ClusterBindings,
  Label,
  leasedNodeName,
  type LeasedNode,
  LeasedNodes,
  type LeasedNodeStatus,
  type Taint,
  vnodeName,
} from '@kubeocean/shared/api';
import {
  type Condition,
  ConfigMaps,
  EndpointSlices,
  Events,
  isNotFound,
  type KubeClient,
  type KubeObject,
  type Lease,
  Leases,
  microTime,
  Namespaces,
  Nodes,
  parseKubeconfig,
  Pods,
  ServiceAccounts,
} from '@kubeocean/shared/kube';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { checkout } from './clusters/paths.ts';
import { run } from './clusters/local/run.ts';
import {
  cleanup,
  client,
  kubeconfigOf,
  kubectl,
  programPath,
  type RunningProcess,
  startProcess,
  uniqueName,
  waitFor,
} from './harness/index.ts';

interface VnodeObject extends KubeObject {
  spec: { taints?: Taint[]; unschedulable?: boolean; providerID?: string };
  status: {
    capacity?: Record<string, string>;
    allocatable?: Record<string, string>;
    conditions?: Condition[];
    addresses?: { type: string; address: string }[];
    daemonEndpoints?: { kubeletEndpoint?: { Port: number } };
  };
}

const mount = uniqueName('nodes');
const bindingName = uniqueName('nodes');
const clusterID = uniqueName('n');
const systemNamespace = 'kubeocean-system';
const proxierAddress = '10.99.0.7';
const node = 'lent-1';
const vnode = vnodeName(clusterID, node);

let home: KubeClient;
let worker: KubeClient;
let folder: string;
let syncer: RunningProcess;
let heart: NodeJS.Timeout | undefined;

beforeAll(async () => {
  home = client('computing');
  worker = client('worker-1');
  folder = mkdtempSync(join(tmpdir(), 'kubeocean-nodes-'));
  cleanup(() => rmSync(folder, { recursive: true, force: true }));
  await makeMountNamespace();
  await allowPods();
  await makeHomeAccount();
  await writeKubeconfigs();
  await home.create(EndpointSlices, {
    metadata: {
      name: bindingName,
      namespace: systemNamespace,
      labels: { 'kubernetes.io/service-name': `kubeocean-proxier-${clusterID}` },
    },
    addressType: 'IPv4',
    endpoints: [{ addresses: [proxierAddress], conditions: { ready: true } }],
    ports: [],
  });
  cleanup(() => home.delete(EndpointSlices, systemNamespace, bindingName));
  cleanup(removeAtHome);
  await makeBinding();
  await beat();
  startHeart();
  cleanup(() => clearInterval(heart));
  syncer = start();
  await syncer.waitReady();
}, 120_000);

afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.log(syncer.tail(40));
});

function makeBinding(): Promise<ClusterBinding> {
  return home.create<ClusterBinding>(ClusterBindings, {
    metadata: { name: bindingName },
    spec: { clusterID, secretRef: { name: 'unused', namespace: systemNamespace }, mountNamespace: mount },
  });
}

/** The tenant's namespace, account and Role as the worker chart makes them. */
async function makeMountNamespace(): Promise<void> {
  const chart = await run([
    programPath('helm'),
    'template',
    '--kube-version=1.34.4',
    '--show-only=templates/tenants.yaml',
    '--set',
    `tenants[0].namespace=${mount},tenants[0].serviceAccount=kubeocean-syncer,tenants[0].bindings={*}`,
    'kubeocean-worker',
    join(checkout, 'charts/kubeocean-worker'),
  ]);
  cleanup(() => worker.delete(Namespaces, '', mount).catch(ignoreMissing));
  await kubectl('worker-1', ['apply', '-f', '-'], { input: chart.stdout });
}

/** What the agent tells the worker's admission: which binding's pods a node takes. */
async function allowPods(): Promise<void> {
  const data = { [node]: bindingName };
  await worker.create(ConfigMaps, { metadata: { name: 'kubeocean-lease', namespace: mount }, data });
}

/** A ServiceAccount with the ClusterRoles of the computing chart, bound as the manager binds them. */
async function makeHomeAccount(): Promise<void> {
  const account = `kubeocean-syncer-${clusterID}`;
  const subjects = [{ kind: 'ServiceAccount', name: account, namespace: systemNamespace }];
  const apiGroup = 'rbac.authorization.k8s.io';
  const bind = (kind: string, namespace: string | undefined, role: string) => ({
    apiVersion: `${apiGroup}/v1`,
    kind,
    metadata: { name: account, ...(namespace && { namespace }) },
    roleRef: { apiGroup, kind: 'ClusterRole', name: role },
    subjects,
  });
  const items = [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: account, namespace: systemNamespace } },
    bind('ClusterRoleBinding', undefined, 'kubeocean-syncer'),
    bind('RoleBinding', systemNamespace, 'kubeocean-syncer-leases'),
    bind('RoleBinding', 'kube-node-lease', 'kubeocean-syncer-leases'),
  ];
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  cleanup(() => kubectl('computing', ['delete', '--ignore-not-found', '-f', '-'], { input }));
  await kubectl('computing', ['apply', '-f', '-'], { input });
}

async function writeKubeconfigs(): Promise<void> {
  const token = async (of: KubeClient, namespace: string, name: string) => {
    const request = { metadata: { namespace, name }, spec: { expirationSeconds: 7200 } };
    const made = await of.create<KubeObject & { status: { token: string } }>(ServiceAccounts, request, {
      subresource: 'token',
    });
    return made.status.token;
  };
  const homeToken = await token(home, systemNamespace, `kubeocean-syncer-${clusterID}`);
  writeFileSync(join(folder, 'home'), kubeconfigText(readFileSync(kubeconfigOf('computing'), 'utf8'), homeToken));
  const workerToken = await token(worker, mount, 'kubeocean-syncer');
  writeFileSync(join(folder, 'worker'), kubeconfigText(readFileSync(kubeconfigOf('worker-1'), 'utf8'), workerToken));
}

function kubeconfigText(admin: string, token: string, port?: number): string {
  const access = parseKubeconfig(admin, { trust: 'trusted' });
  const url = new URL(access.server);
  if (port !== undefined) url.port = String(port);
  const cluster = {
    server: url.origin,
    'certificate-authority-data': Buffer.from(access.ca ?? '').toString('base64'),
  };
  return JSON.stringify({
    'current-context': 'own',
    clusters: [{ name: 'own', cluster }],
    users: [{ name: 'own', user: { token } }],
    contexts: [{ name: 'own', context: { cluster: 'own', user: 'own' } }],
  });
}

function start(): RunningProcess {
  return startProcess('syncer', [
    `--kubeconfig=${folder}/home`,
    `--worker-kubeconfig=${folder}/worker`,
    `--cluster-binding-name=${bindingName}`,
    '--log-level=debug',
  ]);
}

/** One beat of the agent's heartbeat. */
async function beat(): Promise<void> {
  const spec = { holderIdentity: 'agent', leaseDurationSeconds: 40, renewTime: microTime(new Date()) };
  await worker.apply(Leases, { metadata: { name: 'kubeocean-agent', namespace: mount }, spec }, 'e2e');
}

function startHeart(): void {
  heart = setInterval(() => void beat().catch(() => undefined), 5000);
}

const openStatus: LeasedNodeStatus = {
  phase: 'Active',
  policy: 'evenings',
  allocatable: { cpu: '4000m', memory: '8Gi', pods: '20', 'example.com/gpu': '2' },
  taints: [
    { key: 'kubeocean.io/out-of-time-windows', value: 'true', effect: 'PreferNoSchedule' },
    { key: 'node.kubernetes.io/not-ready', effect: 'NoExecute' },
  ],
  node: {
    labels: {
      'kubernetes.io/hostname': node,
      'kubernetes.io/arch': 'arm64',
      'topology.kubernetes.io/zone': 'z1',
      'node-role.kubernetes.io/control-plane': '',
      'kubeocean.io/role': 'worker',
      disk: 'ssd',
    },
    conditions: [
      { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' },
      { type: 'MemoryPressure', status: 'False', reason: 'KubeletHasSufficientMemory' },
    ],
    nodeInfo: { kubeletVersion: 'v1.34.4', operatingSystem: 'linux', architecture: 'arm64' },
    innerIP: '10.1.2.3',
  },
};

async function putRecord(name: string, status: LeasedNodeStatus): Promise<void> {
  const metadata = {
    name: leasedNodeName(bindingName, name),
    namespace: mount,
    labels: { [Label.clusterBinding]: bindingName },
  };
  const spec = { cluster: bindingName, nodeName: name, nodeUID: `uid-of-${name}`, policy: 'evenings' };
  await worker.create<LeasedNode>(LeasedNodes, { metadata, spec });
  await patchRecord(name, status);
}

function patchRecord(name: string, status: LeasedNodeStatus): Promise<unknown> {
  return worker.patch(LeasedNodes, mount, leasedNodeName(bindingName, name), { status }, { subresource: 'status' });
}

function vnodeNow(name = vnode): Promise<VnodeObject> {
  return home.get<VnodeObject>(Nodes, '', name);
}

function taintKeys({ spec }: VnodeObject): string[] {
  return (spec.taints ?? []).map(({ key, effect }) => `${key}:${effect}`);
}

async function conditionNow(type: string): Promise<Condition | undefined> {
  const binding = await home.get<ClusterBinding>(ClusterBindings, '', bindingName);
  return binding.status?.conditions?.find((condition) => condition.type === type);
}

function waitCondition(type: string, status: string, reason: string, timeoutMs = 30_000): Promise<Condition> {
  return waitFor(
    `${type}=${status}/${reason}`,
    async () => {
      const condition = await conditionNow(type);
      if (condition?.status === status && condition.reason === reason) return condition;
      throw new Error(JSON.stringify(condition));
    },
    { timeoutMs, everyMs: 200 },
  );
}

async function removeAtHome(): Promise<void> {
  await syncer?.kill();
  const finalizers = { metadata: { finalizers: [] } };
  const nodes = await home.list(Nodes, { labelSelector: `${Label.clusterBinding}=${bindingName}` });
  for (const { metadata } of nodes.items) {
    await home.delete(Nodes, '', metadata.name).catch(ignoreMissing);
    await home.patch(Nodes, '', metadata.name, finalizers).catch(ignoreMissing);
  }
  await home.delete(ClusterBindings, '', bindingName).catch(ignoreMissing);
  await home.patch(ClusterBindings, '', bindingName, finalizers).catch(ignoreMissing);
}

function ignoreMissing(error: unknown): void {
  if (!isNotFound(error)) throw error;
}

test('the claim is made with an epoch that the binding knows', async () => {
  await waitCondition('Claimed', 'True', 'ClaimHeld');
  await waitCondition('AgentReady', 'True', 'AgentAlive');
  await waitCondition('WorkerReachable', 'True', 'Answering');
  const claim = await worker.get<Lease>(Leases, mount, claimName(bindingName));
  const binding = await home.get<ClusterBinding>(ClusterBindings, '', bindingName);
  const system = await home.get(Namespaces, '', 'kube-system');
  expect(claim.spec?.holderIdentity).toBe(`${system.metadata.uid}/${binding.metadata.uid}`);
  expect(claim.metadata.annotations?.[Annotation.epoch]).toBe(binding.status?.epoch);
  expect(binding.metadata.finalizers).toContain('kubeocean.io/clusterbinding-syncer');
  expect(binding.status?.workerVersion).toMatch(/^v1\./);
});

test('a record becomes a vnode', async () => {
  await putRecord(node, openStatus);
  const made = await waitFor('vnode', () => vnodeNow());
  expect(made.metadata.labels).toMatchObject({
    [Label.managedBy]: 'kubeocean',
    [Label.clusterBinding]: bindingName,
    [Label.physicalClusterID]: clusterID,
    [Label.physicalNodeName]: node,
    [Label.physicalNodeUID]: `uid-of-${node}`,
    [Label.physicalNodeInnerIP]: '10.1.2.3',
    [Label.policyApplied]: 'evenings',
    'kubernetes.io/hostname': vnode,
    'kubernetes.io/arch': 'arm64',
    'topology.kubernetes.io/zone': 'z1',
    'kubeocean.io/role': 'worker',
    disk: 'ssd',
    type: 'virtual-kubelet',
    'node.kubernetes.io/instance-type': 'vnode',
    'node.kubernetes.io/exclude-from-external-load-balancers': 'true',
  });
  expect(made.metadata.labels).not.toHaveProperty('node-role.kubernetes.io/control-plane');
  expect(made.spec.providerID).toBe(`kubeocean://${clusterID}/${node}`);
  expect(made.metadata.annotations?.[Annotation.leasedNode]).toBe(`${mount}/${leasedNodeName(bindingName, node)}`);
  expect(made.status.addresses).toEqual([{ type: 'InternalIP', address: proxierAddress }]);
  const port = made.status.daemonEndpoints?.kubeletEndpoint?.Port ?? 0;
  expect(port).toBeGreaterThanOrEqual(15000);
  expect(port).toBeLessThan(30000);
  expect(made.metadata.labels?.[Label.proxierPort]).toBe(String(port));
  expect(made.status.capacity).toEqual({ cpu: '4', memory: '8Gi', pods: '20', 'example.com/gpu': '2' });
  expect(made.status.allocatable).toEqual(made.status.capacity);
  const lease = await waitFor('node Lease', () => home.get<Lease>(Leases, 'kube-node-lease', vnode));
  expect(lease.spec).toMatchObject({ holderIdentity: vnode, leaseDurationSeconds: 40 });
  expect(lease.metadata.ownerReferences?.[0]?.uid).toBe(made.metadata.uid);
  const ready = await waitFor('node controller done', async () => {
    const now = await vnodeNow();
    return taintKeys(now).some((key) => key.startsWith('node.kubernetes.io/')) ? undefined : now;
  });
  expect(taintKeys(ready).sort()).toEqual([
    'kubeocean.io/out-of-time-windows:PreferNoSchedule',
    'kubeocean.io/vnode:NoSchedule',
  ]);
});

test('what home adds to a vnode stays, and home wins over the worker', async () => {
  await kubectl('computing', ['label', 'node', vnode, '--overwrite', 'team=blue', 'disk=own', `type=other`]);
  await kubectl('computing', ['taint', 'node', vnode, 'team=blue:NoSchedule']);
  await kubectl('computing', ['cordon', vnode]);
  await waitFor('our label back', async () => (await vnodeNow()).metadata.labels?.['type'] === 'virtual-kubelet');
  await patchRecord(node, { unschedulable: true, node: { labels: { disk: 'hdd', extra: '1' } } });
  const changed = await waitFor('new label', async () => {
    const now = await vnodeNow();
    return now.metadata.labels?.['extra'] === '1' && taintKeys(now).length >= 4 ? now : undefined;
  });
  expect(changed.metadata.labels).toMatchObject({ team: 'blue', disk: 'own' });
  expect(taintKeys(changed)).toContain('team:NoSchedule');
  expect(taintKeys(changed)).toContain('kubeocean.io/physical-node-unschedulable:NoSchedule');
  expect(changed.spec.unschedulable).toBe(true);
  await kubectl('computing', ['uncordon', vnode]);
  await kubectl('computing', ['taint', 'node', vnode, 'team-']);
  await patchRecord(node, { unschedulable: false });
  await waitFor('cordon of the worker node gone', async () => {
    const keys = taintKeys(await vnodeNow());
    return !keys.some((key) => key.includes('unschedulable')) && keys.length === 2;
  });
});

test('a taint of the record shows within 2 s and goes with it', async () => {
  const own = openStatus.taints ?? [];
  await patchRecord(node, { taints: [...own, { key: 'maintenance', effect: 'NoSchedule' }] });
  const opts = { timeoutMs: 2000 };
  await waitFor('taint', async () => taintKeys(await vnodeNow()).includes('maintenance:NoSchedule'), opts);
  await patchRecord(node, { taints: own });
  await waitFor('no taint', async () => !taintKeys(await vnodeNow()).includes('maintenance:NoSchedule'), opts);
});

test('nothing is written to an unchanged vnode, not even by a killed and restarted syncer', async () => {
  const before = await settled();
  const quietFrom = performance.now();
  await waitFor('15 s of quiet', () => performance.now() - quietFrom > 15_000, { everyMs: 500 });
  expect((await vnodeNow()).metadata.resourceVersion).toBe(before.metadata.resourceVersion);
  await syncer.kill();
  syncer = start();
  await syncer.waitLog('leading again', (line) => line.msg === 'all stores are complete and the claim is held', 40_000);
  const lease = await home.get<Lease>(Leases, 'kube-node-lease', vnode);
  await waitFor('a Lease renewed', async () => {
    const now = await home.get<Lease>(Leases, 'kube-node-lease', vnode);
    return now.spec?.renewTime !== lease.spec?.renewTime;
  });
  expect((await vnodeNow()).metadata.resourceVersion).toBe(before.metadata.resourceVersion);
});

/** The vnode once it has not changed for 2 s. */
function settled(): Promise<VnodeObject> {
  let seen: VnodeObject | undefined;
  let since = performance.now();
  return waitFor('vnode settled', async () => {
    const now = await vnodeNow();
    if (now.metadata.resourceVersion !== seen?.metadata.resourceVersion) since = performance.now();
    seen = now;
    return performance.now() - since > 2000 ? now : undefined;
  });
}

test('a deleted vnode comes back while its node is lent', async () => {
  const { metadata } = await vnodeNow();
  await home.delete(Nodes, '', vnode);
  const again = await waitFor('new vnode', async () => {
    const now = await vnodeNow();
    return now.metadata.uid !== metadata.uid && now;
  });
  expect(again.metadata.labels?.[Label.proxierPort]).toBe(metadata.labels?.[Label.proxierPort]);
  await waitFor('its Lease', async () => {
    const lease = await home.get<Lease>(Leases, 'kube-node-lease', vnode);
    return lease.metadata.ownerReferences?.[0]?.uid === again.metadata.uid;
  });
});

test("a name that somebody else's Node has is left alone", async () => {
  const name = vnodeName(clusterID, 'taken');
  await home.create(Nodes, { metadata: { name }, spec: {} });
  cleanup(() => home.delete(Nodes, '', name).catch(ignoreMissing));
  await putRecord('taken', openStatus);
  const found = await waitFor('vnode of another name', async () => {
    const nodes = await home.list<VnodeObject>(Nodes, { labelSelector: `${Label.physicalNodeName}=taken` });
    return nodes.items.find(({ metadata }) => metadata.labels?.[Label.physicalClusterID] === clusterID);
  });
  expect(found.metadata.name).not.toBe(name);
  expect((await vnodeNow(name)).metadata.labels ?? {}).not.toHaveProperty(Label.managedBy);
  await patchRecord('taken', { phase: 'Closed', reason: 'NotSelected' });
  await waitFor('drained vnode gone', () => gone(found.metadata.name));
});

async function gone(name: string): Promise<boolean> {
  try {
    await vnodeNow(name);
    return false;
  } catch (error) {
    ignoreMissing(error);
    return true;
  }
}

test('a record that is gone only taints', async () => {
  await worker.delete(LeasedNodes, mount, leasedNodeName(bindingName, node));
  await waitFor('taint', async () => taintKeys(await vnodeNow()).includes('kubeocean.io/lease-unknown:NoSchedule'));
  await waitCondition('AgentReady', 'False', 'RecordsMissing');
  const now = await vnodeNow();
  expect(now.spec.unschedulable).toBeUndefined();
  expect(now.status.allocatable?.['cpu']).toBe('4');
  expect(now.metadata.labels?.['topology.kubernetes.io/zone']).toBe('z1');
  await putRecord(node, openStatus);
  await waitFor('no taint', async () => !taintKeys(await vnodeNow()).includes('kubeocean.io/lease-unknown:NoSchedule'));
  await waitCondition('AgentReady', 'True', 'AgentAlive');
});

test('a worker that cannot be reached taints, while Leases go on; back, the taint goes', async () => {
  const good = readFileSync(join(folder, 'worker'), 'utf8');
  const { token } = parseKubeconfig(good, { trust: 'trusted' });
  // A port on the worker's own address that nothing listens on: connections are refused.
  writeFileSync(join(folder, 'worker'), kubeconfigText(good, token ?? '', 7));
  await syncer.kill();
  syncer = start();
  const taint = 'kubeocean.io/worker-unreachable:NoSchedule';
  await waitFor('taint', async () => taintKeys(await vnodeNow()).includes(taint), { timeoutMs: 75_000, everyMs: 500 });
  await waitCondition('WorkerReachable', 'False', 'Unreachable');
  await waitCondition('AgentReady', 'Unknown', 'WorkerUnreachable');
  const lease = await home.get<Lease>(Leases, 'kube-node-lease', vnode);
  await waitFor('a Lease renewed', async () => {
    const now = await home.get<Lease>(Leases, 'kube-node-lease', vnode);
    return now.spec?.renewTime !== lease.spec?.renewTime;
  });
  const down = await vnodeNow();
  expect(down.status.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True');
  expect(taintKeys(down)).not.toContain('kubeocean.io/lease-unknown:NoSchedule');
  writeFileSync(join(folder, 'worker'), good);
  await waitFor('no taint', async () => !taintKeys(await vnodeNow()).includes(taint), {
    timeoutMs: 60_000,
    everyMs: 500,
  });
  await waitCondition('WorkerReachable', 'True', 'Answering');
}, 200_000);

test('a claim of another cluster is respected, and told', async () => {
  const name = claimName(bindingName);
  const { spec } = await worker.get<Lease>(Leases, mount, name);
  await worker.patch(Leases, mount, name, { spec: { holderIdentity: 'another-cluster/some-uid' } });
  const told = await waitCondition('Claimed', 'False', 'NameTaken');
  expect(told.message).toContain('another-cluster');
  await waitFor('taint', async () => taintKeys(await vnodeNow()).includes('kubeocean.io/lease-unknown:NoSchedule'));
  await worker.patch(Leases, mount, name, { spec: { holderIdentity: spec?.holderIdentity } });
  await waitCondition('Claimed', 'True', 'ClaimHeld');
});

test('a claim that the owner takes back stops writes until it is given again', async () => {
  const name = claimName(bindingName);
  await worker.patch(Leases, mount, name, { metadata: { annotations: { [Annotation.release]: 'true' } } });
  const told = await waitCondition('Claimed', 'False', 'Released');
  expect(told.message).toContain(Annotation.release);
  await worker.patch(Leases, mount, name, { metadata: { annotations: { [Annotation.release]: null } } });
  await waitCondition('Claimed', 'True', 'ClaimHeld');
});

test('an agent that falls silent taints the vnodes; heard again, the taint goes', async () => {
  clearInterval(heart);
  const taint = 'kubeocean.io/lease-unknown:NoSchedule';
  await waitCondition('AgentReady', 'False', 'AgentStale', 60_000);
  await waitFor('taint', async () => taintKeys(await vnodeNow()).includes(taint));
  expect((await vnodeNow()).spec.unschedulable).toBeUndefined();
  await beat();
  startHeart();
  await waitFor('no taint', async () => !taintKeys(await vnodeNow()).includes(taint));
  await waitCondition('AgentReady', 'True', 'AgentAlive');
});

test('a pod that is not run takes nothing from what is lent', async () => {
  const pod = await home.create(Pods, {
    metadata: { name: uniqueName('system'), namespace: 'kube-system' },
    spec: {
      nodeName: vnode,
      automountServiceAccountToken: false,
      containers: [{ name: 'main', image: 'kubeocean/pause:local', resources: { requests: { cpu: '500m' } } }],
    },
  });
  const remove = () =>
    home.delete(Pods, 'kube-system', pod.metadata.name, { gracePeriodSeconds: 0 }).catch(ignoreMissing);
  cleanup(remove);
  const shown = async () => (await vnodeNow()).status.allocatable;
  await waitFor('more shown', async () => (await shown())?.['cpu'] === '4500m' && (await shown())?.['pods'] === '21');
  await remove();
  await waitFor('what is lent', async () => (await shown())?.['cpu'] === '4' && (await shown())?.['pods'] === '20');
});

test('a closed record drains the vnode and removes it', async () => {
  // A node of that name exists in no cluster: its worker pod waits to be scheduled, which is enough to be drained.
  const pod = await home.create(Pods, {
    metadata: { name: uniqueName('drained'), namespace: 'default' },
    spec: {
      nodeName: vnode,
      terminationGracePeriodSeconds: 1,
      automountServiceAccountToken: false,
      containers: [{ name: 'main', image: 'kubeocean/pause:local' }],
    },
  });
  cleanup(() => home.delete(Pods, 'default', pod.metadata.name, { gracePeriodSeconds: 0 }).catch(ignoreMissing));
  await waitFor('worker pod', async () => (await worker.list(Pods, { namespace: mount })).items.length === 1);
  await patchRecord(node, { phase: 'Closed', reason: 'NodeGone', message: 'the node was deleted' });
  const closing = await waitFor('cordon', async () => {
    const now = await vnodeNow();
    return now.spec.unschedulable === true && now;
  });
  expect(taintKeys(closing)).toContain('kubeocean.io/vnode-deleting:NoSchedule');
  await waitFor('vnode gone', () => gone(vnode));
  await expect(home.get(Pods, 'default', pod.metadata.name)).rejects.toThrow(/not found/);
  expect((await worker.list(Pods, { namespace: mount })).items).toEqual([]);
  await expect(home.get(Leases, 'kube-node-lease', vnode)).rejects.toThrow(/not found/);
});

test('unbinding removes vnodes, claim and finalizer', async () => {
  await patchRecord(node, openStatus);
  await waitFor('vnode', () => vnodeNow());
  await home.delete(ClusterBindings, '', bindingName);
  await waitFor('binding gone', bindingGone);
  expect(await gone(vnode)).toBe(true);
  await expect(worker.get(Leases, mount, claimName(bindingName))).rejects.toThrow(/not found/);
});

async function bindingGone(): Promise<boolean> {
  try {
    await home.get(ClusterBindings, '', bindingName);
    return false;
  } catch (error) {
    ignoreMissing(error);
    return true;
  }
}

test('a binding whose worker is dead waits, says so, and can be abandoned', async () => {
  await makeBinding();
  // It worked for the old one of that name and cannot go on for this one.
  expect(await syncer.ended).toBe(1);
  syncer = start();
  await waitFor('vnode', () => vnodeNow(), { timeoutMs: 60_000 });
  await syncer.kill();
  const good = readFileSync(join(folder, 'worker'), 'utf8');
  writeFileSync(
    join(folder, 'worker'),
    kubeconfigText(good, parseKubeconfig(good, { trust: 'trusted' }).token ?? '', 7),
  );
  syncer = start();
  await home.delete(ClusterBindings, '', bindingName);
  const told = await waitFor(
    'event',
    async () => {
      const events = await home.list(Events, {
        namespace: 'default',
        fieldSelector: `involvedObject.name=${bindingName}`,
      });
      return events.items.map(({ message }) => String(message)).find((message) => message.includes('abandon=true'));
    },
    { timeoutMs: 60_000, everyMs: 500 },
  );
  expect(told).toContain(`kubectl annotate clusterbinding ${bindingName}`);
  expect(await bindingGone()).toBe(false);
  await kubectl('computing', ['annotate', 'clusterbinding', bindingName, 'kubeocean.io/abandon=true']);
  await waitFor('binding gone', bindingGone);
  expect(await gone(vnode)).toBe(true);
}, 200_000);
