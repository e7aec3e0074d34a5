import { text } from 'node:stream/consumers';
import { KubeClient, type KubeObject, Store } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { SyncerContext } from '../context.ts';
import { drain, mustGo } from './drain.ts';
import type { VnodeLeases } from './leases.ts';
import { createRemoval } from './removal.ts';

const VNODE = 'vnode-cls-example-node1';
let server: TestServer;
let calls: string[];
/** What was sent, by `METHOD path`. */
let bodies: Record<string, unknown>;
let leads: boolean;
let told: string[];
let homePods: Store<KubeObject>;
const vnodes = new Store<KubeObject>();
vnodes.set({ metadata: { name: VNODE, uid: 'uid-of-vnode' } });
/** What is answered to a write, by its path. */
let refusals: Record<string, { code: number; reason?: string; message: string; details?: object }>;

beforeAll(async () => {
  server = await TestServer.start();
  server.answer = (request, response) => {
    const { pathname } = new URL(request.url ?? '', 'https://server');
    const call = `${request.method} ${pathname}`;
    calls.push(call);
    void text(request).then((body) => {
      if (body) bodies[call] = JSON.parse(body);
      const refusal = refusals[pathname];
      response.writeHead(refusal?.code ?? 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(refusal ? { kind: 'Status', reason: 'Refused', ...refusal } : {}));
    });
  };
});
beforeEach(() => {
  [calls, bodies, leads, told, refusals] = [[], {}, true, [], {}];
  homePods = new Store({ node: ({ spec }) => [(spec as { nodeName: string }).nodeName] });
});
afterAll(() => server.stop());

function context(): SyncerContext {
  return {
    home: new KubeClient(server.transport()),
    stores: { homePods, vnodes, workerPods: new Store({ vnode: () => [] }) },
    log: { info: () => undefined, debug: () => undefined },
    leadership: { isCurrent: () => leads },
    homeEvents: {
      event: ({ metadata }: KubeObject, type: string, reason: string, message: string) =>
        told.push(`${metadata.name} (${metadata.uid}) ${type} ${reason}: ${message}`),
    },
  } as unknown as SyncerContext;
}

function pod(name: string, more: Partial<KubeObject> = {}): void {
  const metadata = { name, namespace: 'default', uid: `uid-of-${name}`, ...more.metadata };
  homePods.set({ ...more, metadata, spec: { nodeName: VNODE } });
}

const path = (name: string) => `/api/v1/namespaces/default/pods/${name}`;
const WORDS = 'The disruption budget b needs 1 healthy pods and has 1 currently';
const BUDGET = { code: 429, message: 'budget', details: { causes: [{ reason: 'DisruptionBudget', message: WORDS }] } };
const KEPT = `default/a (${WORDS})`;
const TWO_BUDGETS = 'This pod has more than one PodDisruptionBudget';

test('one pod that cannot be evicted keeps no other, and is told with the cause', async () => {
  for (const name of ['a', 'b', 'c']) pod(name);
  refusals[`${path('a')}/eviction`] = { code: 500, message: TWO_BUDGETS };
  await expect(drain(context(), VNODE)).rejects.toThrow(`the pod default/a cannot be made to go: ${TWO_BUDGETS}`);
  expect(calls.toSorted()).toEqual(['a', 'b', 'c'].map((name) => `POST ${path(name)}/eviction`));
  expect(told).toEqual([
    `a (uid-of-a) Warning EvictionFailed: has to leave the vnode ${VNODE}, but cannot be made to go and is asked again: ${TWO_BUDGETS}`,
    `${VNODE} (uid-of-vnode) Warning EvictionFailed: the pod default/a cannot be made to go and is asked again: ${TWO_BUDGETS}`,
  ]);
});

test.each([
  [404, 'NotFound'],
  [409, 'Conflict'],
  [429, 'TooManyRequests'],
])('a pod that a webhook keeps, with the code %i, keeps no other and is told', async (code, reason) => {
  for (const name of ['a', 'b']) pod(name);
  const message = 'admission webhook "own" denied the request: not now';
  refusals[`${path('a')}/eviction`] = { code, reason, message };
  await expect(drain(context(), VNODE)).rejects.toThrow(`the pod default/a cannot be made to go: ${message}`);
  expect(calls).toEqual(['a', 'b'].map((name) => `POST ${path(name)}/eviction`));
  expect(told).toHaveLength(2);
});

test('a disruption budget is waited for, and is no failure', async () => {
  pod('a');
  refusals[`${path('a')}/eviction`] = BUDGET;
  expect(await drain(context(), VNODE)).toMatchObject({ homePods: 1, workerPods: 0, refused: [KEPT] });
  expect(told).toEqual([]);
});

