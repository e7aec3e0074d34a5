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
  const stop = followFinalizer(bindings, 'binding-uid', (found) => void addFinalizer(client, found));
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
