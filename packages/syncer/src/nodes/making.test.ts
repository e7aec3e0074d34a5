import { vnodeName } from '@kubeocean/shared/api';
import { type KubeObject, Nodes, Store } from '@kubeocean/shared/kube';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { SyncerContext } from '../context.ts';
import { Peer } from '../volumes/peer.ts';
import { vnodeFromRecord } from './from-record.ts';
import { createVnodeMaker } from './making.ts';
import { createOwnVnodes } from './own-vnodes.ts';
import { createPortBook } from './ports.ts';
import { sampleBinding, sampleFacts, sampleRecord } from './samples.ts';

const NODE = `n${'x'.repeat(60)}`;
const binding = sampleBinding();
const { clusterID } = binding.spec;
let home: Peer;

beforeAll(async () => {
  home = await Peer.start();
});
beforeEach(() => home.reset());
afterAll(() => home.stop());

function maker(vnodes: Store<KubeObject>) {
  const found: string[] = [];
  const context = {
    binding: () => binding,
    bindingName: binding.metadata.name,
    bindingUID: binding.metadata.uid,
    clusterID,
    home: home.client(),
    stores: { vnodes },
    settings: { maxVnodes: 10 },
    now: () => new Date(0),
    log: { info: () => undefined, warn: () => undefined },
  } as unknown as SyncerContext;
  const foreign = { found: (_: string, vnode: string) => void found.push(vnode), gone: () => undefined };
  const own = createOwnVnodes(context);
  const ports = createPortBook();
  const made = createVnodeMaker(context, { own, foreign, ports });
  const desired = (name: string) => vnodeFromRecord(sampleRecord(), sampleFacts({ name, port: ports.portOf(name) }));
  return { found, ports, settled: () => made.settled(NODE), make: () => made.make(NODE, desired) };
}

test('no second vnode is made beside one of gocrane/kubeocean, whatever name it has', async () => {
  const labels = { 'kubeocean.io/managed-by': 'kubeocean', 'kubeocean.io/physical-cluster-id': clusterID };
  const name = 'vnode-cls-example-nxxxxxxxxxxx-66586dac9e07faaf34aeaf7de9700f3b';
  const { found, make } = maker(new Store());
  expect(await make()).toBeUndefined();
  expect(home.all(Nodes).map(({ metadata }) => metadata.name)).toEqual([vnodeName(clusterID, NODE)]);
  expect(found).toEqual([]);

  home.reset();
  const left = new Store<KubeObject>();
  left.set(home.put(Nodes, { metadata: { name, labels } }));
  const again = maker(left);
  expect(await again.make()).toEqual({ againInMs: 10_000 });
  expect(again.found).toEqual([name]);
  expect(home.writes).toEqual([]);
});

test('a vnode that was never made leaves its port to others once its node is lent no more', async () => {
  const { ports, make, settled } = maker(new Store());
  home.refuse = () => ({ code: 403, message: 'no' });
  await expect(make()).rejects.toThrow('no');
  const port = ports.portOf(vnodeName(clusterID, NODE));
  settled();
  expect(ports.portOf('another', String(port))).toBe(port);
});

test('the port of a vnode that is there stays its own', async () => {
  const vnodes = new Store<KubeObject>();
  const { ports, make, settled } = maker(vnodes);
  await make();
  for (const node of home.all(Nodes)) vnodes.set(node);
  const port = ports.portOf(vnodeName(clusterID, NODE));
  settled();
  expect(ports.portOf('another', String(port))).not.toBe(port);
});
