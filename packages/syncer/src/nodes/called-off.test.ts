/** What is begun with a vnode and its pods ends when the record, or the binding, says something else meanwhile. */
import type { LeasedNode } from '@kubeocean/shared/api';
import { ApiError, type KubeObject, type Resource, Store } from '@kubeocean/shared/kube';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { SyncerContext } from '../context.ts';
import { createNodesController, type NodesController } from './controller.ts';
import { binding, DEADLINE, fine } from './controller-fixtures.ts';
import { created, now } from './plan-fixtures.ts';
import { sampleRecord } from './samples.ts';

/** What home was asked to do, `<verb> <name>`, Leases and patches apart. */
let asked: string[];
/** Done when home is asked for something, before it answers. */
let meanwhile: (call: string) => void;
/** How often a vnode was looked at. */
let looks: number;
let records: Store<LeasedNode>;
let vnodes: Store<KubeObject>;
let homePods: Store<KubeObject>;
let removal: 'none' | 'drain';
let running: NodesController;

beforeEach(() => {
  [asked, looks, removal, meanwhile] = [[], 0, 'none', () => undefined];
  [records, vnodes] = [new Store(), new Store()];
  homePods = new Store({ node: ({ spec }) => [(spec as { nodeName: string }).nodeName] });
});
afterEach(() => running.stop());

async function answer(verb: string, { kind }: Resource, name = ''): Promise<KubeObject> {
  await Promise.resolve();
  if (kind === 'Lease') return { metadata: { name } };
  const call = `${verb} ${name}`;
  asked.push(call);
  meanwhile(call);
  if (verb === 'get') throw new ApiError(404, { reason: 'NotFound' }, 'GET', '/');
  return { metadata: { name } };
}

function start(): void {
  const home = {
    create: (resource: Resource, { metadata }: KubeObject, { subresource = 'create' }) =>
      answer(subresource, resource, metadata.name),
    delete: (resource: Resource, _: string, name: string) => answer('delete', resource, name),
    get: (resource: Resource, _: string, name: string) => answer('get', resource, name),
    patch: async () => ({}),
  };
  const context = {
    binding: () => binding,
    bindingName: binding.metadata.name,
    bindingUID: binding.metadata.uid,
    clusterID: binding.spec.clusterID,
    mountNamespace: binding.spec.mountNamespace,
    home,
    stores: { vnodes, records, homePods, workerPods: new Store({ vnode: () => [] }) },
    log: { info: () => undefined, warn: () => undefined, debug: () => undefined },
    leadership: { isCurrent: () => true, leaseTime: () => now },
    settings: { maxVnodes: 10 },
    now: () => now,
    queue: (name: string) => ({ ...(name === 'vnodes' && { observe: () => void looks++ }) }),
    homeEvents: { event: () => undefined },
  } as unknown as SyncerContext;
  running = createNodesController(context, { slices: new Store(), worker: () => fine, removal: () => removal });
  running.start();
}

/** A vnode with three pods. */
function there(): KubeObject {
  const node = created();
  vnodes.set(node);
  for (const name of ['a', 'b', 'c']) {
    homePods.set({ metadata: { namespace: 'shop', name, uid: name }, spec: { nodeName: node.metadata.name } });
  }
  return node;
}

test.each<[string, NonNullable<LeasedNode['status']>]>([
  ['closes', { phase: 'Closing', reclaimStage: 'Evicting' }],
  ['is over', { phase: 'Closed', reason: 'PolicyGone' }],
])('no more pods are asked to go once the lease that %s is open again', async (_, status) => {
  there();
  records.set(sampleRecord(status));
  meanwhile = () => records.set(sampleRecord());
  start();
  // Also after the record was looked at again.
  await vi.waitFor(() => expect(looks).toBeGreaterThanOrEqual(2), DEADLINE);
  expect(asked).toEqual(['eviction a']);
});

test('a vnode whose lease is open again stays, though its last pod has just gone', async () => {
  const { metadata } = there();
  for (const name of ['b', 'c']) homePods.remove(`shop/${name}`);
  const spec = { nodeName: metadata.name };
  homePods.set({ metadata: { namespace: 'shop', name: 'a', uid: 'a' }, spec, status: { phase: 'Failed' } });
  records.set(sampleRecord({ phase: 'Closed', reason: 'PolicyGone' }));
  meanwhile = () => records.set(sampleRecord());
  start();
  await vi.waitFor(() => expect(looks).toBeGreaterThanOrEqual(2), DEADLINE);
  expect(asked).toEqual(['eviction a']);
});

test('a vnode that seems to be gone is not made anew for a binding that is deleted while home is asked', async () => {
  const { metadata } = there();
  records.set(sampleRecord());
  start();
  await vi.waitFor(() => expect(looks).toBe(1), DEADLINE);
  meanwhile = () => (removal = 'drain');
  vnodes.remove(metadata.name);
  await vi.waitFor(() => expect(looks).toBe(2), DEADLINE);
  expect(asked).toEqual([`get ${metadata.name}`]);
});
