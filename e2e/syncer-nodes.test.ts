/** Vnodes from records on real clusters: what they carry, what home may add, and that nothing is written without need. */
import { Annotation, Label, leasedNodeName, vnodeName } from '@kubeocean/shared/api';
import { type Lease, Leases, Nodes, Pods } from '@kubeocean/shared/kube';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { cleanup, kubectl, uniqueName, waitFor } from './harness/index.ts';
import { ignoreMissing, openStatus, proxierAddress, SyncerRig, taintKeys, type VnodeObject } from './syncer/rig.ts';

const rig = new SyncerRig();
const { home, vnode, node, mount, bindingName, clusterID } = rig;

beforeAll(() => rig.setUp());

afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.log(rig.syncer.tail(40));
});

test('a record becomes a vnode', async () => {
  await rig.putRecord(node, openStatus);
  const made = await waitFor('vnode', () => rig.vnodeNow());
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
    const now = await rig.vnodeNow();
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
  await waitFor('our label back', async () => (await rig.vnodeNow()).metadata.labels?.['type'] === 'virtual-kubelet');
  await rig.patchRecord(node, { unschedulable: true, node: { labels: { disk: 'hdd', extra: '1' } } });
  const changed = await waitFor('new label', async () => {
    const now = await rig.vnodeNow();
    return now.metadata.labels?.['extra'] === '1' && taintKeys(now).length >= 4 ? now : undefined;
  });
  expect(changed.metadata.labels).toMatchObject({ team: 'blue', disk: 'own' });
  expect(taintKeys(changed)).toContain('team:NoSchedule');
  expect(taintKeys(changed)).toContain('kubeocean.io/physical-node-unschedulable:NoSchedule');
  expect(changed.spec.unschedulable).toBe(true);
  await kubectl('computing', ['uncordon', vnode]);
  await kubectl('computing', ['taint', 'node', vnode, 'team-']);
  await rig.patchRecord(node, { unschedulable: false });
  await waitFor('cordon of the worker node gone', async () => {
    const keys = taintKeys(await rig.vnodeNow());
    return !keys.some((key) => key.includes('unschedulable')) && keys.length === 2;
  });
});

test('a taint of the record shows within seconds and goes with it', async () => {
  const own = openStatus.taints ?? [];
  await rig.patchRecord(node, { taints: [...own, { key: 'maintenance', effect: 'NoSchedule' }] });
  // A fraction of a second on a quiet machine; less than any look that comes by itself on this one.
  const opts = { timeoutMs: 10_000 };
  await waitFor('taint', async () => taintKeys(await rig.vnodeNow()).includes('maintenance:NoSchedule'), opts);
  await rig.patchRecord(node, { taints: own });
  await waitFor('no taint', async () => !taintKeys(await rig.vnodeNow()).includes('maintenance:NoSchedule'), opts);
});

test('nothing is written to an unchanged vnode, not even by a killed and restarted syncer', async () => {
  const other = vnodeName(clusterID, 'same-turn');
  await rig.putRecord('same-turn', openStatus);
  await waitFor('another vnode', () => rig.vnodeNow(other));
  const before = await settled();
  const quietFrom = performance.now();
  await waitFor('12 s of quiet', () => performance.now() - quietFrom > 12_000, { everyMs: 500 });
  expect((await rig.vnodeNow()).metadata.resourceVersion).toBe(before.metadata.resourceVersion);
  // More than a turn has passed, in which both were renewed in one go, though one vnode is older than the other.
  // One of them may be read before the next turn and the other after it: then they are read again.
  await waitFor('both renewed in one go', async () => {
    const [one = NaN, two = NaN] = await Promise.all([vnode, other].map(renewedAt));
    expect(Math.abs(one - two)).toBeLessThan(2000);
    return true;
  });
  await rig.patchRecord('same-turn', { phase: 'Closed', reason: 'NotSelected' });
  await waitFor('drained vnode gone', () => rig.gone(other));
  await rig.restart();
  await rig.syncer.waitLog(
    'leading again',
    (line) => line.msg === 'all stores are complete and the claim is held',
    60_000,
  );
  const lease = await home.get<Lease>(Leases, 'kube-node-lease', vnode);
  await waitFor('a Lease renewed', async () => {
    const now = await home.get<Lease>(Leases, 'kube-node-lease', vnode);
    return now.spec?.renewTime !== lease.spec?.renewTime;
  });
  expect((await rig.vnodeNow()).metadata.resourceVersion).toBe(before.metadata.resourceVersion);
});

async function renewedAt(name: string): Promise<number> {
  return Date.parse((await home.get<Lease>(Leases, 'kube-node-lease', name)).spec?.renewTime ?? '');
}

test('a deleted vnode comes back while its node is lent', async () => {
  const { metadata } = await rig.vnodeNow();
  await home.delete(Nodes, '', vnode);
  const again = await waitFor('new vnode', async () => {
    const now = await rig.vnodeNow();
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
  await rig.putRecord('taken', openStatus);
  const found = await waitFor('vnode of another name', async () => {
    const nodes = await home.list<VnodeObject>(Nodes, { labelSelector: `${Label.physicalNodeName}=taken` });
    return nodes.items.find(({ metadata }) => metadata.labels?.[Label.physicalClusterID] === clusterID);
  });
  expect(found.metadata.name).not.toBe(name);
  expect((await rig.vnodeNow(name)).metadata.labels ?? {}).not.toHaveProperty(Label.managedBy);
  await rig.patchRecord('taken', { phase: 'Closed', reason: 'NotSelected' });
  await waitFor('drained vnode gone', () => rig.gone(found.metadata.name));
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
  const shown = async () => (await rig.vnodeNow()).status.allocatable;
  await waitFor('more shown', async () => (await shown())?.['cpu'] === '4500m' && (await shown())?.['pods'] === '21');
  await remove();
  await waitFor('what is lent', async () => (await shown())?.['cpu'] === '4' && (await shown())?.['pods'] === '20');
});

/** The vnode once it has not changed for 2 s. */
function settled(): Promise<VnodeObject> {
  let seen: VnodeObject | undefined;
  let since = performance.now();
  return waitFor('vnode settled', async () => {
    const now = await rig.vnodeNow();
    if (now.metadata.resourceVersion !== seen?.metadata.resourceVersion) since = performance.now();
    seen = now;
    return performance.now() - since > 2000 ? now : undefined;
  });
}
