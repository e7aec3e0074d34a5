import { ClusterBindings, Finalizer } from '@kubeocean/shared/api';
import { ConfigMaps, KubeClient, keyOf, Nodes, Secrets } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { ClaimKeeper } from '../claim/keeper.ts';
import type { NodesController } from '../nodes/controller.ts';
import { sampleBinding } from '../nodes/samples.ts';
import { Peer } from '../volumes/peer.ts';
import { boundClaim, facts, homeClaim } from '../volumes/samples.ts';
import { testState, volumeFor } from '../volumes/test-state.ts';
import { Claims, Volumes } from '../volumes/types.ts';
import { hasFinalizer } from './finalizer.ts';
import { unbind } from './unbinding.ts';

let home: Peer;
let worker: Peer;

beforeAll(async () => {
  [home, worker] = await Promise.all([Peer.start(), Peer.start()]);
});
afterAll(() => {
  home.stop();
  worker.stop();
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

/** A copy in the mount namespace. */
function copy(name: string, bindingUID = facts.bindingUID) {
  const labels = { 'kubeocean.io/binding-uid': bindingUID };
  return { metadata: { name, namespace: facts.mountNamespace, uid: `uid-of-${name}`, labels } };
}

test('a binding takes its copies with it, then its claim, then its finalizer, and nothing of others', async () => {
  for (const peer of [home, worker]) peer.reset();
  const { context, parts } = ending();
  worker.put(ConfigMaps, copy('ours'));
  worker.put(Secrets, copy('ours-too'));
  worker.put(Secrets, copy('others', 'another'));
  const order: string[] = [];
  worker.refuse = ({ method, path, body }) =>
    void order.push(`${method} ${path.split('/').at(-1)} ${body.preconditions?.uid}`);
  home.refuse = ({ method, path }) => void order.push(`${method} ${path.split('/').at(-1)} at home`);
  parts.claim.release = () => Promise.resolve(void order.push('claim'));
  context.report.stop = () => Promise.resolve(void order.push('report'));
  parts.nodes.resync = () => void order.push('vnodes');
  await unbind(context, parts, new AbortController().signal);
  const { name } = context.binding().metadata;
  expect(order).toEqual([
    'vnodes',
    'DELETE ours uid-of-ours',
    'DELETE ours-too uid-of-ours-too',
    'claim',
    'report',
    `PATCH ${name} at home`,
  ]);
  expect(home.get(ClusterBindings, '', name)?.metadata.finalizers).not.toContain(Finalizer.bindingSyncer);
});

test.each([
  [404, 'NotFound'],
  [409, 'Conflict'],
])('a copy that is gone or another by now (%i) does not keep the binding', async (code, reason) => {
  for (const peer of [home, worker]) peer.reset();
  const { context, parts, events } = ending();
  for (const name of ['a', 'b']) worker.put(ConfigMaps, copy(name));
  worker.refuse = ({ path }) => (path.endsWith('/a') ? { code, reason, message: 'another' } : undefined);
  await unbind(context, parts, new AbortController().signal);
  expect([worker.all(ConfigMaps).map(({ metadata }) => metadata.name), events]).toEqual([['a'], []]);
});

test('copies and volumes that a webhook guards keep no copy in the worker, but the claim', async () => {
  for (const peer of [home, worker]) peer.reset();
  const { context, parts, events } = ending();
  for (const name of ['a', 'b']) worker.put(ConfigMaps, copy(name));
  worker.put(Secrets, copy('c'));
  home.put(Volumes, volumeFor(worker.put(Claims, boundClaim(homeClaim()))));
  const release = vi.fn(() => Promise.resolve());
  parts.claim.release = release;
  worker.refuse = ({ method, path }) =>
    method === 'PATCH' || path.endsWith('/a') ? { code: 403, message: 'guarded' } : undefined;
  const ended = unbind(context, parts, new AbortController().signal);
  await vi.waitFor(() => expect(events[0]).toContain(': guarded'), 20_000);
  expect([worker.all(ConfigMaps).map(({ metadata }) => metadata.name), worker.all(Secrets)]).toEqual([['a'], []]);
  expect(release).not.toHaveBeenCalled();
  worker.refuse = () => undefined;
  await ended;
  expect(release).toHaveBeenCalledOnce();
});

test.each([
  ['is abandoned', true],
  ['has lost its name there to another', false],
])('a binding that %s ends without a write to the worker', async (_, held) => {
  for (const peer of [home, worker]) peer.reset();
  const { context, parts } = ending();
  if (held) context.binding().metadata.annotations = { 'kubeocean.io/abandon': 'true' };
  const release = vi.fn<() => Promise<void>>();
  parts.claim = { held, refusal: held ? undefined : 'NameTaken', release } as unknown as ClaimKeeper;
  worker.put(Secrets, copy('ours'));
  home.put(Volumes, volumeFor(worker.put(Claims, boundClaim(homeClaim()))));
  await unbind(context, parts, new AbortController().signal);
  expect([worker.writes, release.mock.calls]).toEqual([[], []]);
  expect(home.all(Volumes)[0]?.['spec']).toMatchObject({ persistentVolumeReclaimPolicy: 'Retain' });
});

test.each(['before', 'among'])(
  'a claim that is lost %s the copies is waited for: nothing is left behind',
  async (when) => {
    for (const peer of [home, worker]) peer.reset();
    const { context, parts, events } = ending();
    for (const name of ['a', 'b']) worker.put(Secrets, copy(name));
    let held = true;
    context.mayWriteWorker = () => held;
    const release = vi.fn(() => Promise.resolve());
    parts.claim = {
      release,
      get held() {
        return held;
      },
    } as unknown as ClaimKeeper;
    const list = context.home.list.bind(context.home);
    const lose = () => void (held = false);
    if (when === 'among') worker.refuse = lose;
    else vi.spyOn(context.home, 'list').mockImplementationOnce((...given) => (lose(), list(...given)));
    const ended = unbind(context, parts, new AbortController().signal);
    await vi.waitFor(() => expect(events[0]).toContain('no writes to the worker cluster now'), 20_000);
    const { name } = context.binding().metadata;
    expect(worker.all(Secrets)).toHaveLength(when === 'among' ? 1 : 2);
    expect(home.get(ClusterBindings, '', name)?.metadata.finalizers).toContain(Finalizer.bindingSyncer);
    expect(release).not.toHaveBeenCalled();
    worker.refuse = () => undefined;
    held = true;
    await ended;
    expect([worker.all(Secrets), release.mock.calls.length]).toEqual([[], 1]);
  },
);

test('a binding from which somebody took our finalizer is left as it is', async () => {
  for (const peer of [home, worker]) peer.reset();
  const { context, parts } = ending();
  context.binding().metadata.finalizers = [];
  worker.put(Secrets, copy('ours'));
  await unbind(context, parts, new AbortController().signal);
  expect([worker.writes, home.writes]).toEqual([[], []]);
});

test('what unbinding waits for is told once, not at each pod that goes, and again when it is something else; the way out not before the claim was looked at', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const stop = new AbortController();
    const is = { held: false, answers: true };
    const { context, stores, parts, events } = ending(1);
    Object.defineProperty(parts.claim, 'held', { get: () => is.held });
    parts.workerAnswers = () => is.answers;
    const pods = Array.from({ length: 30 }, (_, at) => ({
      metadata: { name: `p${at}`, namespace: 'default' },
      spec: {},
    }));
    stores.homePods.replace(pods);
    const ended = unbind(context, parts, stop.signal);
    await vi.advanceTimersByTimeAsync(3000);
    expect(events).toEqual([]);
    is.held = true;
    await vi.advanceTimersByTimeAsync(1000);
    for (const pod of pods.slice(1)) {
      stores.homePods.remove(keyOf(pod));
      await vi.advanceTimersByTimeAsync(1000);
    }
    expect(events.map((event) => event.replace(/^.*: /, ''))).toEqual(['waiting for 1 vnodes with 30 pods to go']);
    is.answers = false;
    await vi.advanceTimersByTimeAsync(15_000);
    expect(events[1]).toMatch(/1 vnodes with 1 pods to go, but the worker cluster .*abandon=true$/);
    stop.abort();
    await ended;
  } finally {
    vi.useRealTimers();
  }
});
