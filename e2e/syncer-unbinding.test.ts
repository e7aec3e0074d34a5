/** The end of vnodes and bindings on real clusters: a closed record, unbinding, a worker that is dead. */
import { claimName, ClusterBindings } from '@kubeocean/shared/api';
import { Events, type Json, Leases, Pods, withoutFinalizer } from '@kubeocean/shared/kube';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { absent, cleanup, kubectl, uniqueName, waitFor } from './harness/index.ts';
import { ignoreMissing, openStatus, SyncerRig, taintKeys } from './syncer/rig.ts';

const rig = new SyncerRig();
const { home, worker, vnode, node, mount, bindingName } = rig;

beforeAll(async () => {
  await rig.setUp();
  await rig.putRecord(node, openStatus);
});

afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.log(rig.syncer.tail(40));
});

test('a closed record drains the vnode and removes it', async () => {
  await rig.patchRecord(node, openStatus);
  await waitFor('vnode', () => rig.vnodeNow(), { timeoutMs: 60_000 });
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
  const { metadata } = await waitFor(
    'worker pod',
    async () => (await worker.list(Pods, { namespace: mount })).items[0],
  );
  // Held by somebody's finalizer, as the drain would otherwise be over between two looks at the vnode.
  const held = 'example.com/held';
  const change = (to: Json) => worker.patch(Pods, mount, metadata.name, { metadata: to }, { type: 'strategic' });
  const letGo = () => change(withoutFinalizer(metadata.uid, held));
  cleanup(() => letGo().catch(ignoreMissing));
  await change({ finalizers: [held] });
  await rig.patchRecord(node, { phase: 'Closed', reason: 'NodeGone', message: 'the node was deleted' });
  const closing = await waitFor('cordon', async () => {
    const now = await rig.vnodeNow();
    return now.spec.unschedulable === true && now;
  });
  expect(taintKeys(closing)).toContain('kubeocean.io/vnode-deleting:NoSchedule');
  // The syncer takes its own finalizer off about now.
  await letGo();
  await waitFor('vnode gone', () => rig.gone(vnode));
  // Failed is the end of it; home's pod garbage collector or the drain may be about to take it away.
  await absent('the home pod', () => home.get(Pods, 'default', pod.metadata.name));
  expect((await worker.list(Pods, { namespace: mount })).items).toEqual([]);
  // It goes after the vnode, so that no vnode is ever without one.
  await absent("the vnode's Lease", () => home.get(Leases, 'kube-node-lease', vnode));
});

test('unbinding removes vnodes, claim and finalizer', async () => {
  await rig.patchRecord(node, openStatus);
  await waitFor('vnode', () => rig.vnodeNow());
  await home.delete(ClusterBindings, '', bindingName);
  await waitFor('binding gone', () => rig.bindingGone());
  expect(await rig.gone(vnode)).toBe(true);
  await expect(worker.get(Leases, mount, claimName(bindingName))).rejects.toThrow(/not found/);
});

test('a binding whose worker is dead waits, says so, and can be abandoned', async () => {
  await rig.makeBinding();
  // It worked for the old one of that name and cannot go on for this one.
  expect(await rig.syncer.ended).toBe(1);
  rig.start('--leader-elect=false');
  await waitFor('vnode', () => rig.vnodeNow(), { timeoutMs: 60_000 });
  rig.cutOff();
  await rig.restart();
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
  expect(await rig.bindingGone()).toBe(false);
  await kubectl('computing', ['annotate', 'clusterbinding', bindingName, 'kubeocean.io/abandon=true']);
  await waitFor('binding gone', () => rig.bindingGone());
  expect(await rig.gone(vnode)).toBe(true);
});
