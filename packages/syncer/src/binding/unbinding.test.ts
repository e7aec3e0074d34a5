import { ClusterBindings, Finalizer } from '@kubeocean/shared/api';
import { KubeClient, keyOf, Nodes } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { ClaimKeeper } from '../claim/keeper.ts';
import { mustGo } from '../nodes/drain.ts';
import type { NodesController } from '../nodes/controller.ts';
import { sampleBinding } from '../nodes/samples.ts';
import { Peer } from '../volumes/peer.ts';
import { boundClaim, facts, homeClaim } from '../volumes/samples.ts';
import { testState, volumeFor } from '../volumes/test-state.ts';
import { Claims, Volumes } from '../volumes/types.ts';
import { createReachability } from '../worker.ts';
import { hasFinalizer } from './finalizer.ts';
import { pauseMs, removalOf, unbind, unbindingWaitsFor } from './unbinding.ts';

let home: Peer;
let worker: Peer;

beforeAll(async () => {
  [home, worker] = await Promise.all([Peer.start(), Peer.start()]);
});
afterAll(() => {
  home.stop();
  worker.stop();
});

const state = {
  removal: 'drain' as const,
  vnodes: 0,
  homePods: 0,
  everClaimed: true,
  claimHeld: true,
  claimRefusal: undefined,
  workerAnswers: true,
  workerPodsKnown: true,
  workerPods: 0,
};

test.each<[string, Partial<Parameters<typeof unbindingWaitsFor>[0]>, RegExp | undefined]>([
  ['nothing left', {}, undefined],
  ['vnodes', { vnodes: 2, homePods: 3 }, /^2 vnodes with 3 pods to go$/],
  [
    'vnodes, and a worker that does not answer',
    { vnodes: 2, homePods: 3, workerAnswers: false },
    /^2 vnodes with 3 pods to go, but .*abandon=true$/,
  ],
  [
    'vnodes, and a worker that is another',
    { vnodes: 2, homePods: 3, claimHeld: false, claimRefusal: 'WorkerReplaced' },
    /abandon=true$/,
  ],
  [
    'vnodes, taken back',
    { vnodes: 2, homePods: 3, claimHeld: false, claimRefusal: 'Released' },
    /^2 vnodes with 3 pods to go: .* the agent there ends them; .*abandon=true$/,
  ],
  ['worker pods', { workerPods: 4 }, /4 pods in the worker/],
  ['a worker that does not answer', { claimHeld: false, workerPodsKnown: false }, /abandon=true/],
  ['a worker whose pods are not listed yet', { workerPodsKnown: false }, /abandon=true/],
  ['abandoned: only vnodes count', { removal: 'abandon', claimHeld: false, workerPodsKnown: false }, undefined],
  ['abandoned, vnodes left', { removal: 'abandon', vnodes: 1 }, /1 vnodes/],
  ['never claimed: nothing can be there', { everClaimed: false, claimHeld: false }, undefined],
  ['the name is somebody else’s', { claimHeld: false, claimRefusal: 'NameTaken', workerPods: 1 }, undefined],
  ['taken back', { claimHeld: false, claimRefusal: 'Released' }, undefined],
  ['a foreign epoch has to be approved first', { claimHeld: false, claimRefusal: 'ForeignEpoch' }, /abandon=true/],
])('unbinding with %s', (_name, change, waits) => {
  const found = unbindingWaitsFor({ ...state, ...change });
  if (waits) expect(found).toMatch(waits);
  else expect(found).toBeUndefined();
});

test('removal of a binding', () => {
  const binding = sampleBinding();
  expect(removalOf(binding)).toBe('none');
  binding.metadata.annotations = { 'kubeocean.io/abandon': 'true' };
  expect(removalOf(binding)).toBe('none');
  binding.metadata.deletionTimestamp = '2026-11-21T06:00:00Z';
  expect(removalOf(binding)).toBe('abandon');
  delete binding.metadata.annotations;
  expect(removalOf(binding)).toBe('drain');
});

/** A binding that is being deleted and has nothing left to wait for, unless its stores say so. */
function ending(count = 0) {
  const found = testState(home, worker);
  const binding = sampleBinding();
  binding.metadata = { name: facts.bindingName, uid: facts.bindingUID, finalizers: Object.values(Finalizer) };
  binding.metadata.deletionTimestamp = '2026-11-21T06:00:00Z';
  home.put(ClusterBindings, binding);
  found.context.binding = () => binding;
  found.context.report = { stop: () => Promise.resolve() } as typeof found.context.report;
  for (const store of Object.values(found.stores)) store.replace([]);
  const held = { held: true, release: () => Promise.resolve() } as unknown as ClaimKeeper;
  const parts = {
    claim: held,
    nodes: { count, resync: () => undefined } as unknown as NodesController,
    everClaimed: () => true,
    workerAnswers: () => true,
  };
  return { ...found, parts };
}

