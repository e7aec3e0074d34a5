import { Finalizer, vnodeHashedName } from '@kubeocean/shared/api';
import { providerID } from '@kubeocean/shared/api';
import { type KubeObject, Nodes, Store } from '@kubeocean/shared/kube';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import type { SyncerContext } from '../context.ts';
import { Peer } from '../volumes/peer.ts';
import { vnodeFromRecord } from './from-record.ts';
import { createOwnVnodes, type OwnVnodes } from './own-vnodes.ts';
import { APPLIED } from './applied.ts';
import { newVnode } from './plan.ts';
import { sampleBinding, sampleFacts, sampleRecord } from './samples.ts';

const UID_LABEL = 'kubeocean.io/binding-uid';
const BINDING_LABEL = 'kubeocean.io/cluster-binding';
const { name } = sampleFacts();
let home: Peer;
let vnodes: Store<KubeObject>;
let told: string[];

beforeAll(async () => {
  home = await Peer.start();
});
beforeEach(() => {
  home.reset();
  vnodes = new Store();
  told = [];
});
afterAll(() => home.stop());

function own(): OwnVnodes {
  const binding = sampleBinding();
  return createOwnVnodes({
    binding: () => binding,
    bindingName: binding.metadata.name,
    bindingUID: 'binding-uid',
    clusterID: binding.spec.clusterID,
    home: home.client(),
    stores: { vnodes },
    log: { info: () => undefined, warn: () => undefined },
    homeEvents: {
      event: (_subject: KubeObject, _type: string, reason: string, message: string) =>
        told.push(`${reason}: ${message}`),
    },
  } as unknown as SyncerContext);
}

/** A vnode of ours with other labels; without `remembers`, one on which our memory is not either. */
function relabelled(labels: Record<string, string | undefined>, remembers = true): KubeObject {
  const made = structuredClone(newVnode(vnodeFromRecord(sampleRecord(), sampleFacts()), new Date(0)));
  const changed = Object.entries({ ...made.metadata.labels, ...labels }).filter(([, value]) => value !== undefined);
  const annotations = { ...made.metadata.annotations };
  if (!remembers) delete annotations[APPLIED];
  const metadata = {
    ...made.metadata,
    uid: 'u',
    labels: Object.fromEntries(changed) as Record<string, string>,
    annotations,
  };
  return home.put(Nodes, { ...made, metadata });
}

test.each<[string, Record<string, string | undefined>]>([
  ['taken off', { [UID_LABEL]: undefined }],
  ['changed', { [UID_LABEL]: 'x' }],
])('a label that was %s while no syncer ran is put back, as the Node itself remembers', async (_, labels) => {
  const node = relabelled(labels);
  vnodes.set(node);
  const known = own();
  expect(known.of('node1')).toBeUndefined();
  expect(known.seen(node)).toBe('node1');
  expect(await known.inTheWay('node1')).toEqual({ againInMs: 300 });
  const back = home.get(Nodes, '', name) as KubeObject;
  expect(known.isOurs(back)).toBe(true);
  expect(told).toEqual([]);
});

test('a vnode whose watch lost it with its label is found and gets all labels back', async () => {
  const known = own();
  known.seen(relabelled({}));
  relabelled({ [UID_LABEL]: undefined, [BINDING_LABEL]: undefined }, false);
  expect(await known.inTheWay('node1')).toEqual({ againInMs: 300 });
  expect(home.get(Nodes, '', name)?.metadata.labels).toMatchObject({
    [UID_LABEL]: 'binding-uid',
    [BINDING_LABEL]: 'example-cluster',
  });
});

test('a vnode that is gone is asked for once, and nothing is in the way', async () => {
  const known = own();
  known.seen(relabelled({}));
  home.reset();
  expect(await known.inTheWay('node1')).toBeUndefined();
  expect(await known.inTheWay('node1')).toBeUndefined();
  expect(home.reads).toEqual([name]);
});

test('a Node of another binding for the same worker node is left alone, in the way, and told once an hour', async () => {
  const node = relabelled({ [UID_LABEL]: 'other' }, false);
  vnodes.set(node);
  const known = own();
  for (let n = 0; n < 2; n++) expect(await known.inTheWay('node1')).toEqual({ againInMs: 60_000 });
  expect(await known.judge(node, 'node1')).toEqual({ againInMs: 60_000 });
  expect(home.writes).toEqual([]);
  expect(told).toHaveLength(1);
  expect(told[0]).toContain(`kubectl label node ${name} --overwrite ${UID_LABEL}=binding-uid`);
  // By then the event is gone.
  const later = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 3_600_000);
  await known.judge(node, 'node1');
  later.mockRestore();
  expect(told).toHaveLength(2);
});

