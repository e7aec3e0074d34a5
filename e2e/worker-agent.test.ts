/** The worker agent against a real API server: what it lends, says, and does not write. */
import { Annotation, claimName, Label, LeasedNodes, ResourceLeasingPolicies } from '@kubeocean/shared/api';
import { isNotFound, Leases, microTime, Nodes, RoleBindings } from '@kubeocean/shared/kube';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { cleanup, type RunningProcess, waitFor } from './harness/index.ts';
import { becomes, binding, metric, metricsOf, mount, PlainCluster } from './worker-agent/plain.ts';

const cluster = new PlainCluster();
let agent: RunningProcess;

beforeAll(async () => {
  await cluster.setUp();
  const renewing = setInterval(() => void renewClaim().catch(() => undefined), 5000);
  cleanup(() => clearInterval(renewing));
  agent = await cluster.startAgent('a');
});

/** As a syncer does: of one that is silent for 40 s the policy tells, also where a test asks that nothing be written. */
async function renewClaim(): Promise<void> {
  const spec = { renewTime: microTime(new Date()) };
  await cluster.client.patch(Leases, mount, claimName(binding), { spec });
}

beforeEach(async () => {
  // One that lost its leadership, on a machine that is very busy, ends; a Deployment would start it again.
  if (agent.exit !== undefined) agent = await cluster.startAgent('again');
});

function record(node?: string) {
  return cluster.record(node);
}

function policy(name?: string) {
  return cluster.policy(name);
}

/** Two seconds, and on a machine that is busy with other things what ten times twenty questions take there. */
async function patience(): Promise<number> {
  const started = performance.now();
  for (let i = 0; i < 20; i++) await cluster.record();
  return 2000 + 10 * (performance.now() - started);
}

/** Sixteen at a time: more would keep the API server from answering the agent's own renewals on a busy machine. */
async function each(names: readonly string[], work: (name: string) => Promise<void>): Promise<void> {
  const left = [...names];
  async function worker(): Promise<void> {
    for (let name = left.pop(); name !== undefined; name = left.pop()) await work(name);
  }
  await Promise.all(Array.from({ length: 16 }, worker));
}