test('an end that fails says so on the binding, and how to end without the worker; it ends when nothing fails', async () => {
  const { context, parts, events } = ending();
  const claim = worker.put(Claims, boundClaim(homeClaim()));
  home.put(Volumes, volumeFor(claim));
  worker.refuse = ({ method }) => (method === 'PATCH' ? { code: 403, message: 'a policy of the owner' } : undefined);

  const ended = unbind(context, parts, new AbortController().signal);
  const { name } = context.binding().metadata;
  const words = `${name} Unbinding: it cannot end yet and is tried again (to end without the worker: kubectl annotate clusterbinding ${name} kubeocean.io/abandon=true): a policy of the owner`;
  await vi.waitFor(() => expect(events[0]).toBe(words));
  expect(home.get(ClusterBindings, '', name)?.metadata.finalizers).toEqual(Object.values(Finalizer));
  worker.refuse = () => undefined;
  await ended;
  expect(hasFinalizer(home.get(ClusterBindings, '', name) ?? context.binding())).toBe(false);
});

test('a vnode of which the watch has not told is waited for, and gets the label by which it is watched', async () => {
  home.reset();
  const { context, parts, events } = ending();
  const metadata = { name: 'vnode-cls-node1', labels: { 'kubeocean.io/binding-uid': facts.bindingUID } };
  home.put(Nodes, { metadata, spec: { providerID: 'kubeocean://cls/node1' } });
  const real = { ...metadata, name: 'real' };
  home.put(Nodes, { metadata: real, spec: { providerID: 'aws:///real' } });
  const ended = unbind(context, parts, new AbortController().signal);
  await vi.waitFor(() => expect(events[0]).toMatch(/: the vnode vnode-cls-node1 is still there$/));
  const { name } = context.binding().metadata;
  expect(home.get(ClusterBindings, '', name)?.metadata.finalizers).toEqual(Object.values(Finalizer));
  expect(home.get(Nodes, '', metadata.name)?.metadata.labels).toHaveProperty(['kubeocean.io/cluster-binding']);
  await context.home.delete(Nodes, '', metadata.name);
  await ended;
  expect(hasFinalizer(home.get(ClusterBindings, '', name) ?? context.binding())).toBe(false);
});

test('copies that finalizers of others keep do not keep the binding, however many there are', async () => {
  worker.reset();
  const server = await TestServer.start();
  const deleted: string[] = [];
  server.answer = (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'https://server');
    if (request.method === 'DELETE') {
      deleted.push(pathname.split('/').slice(-2).join('/'));
      return void response.end('{}');
    }
    // Two pages, always the same.
    const more = searchParams.get('continue') === null;
    const items = [{ metadata: { name: more ? 'a' : 'b', uid: 'u' } }];
    response.end(JSON.stringify({ metadata: more ? { continue: 'more' } : {}, items }));
  };
  const { context, parts } = ending();
  context.worker = new KubeClient(server.transport());
  await unbind(context, parts, new AbortController().signal);
  expect(deleted).toEqual(['configmaps/a', 'configmaps/b', 'secrets/a', 'secrets/b']);
  server.reset();
  server.stop();
});

test('what unbinding waits for is told once, not at each pod that goes, and again when it is something else', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const stop = new AbortController();
    let answers = true;
    const { context, stores, parts, events } = ending(1);
    parts.workerAnswers = () => answers;
    const pods = Array.from({ length: 30 }, (_, at) => ({
      metadata: { name: `p${at}`, namespace: 'default' },
      spec: {},
    }));
    stores.homePods.replace(pods);
    const ended = unbind(context, parts, stop.signal);
    for (const pod of pods.slice(1)) {
      stores.homePods.remove(keyOf(pod));
      await vi.advanceTimersByTimeAsync(1000);
    }
    expect(events.map((event) => event.replace(/^.*: /, ''))).toEqual(['waiting for 1 vnodes with 30 pods to go']);
    answers = false;
    await vi.advanceTimersByTimeAsync(1000);
    expect(events[1]).toMatch(/1 vnodes with 1 pods to go, but the worker cluster .*abandon=true$/);
    stop.abort();
    await ended;
  } finally {
    vi.useRealTimers();
  }
});

test('an end that fails is tried again with growing pauses', () => {
  expect([1, 2, 3, 4, 5, 6, 100].map(pauseMs)).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
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

test('a worker is unreachable after 30 s of silence, and not known before it has answered', () => {
  const reach = createReachability(0);
  expect(reach.unreachable(29_000)).toBeUndefined();
  expect(reach.unreachable(30_001)).toBe(true);
  reach.contact(40_000);
  expect(reach.unreachable(70_000)).toBe(false);
  reach.failed(new Error('refused'));
  expect(reach.unreachable(70_001)).toBe(true);
});