test('a server that has too much to do is not asked for every pod, and no budget is said to be in the way', async () => {
  for (const name of ['a', 'b']) {
    pod(name);
    refusals[`${path(name)}/eviction`] = { code: 429, message: 'Too many requests, please try again later.' };
  }
  const remove = createRemoval(context(), {} as VnodeLeases);
  await expect(remove({ metadata: { name: VNODE } }, false)).rejects.toThrow('Too many requests');
  expect(calls).toHaveLength(1);
  expect(told).toEqual([]);
});

/** As it is from the first step on. */
const draining: KubeObject = {
  metadata: { name: VNODE, uid: 'u' },
  spec: { taints: [{ key: 'kubeocean.io/vnode-deleting', value: 'true', effect: 'NoSchedule' }] },
};

test('a pod that a disruption budget keeps is asked every five seconds, however many others go meanwhile', async () => {
  let now = 0;
  const remove = createRemoval(context(), {} as VnodeLeases, () => now);
  for (let n = 0; n < 10; n++) pod(`p${n}`);
  pod('kept');
  refusals[`${path('kept')}/eviction`] = BUDGET;
  const asked = () => calls.filter((call) => call.includes('/kept/')).length;
  for (let n = 0; n < 10; n++, now += 500) {
    await remove(draining, false);
    homePods.remove(`default/p${n}`);
  }
  expect(asked()).toBe(1);
  await remove(draining, false);
  expect(asked()).toBe(2);
  expect(told).toHaveLength(1);
});

test('a vnode that disruption budgets keep says so once, until they let its pods go', async () => {
  let now = 0;
  const remove = createRemoval(context(), {} as VnodeLeases, () => (now += 5000));
  const kept = `${VNODE} (u) Warning EvictionRefused: it is removed once disruption budgets let its pods go, which are asked again and again: ${KEPT}`;
  for (const name of ['a', 'b']) {
    pod(name);
    refusals[`${path(name)}/eviction`] = BUDGET;
  }
  for (let n = 0; n < 3; n++) expect(await remove(draining, false)).toEqual({ againInMs: 5000 });
  expect(told).toEqual([`${kept} and 1 more`]);
  refusals = {};
  await remove(draining, false);
  homePods.remove('default/b');
  refusals[`${path('a')}/eviction`] = BUDGET;
  await remove(draining, false);
  expect(told.slice(1)).toEqual([kept]);
});

test('a vnode that stayed after all says again, when it is to go once more, that disruption budgets keep it', async () => {
  let now = 0;
  const remove = createRemoval(context(), {} as VnodeLeases, () => (now += 5000));
  pod('a');
  refusals[`${path('a')}/eviction`] = BUDGET;
  const vnode: KubeObject = { metadata: draining.metadata };
  for (let times = 1; times <= 2; times++) {
    vnodes.set(vnode);
    vnodes.set(draining);
    for (const step of [draining, draining]) await remove(step, false);
    expect(told).toHaveLength(times);
  }
});

test('pods that have ended hold no drain up: what tolerates every taint comes again and is refused again', async () => {
  pod('a', { status: { phase: 'Failed' } });
  expect(await drain(context(), VNODE)).toMatchObject({ homePods: 0 });
  expect(calls).toEqual([`POST ${path('a')}/eviction`]);
});

test('a vnode that is given up goes, though DaemonSets that tolerate everything put their pods back', async () => {
  const vnode: KubeObject = { metadata: { name: VNODE, uid: 'u', finalizers: ['kubeocean.io/vnode'] } };
  const removed: string[] = [];
  const leases = { remove: async (name: string) => void removed.push(name) } as unknown as VnodeLeases;
  const made = context();
  pod('d-1');
  const remove = createRemoval(made, leases);
  await remove(vnode, true);
  expect(calls).toEqual([`DELETE ${path('d-1')}`, `DELETE /api/v1/nodes/${VNODE}`]);
  pod('d-2');
  const deleted = { ...vnode, metadata: { ...vnode.metadata, deletionTimestamp: '2026-11-21T06:00:00Z' } };
  expect(await remove(deleted, true)).toBeUndefined();
  expect(calls.slice(2)).toContain(`PATCH /api/v1/nodes/${VNODE}`);
  expect(removed).toEqual([VNODE]);
});

test('a pod of a vnode that is given up and cannot be deleted keeps no other, and is told', async () => {
  for (const name of ['a', 'b']) pod(name);
  refusals[path('a')] = { code: 403, message: 'a policy' };
  const vnode: KubeObject = { metadata: { name: VNODE, uid: 'u' } };
  await expect(createRemoval(context(), {} as VnodeLeases)(vnode, true)).rejects.toThrow('default/a');
  expect(calls.toSorted()).toEqual([`DELETE ${path('a')}`, `DELETE ${path('b')}`]);
  expect(told).toHaveLength(2);
});

