import { type ClusterBinding, ClusterBindings, Finalizer } from '@kubeocean/shared/api';
import { type KubeClient, Store } from '@kubeocean/shared/kube';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { sampleBinding } from '../nodes/samples.ts';
import { Peer } from '../volumes/peer.ts';
import { addFinalizer, followFinalizer } from './finalizer.ts';

let home: Peer;
let client: KubeClient;

beforeAll(async () => {
  home = await Peer.start();
  client = home.client();
});
afterEach(() => home.reset());
afterAll(() => home.stop());

function bindingWith(metadata: Partial<ClusterBinding['metadata']>): ClusterBinding {
  const binding = sampleBinding();
  return home.put(ClusterBindings, { ...binding, metadata: { ...binding.metadata, ...metadata } });
}

function finalizers(): string[] | undefined {
  return home.all(ClusterBindings)[0]?.metadata.finalizers;
}

test('the finalizer is put back beside others, as often as somebody takes it off', async () => {
  const bindings = new Store<ClusterBinding>();
  const stop = followFinalizer(bindings, 'binding-uid', (found) => addFinalizer(client, found));
  for (let n = 0; n < 2; n++) {
    bindings.set(bindingWith({ finalizers: [Finalizer.bindingManager] }));
    await vi.waitFor(() => expect(finalizers()).toEqual([Finalizer.bindingManager, Finalizer.bindingSyncer]));
  }
  stop();
});

test.each<[string, Partial<ClusterBinding['metadata']>]>([
  ['has it', { finalizers: [Finalizer.bindingSyncer] }],
  ['is being deleted', { deletionTimestamp: '2026-11-21T06:00:00Z' }],
  ['is another one of its name', { uid: 'another' }],
])('nothing is put on a binding that %s', (_, metadata) => {
  const bindings = new Store<ClusterBinding>();
  const put = vi.fn();
  const stop = followFinalizer(bindings, 'binding-uid', put);
  bindings.set(bindingWith(metadata));
  expect(put).not.toHaveBeenCalled();
  stop();
});

test('one that home refuses is asked for by one try at a time, however often the binding changes', async () => {
  const bindings = new Store<ClusterBinding>();
  const tries: (() => void)[] = [];
  const put = vi.fn(() => new Promise<void>((resolve) => tries.push(resolve)));
  const stop = followFinalizer(bindings, 'binding-uid', put);
  for (let n = 0; n < 100; n++) bindings.set(bindingWith({ resourceVersion: `${n}` }));
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(put).toHaveBeenCalledTimes(1);
  // What was told meanwhile is looked at once more, and what comes later anew.
  for (const calls of [2, 2, 3]) {
    if (calls === 3) bindings.set(bindingWith({ resourceVersion: '101' }));
    tries.shift()?.();
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(put).toHaveBeenCalledTimes(calls);
  }
  stop();
});