test('how many are ours is known without a look at all of them', () => {
  vnodes.set(relabelled({}));
  const known = own();
  expect(known.count).toBe(1);
  const looks = vi.spyOn(vnodes, 'values');
  vnodes.set(relabelled({ [UID_LABEL]: 'other' }));
  expect([known.count, known.all()]).toEqual([0, []]);
  const back = relabelled({});
  vnodes.set(back);
  expect([known.count, known.all()]).toEqual([1, [back]]);
  vnodes.remove(name);
  expect(known.count).toBe(0);
  expect(looks).not.toHaveBeenCalled();
});

test('a vnode that lost the label of its watch while no syncer ran is known, under whichever name, before any is made', async () => {
  const made = relabelled({ [UID_LABEL]: undefined, [BINDING_LABEL]: undefined });
  home.reset();
  const hashed = vnodeHashedName('cls-example', 'node1');
  home.put(Nodes, { ...made, metadata: { ...made.metadata, name: hashed } });
  const known = own();
  await known.takeBack();
  expect(home.get(Nodes, '', hashed)?.metadata.labels).toMatchObject({
    [UID_LABEL]: 'binding-uid',
    [BINDING_LABEL]: 'example-cluster',
  });
  // Its watch has yet to tell.
  expect(await known.inTheWay('node1')).toEqual({ againInMs: 300 });
  expect(home.writes).toEqual([`PATCH ${hashed}`]);
});

test('a vnode that a webhook guards keeps no other from its label, and is asked for again', async () => {
  const lost = { [UID_LABEL]: undefined, [BINDING_LABEL]: undefined };
  const guarded = relabelled(lost);
  const { spec, ...other } = relabelled(lost);
  home.put(Nodes, {
    ...other,
    metadata: { ...other.metadata, name: 'other', uid: 'o' },
    spec: { ...(spec as object), providerID: providerID('cls-example', 'node2') },
  });
  const message = 'admission webhook "guard" denied the request';
  home.refuse = ({ path }) => (path.endsWith(guarded.metadata.name) ? { code: 403, message } : undefined);
  const known = own();
  expect(await known.takeBack()).toEqual(['node1']);
  expect(home.get(Nodes, '', 'other')?.metadata.labels).toHaveProperty([UID_LABEL], 'binding-uid');
  await expect(known.inTheWay('node1')).rejects.toThrow(message);
  home.refuse = () => undefined;
  expect(await known.inTheWay('node1')).toEqual({ againInMs: 300 });
  expect(home.get(Nodes, '', guarded.metadata.name)?.metadata.labels).toHaveProperty([UID_LABEL], 'binding-uid');
});

test('Nodes that this binding did not make are not taken', async () => {
  relabelled({ [UID_LABEL]: 'other', [BINDING_LABEL]: 'other' }, false);
  const known = own();
  await known.takeBack();
  expect([home.writes, told]).toEqual([[], []]);
  expect(await known.inTheWay('node1')).toBeUndefined();
});

test('a vnode that an abandoned binding left goes when somebody deletes it', async () => {
  const node = relabelled({ [UID_LABEL]: 'earlier' }, false);
  const deleted = { ...node.metadata, deletionTimestamp: '2026-11-21T06:00:00Z', finalizers: ['a/b', Finalizer.vnode] };
  vnodes.set(home.put(Nodes, { ...node, metadata: deleted }));
  expect(await own().inTheWay('node1')).toEqual({ againInMs: 300 });
  expect(home.get(Nodes, '', name)?.metadata.finalizers).toEqual(['a/b']);
  expect(told).toEqual([]);
});

test('an adopted vnode is found under the name that gocrane/kubeocean gave it, and asked for no more', async () => {
  const node = `n${'x'.repeat(60)}`;
  const adopted = relabelled({});
  const given = 'vnode-cls-example-nxxxxxxxxxxx-66586dac9e07faaf34aeaf7de9700f3b';
  const spec = { ...(adopted['spec'] as object), providerID: providerID('cls-example', node) };
  const found = home.put(Nodes, { ...adopted, metadata: { ...adopted.metadata, name: given }, spec });
  vnodes.set(found);
  const known = own();
  expect(known.seen(found)).toBe(node);
  expect(known.of(node)?.metadata.name).toBe(given);
  expect(home.reads).toEqual([]);
});

test('a Node that stands for another worker node is not in the way', async () => {
  expect(await own().judge(relabelled({ [UID_LABEL]: 'other' }), 'node2')).toBeUndefined();
});