describe('the worker agent', () => {
  test('without a claim lends nothing, and the policy says what is missing', async () => {
    await cluster.createPolicy('example-policy', {
      resourceLimits: [
        { resource: 'cpu', quantity: '4', percent: 80 },
        { resource: 'memory', percent: 90 },
      ],
    });
    await becomes(policy, { status: { phase: 'Pending', nodes: 0, reason: 'NotClaimed', activeTimeWindow: true } });
    const message = (await policy()).status?.conditions?.find(({ type }) => type === 'Leased')?.message;
    expect(message).toMatch(/no computing cluster claims "example-cluster"; create a ClusterBinding.*kubeocean-worker/);
    expect((await cluster.client.list(LeasedNodes)).items).toEqual([]);
  });

  test('shows a sign of life in the mount namespace', async () => {
    await becomes(() => cluster.client.get(Leases, mount, 'kubeocean-agent'), {
      spec: { holderIdentity: 'a', leaseDurationSeconds: 40 },
    });
  });

  test('lends, once claimed, the smaller of quantity and percent of each node', async () => {
    await cluster.createClaim();
    const status = {
      phase: 'Active',
      policy: 'example-policy',
      allocatable: { cpu: '4', memory: '29491Mi', pods: '110' },
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
    // Before and after: the machine may have become busy meanwhile.
    const before = await patience();
    await cluster.createPod('default', 'native', 'node1', '5');
    const shrunk = await becomes(record, { status: { allocatable: { cpu: '2400m', pods: '109' } } });
    expect(shrunk).toBeLessThan(Math.max(before, await patience()));
    await cluster.deletePod('default', 'native');
    const grown = await becomes(record, { status: { allocatable: { cpu: '4', pods: '110' } } });
    expect(grown).toBeLessThan(Math.max(before, await patience()));
  });

  test('does not shrink by pods that are lent', async () => {
    await cluster.createPod(mount, 'lent', 'node1', '3', { [Label.clusterBinding]: binding });
    await cluster.createPod('default', 'marker', 'node1', '7');
    await becomes(record, { status: { allocatable: { cpu: '800m', pods: '109' } } });
    await cluster.deletePod('default', 'marker');
    await becomes(record, { status: { allocatable: { cpu: '4', pods: '110' } } });
    await cluster.deletePod(mount, 'lent');
  });

  test('takes a burst of 500 pods with a handful of allocations and writes', async () => {
    const before = await metric(agent, 'kubeocean_agent_allocations_total');
    const written = await metric(agent, 'kubeocean_agent_writes_total');
    const names = Array.from({ length: 500 }, (_, index) => `burst-${index}`);
    const started = performance.now();
    await each(names, (name) => cluster.createPod('default', name, 'node2', '1m'));
    await each(names, (name) => cluster.deletePod('default', name));
    await becomes(() => record('node2'), { status: { allocatable: { cpu: '4', pods: '110' } } });
    const seconds = (performance.now() - started) / 1000;
    const looks = (await metric(agent, 'kubeocean_agent_allocations_total')) - before;
    expect(looks).toBeLessThan(5 * seconds + 5);
    // The record and the policy, and now and then another node's.
    expect((await metric(agent, 'kubeocean_agent_writes_total')) - written).toBeLessThan(3 * looks + 3);
    console.log(`1,000 events of pods in ${seconds.toFixed(1)} s: ${looks} allocations`);
  });

  test('shows a cordon and a taint within 2 s, and none of Kubernetes’ own taints', async () => {
    const taints = [{ key: 'dedicated', value: 'x', effect: 'NoSchedule' }];
    await cluster.client.patch(Nodes, '', 'node1', {
      spec: { unschedulable: true, taints: [...taints, { key: 'node.kubernetes.io/x', effect: 'NoSchedule' }] },
    });
    expect(await becomes(record, { status: { unschedulable: true, taints } })).toBeLessThan(await patience());
    await cluster.client.patch(Nodes, '', 'node1', { spec: { unschedulable: null, taints: null } });
    await becomes(record, { status: { taints: [] } });
    expect((await record()).status?.unschedulable).toBeUndefined();
  });

  test('writes nothing for heartbeats of nodes, nor for renewals of the claim', async () => {
    const before = await cluster.versions();
    const beat = { type: 'Ready', status: 'True', lastHeartbeatTime: '2026-01-02T00:00:00Z' };
    await cluster.client.patch(
      Nodes,
      '',
      'node1',
      { status: { conditions: [beat] } },
      { subresource: 'status', type: 'strategic' },
    );
    await renewClaim();
    // What follows is seen after these, so when it shows, they have been dealt with.
    await cluster.client.patch(Nodes, '', 'node2', { metadata: { labels: { marker: 'x' } } });
    await becomes(() => record('node2'), { status: { node: { labels: { marker: 'x' } } } });
    expect((await cluster.versions())[0]).toBe(before[0]);
    expect((await cluster.versions())[2]).toBe(before[2]);
  });

  test('lends by the earliest policy; the later one says so', async () => {
    // Creation times are whole seconds, and of equal ones the name decides: `later-policy` comes after `example-policy`.
    await cluster.createPolicy('later-policy', { resourceLimits: [{ resource: 'cpu', quantity: '1' }] });
    await becomes(() => policy('later-policy'), { status: { nodes: 0, reason: 'EarlierPolicy' } });
    const message = (await policy('later-policy')).status?.conditions?.find(({ type }) => type === 'Leased')?.message;
    expect(message).toMatch(/older policy example-policy/);
    expect((await record()).status).toMatchObject({ policy: 'example-policy', allocatable: { cpu: '4' } });
    await cluster.client.delete(ResourceLeasingPolicies, '', 'later-policy');
  });

  test('keeps the lease of a policy that became invalid, and says what is wrong', async () => {
    const before = await record();
    await cluster.patchPolicy('example-policy', { timeZone: 'Mars/Olympus' });
    await becomes(policy, { status: { phase: 'Failed' } });
    const message = (await policy()).status?.conditions?.find(({ type }) => type === 'Valid')?.message;
    expect(message).toMatch(/time zone "Mars\/Olympus" is not known.*last valid spec applies/);
    expect((await record()).metadata.resourceVersion).toBe(before.metadata.resourceVersion);
    await cluster.patchPolicy('example-policy', { timeZone: null });
    await becomes(policy, { status: { phase: 'Active' } });
  });

  test('shows a closed window at once as taint, phase and times, and opens again', async () => {
    const hour = new Date().getUTCHours();
    const clock = (offset: number) => `${String((hour + offset + 24) % 24).padStart(2, '0')}:00`;
    await cluster.patchPolicy('example-policy', { timeWindows: [{ start: clock(4), end: clock(5) }] });
    await becomes(record, {
      status: {
        phase: 'Closing',
        taints: [{ key: 'kubeocean.io/out-of-time-windows', value: 'true', effect: 'NoSchedule' }],
      },
    });
    const { window } = (await record()).status ?? {};
    expect(window?.opensAt).toMatch(new RegExp(`T${clock(4)}:00Z$`));
    await becomes(policy, { status: { phase: 'Inactive', activeTimeWindow: false } });
    await cluster.patchPolicy('example-policy', { timeWindows: null });
    await becomes(record, { status: { phase: 'Active', taints: [] } });
  });

  test('takes one node back at the owner’s word, and lends it again', async () => {
    const take = (value: string | null) =>
      cluster.client.patch(Nodes, '', 'node1', { metadata: { annotations: { [Annotation.reclaim]: value } } });
    await take('now');
    await becomes(record, { status: { phase: 'Closing', reason: 'ReclaimedByOwner', reclaimStage: 'Done' } });
    expect((await record('node2')).status?.phase).toBe('Active');
    await take(null);
    await becomes(record, { status: { phase: 'Active', taints: [] } });
  });

  test('killed and succeeded by the one that stood by: nothing is written', async () => {
    await becomes(policy, { status: { phase: 'Active' } });
    // The one that is killed may have had something to write.
    let before: string[] = [];
    await waitFor(
      'nothing to be written any more',
      async () => {
        const last = before;
        before = await cluster.versions();
        return JSON.stringify(last) === JSON.stringify(before);
      },
      { everyMs: 2000 },
    );
    const next = await cluster.startAgent('b');
    // Who stands by is ready, and leaves the pods of the cluster alone: they are what costs.
    const pods = /^kubeocean_api_calls_total\{.*resource="pods"/m;
    expect([await metricsOf(agent), await metricsOf(next)].map((text) => pods.test(text))).toEqual([true, false]);
    await agent.kill();
    agent = next;
    // The dead one's Lease has to run out first.
    await agent.waitLog('leading', (line) => line.msg === 'leading');
    await waitFor('the first look', async () => (await metric(agent, 'kubeocean_agent_allocations_total')) >= 1);
    expect(await cluster.versions()).toEqual(before);
    expect(await metric(agent, 'kubeocean_agent_writes_total')).toBe(0);
  });

  test('that cannot read the claims writes nothing, and says why it is not ready', async () => {
    const before = await cluster.versions();
    const role = await cluster.client.get(RoleBindings, mount, 'kubeocean-agent');
    await agent.stop();
    await cluster.client.delete(RoleBindings, mount, 'kubeocean-agent');
    agent = await cluster.launchAgent('c');
    await agent.waitLog('leading', (line) => line.msg === 'leading');
    await agent.waitLog('the refusal', (line) => line['kind'] === `claims in ${mount}`);
    const ready = await fetch(`${await agent.health()}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining(`claims in ${mount}`)]);
    expect(await cluster.versions()).toEqual(before);
    const { resourceVersion: _, uid: _uid, ...metadata } = role.metadata;
    await cluster.client.create(RoleBindings, { ...role, metadata });
    await agent.waitReady(40_000);
    await waitFor('the first look', async () => (await metric(agent, 'kubeocean_agent_allocations_total')) >= 1);
    expect(await cluster.versions()).toEqual(before);
  });

  test('closes the record of a node that is gone, and of one that is no longer selected', async () => {
    await cluster.client.delete(Nodes, '', 'node2');
    await becomes(() => record('node2'), { status: { phase: 'Closed', reason: 'NodeGone' } });
    await cluster.client.patch(Nodes, '', 'node1', { metadata: { labels: { 'kubeocean.io/role': 'other' } } });
    await becomes(record, { status: { phase: 'Closed', reason: 'NotSelected' } });
    await becomes(policy, { status: { nodes: 0, reason: 'NoNodeMatches' } });
    await cluster.client.patch(Nodes, '', 'node1', { metadata: { labels: { 'kubeocean.io/role': 'worker' } } });
    await becomes(record, { status: { phase: 'Active', allocatable: { cpu: '4' } } });
  });

  test('lends a new node of an old name under a new record', async () => {
    const before = await record('node2');
    await cluster.createNode('node2');
    await becomes(() => record('node2'), { status: { phase: 'Active' } });
    expect((await record('node2')).metadata.uid).not.toBe(before.metadata.uid);
  });

  test('closes everything when the policy is deleted', async () => {
    await cluster.client.delete(ResourceLeasingPolicies, '', 'example-policy');
    await becomes(record, { status: { phase: 'Closed', reason: 'PolicyGone' } });
    expect((await record()).status?.allocatable).toBeUndefined();
  });

  test('removes the records when the claim is given back', async () => {
    await cluster.client.delete(Leases, mount, claimName(binding));
    await waitFor('no records', async () => (await cluster.client.list(LeasedNodes)).items.length === 0);
    await expect(record()).rejects.toSatisfy(isNotFound);
  });
});