test('the pods that are there are asked to go, and no others that have their names by then', async () => {
  pod('a');
  await drain(context(), VNODE);
  expect(bodies[`POST ${path('a')}/eviction`]).toEqual({
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { name: 'a', namespace: 'default' },
    deleteOptions: { preconditions: { uid: 'uid-of-a' } },
  });
  await createRemoval(context(), {} as VnodeLeases)({ metadata: { name: VNODE, uid: 'u' } }, true);
  expect(bodies[`DELETE ${path('a')}`]).toMatchObject({ gracePeriodSeconds: 0, preconditions: { uid: 'uid-of-a' } });
});

test.each([
  [404, 'NotFound'],
  [409, 'Conflict'],
])('a pod or a vnode that is gone or another by now (%i) needs nothing more', async (code, reason) => {
  pod('a');
  const node = `/api/v1/nodes/${VNODE}`;
  for (const at of [path('a'), `${path('a')}/eviction`, node]) refusals[at] = { code, reason, message: 'another' };
  expect(await drain(context(), VNODE)).toMatchObject({ homePods: 1, refused: [] });
  const remove = createRemoval(context(), {} as VnodeLeases);
  expect(await remove({ metadata: { name: VNODE, uid: 'u' } }, true)).toEqual({ againInMs: 1000 });
  expect(calls.slice(1)).toEqual([`DELETE ${path('a')}`, `DELETE ${node}`]);
  expect(told).toEqual([]);
});

test('the vnode that was looked at is deleted, and loses our finalizer alone', async () => {
  const node = `/api/v1/nodes/${VNODE}`;
  const metadata = { name: VNODE, uid: 'u', resourceVersion: '7', finalizers: ['other', 'kubeocean.io/vnode'] };
  const removed: string[] = [];
  const leases = { remove: async (name: string) => void removed.push(name) } as unknown as VnodeLeases;
  const remove = createRemoval(context(), leases);
  await remove({ metadata }, false);
  expect(bodies[`DELETE ${node}`]).toMatchObject({ preconditions: { uid: 'u' } });
  expect(bodies[`PATCH ${node}`]).toBeUndefined();
  const deletionTimestamp = '2026-11-21T06:00:00Z';
  await remove({ metadata: { ...metadata, deletionTimestamp } }, false);
  expect(bodies[`PATCH ${node}`]).toEqual({ metadata: { uid: 'u', resourceVersion: '7', finalizers: ['other'] } });
  expect(removed).toEqual([VNODE]);
  calls = [];
  await remove({ metadata: { ...metadata, deletionTimestamp, finalizers: ['other'] } }, false);
  expect(calls).toEqual([]);
});

test('a vnode whose pods are gone waits for their worker pods', async () => {
  const made = context();
  const worker = { metadata: { name: 'w' } };
  Object.assign(made.stores.workerPods, { byIndex: () => [worker] });
  const remove = createRemoval(made, {} as VnodeLeases);
  expect(await remove({ metadata: { name: VNODE, uid: 'u' } }, false)).toEqual({ againInMs: 5000 });
  expect(calls).toEqual([]);
});

test('what is on its way already, and what is not run there, is not asked to go', async () => {
  pod('going', { metadata: { deletionTimestamp: '2026-11-21T06:00:00Z' } as KubeObject['metadata'] });
  pod('not-run', { status: { conditions: [{ type: 'kubeocean.io/NotRun', status: 'True' }] } });
  expect(await drain(context(), VNODE)).toMatchObject({ homePods: 1 });
  expect(calls).toEqual([]);
});

test('a syncer that leads no more asks no pod to go', async () => {
  pod('a');
  leads = false;
  await drain(context(), VNODE);
  await createRemoval(context(), {} as VnodeLeases)({ metadata: { name: VNODE, uid: 'u' } }, true);
  expect(calls.filter((call) => call.includes('/pods/'))).toEqual([]);
});

test('pods that stand in the way of a drain', () => {
  const daemon = {
    ownerReferences: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'd', uid: 'x', controller: true }],
  };
  const workerPod = { metadata: { name: 'w', annotations: { 'kubeocean.io/virtual-pod-uid': 'u' } } };
  const notRun = { conditions: [{ type: 'kubeocean.io/NotRun', status: 'True' }] };
  expect(mustGo({ metadata: { name: 'p', uid: 'u' } }, [])).toBe(true);
  expect(mustGo({ metadata: { name: 'p', uid: 'u' }, status: notRun }, [])).toBe(false);
  expect(mustGo({ metadata: { name: 'p', uid: 'u', ...daemon } }, [])).toBe(false);
  expect(mustGo({ metadata: { name: 'p', uid: 'u', ...daemon } }, [workerPod])).toBe(true);
});
