/** From a home pod that was never run to its worker pod, against a server of the tests' own. */
import type { ClusterBinding } from '@kubeocean/shared/api';
import { Store } from '@kubeocean/shared/kube';
import { TestServer } from '@kubeocean/shared/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createWorker } from './creation.ts';
import { homePath, homePod, World } from './ending-fixtures.ts';
import { createRefusals } from './refusals.ts';

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
});
afterAll(() => server.stop());

const daemon = [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'd', uid: 'd', controller: true }];

test.each([
  ['its namespace is not selected any more', {}, { namespaceSelector: { matchLabels: { team: 'a' } } }, {}],
  [
    'it is a DaemonSet’s, and its vnode goes',
    { ownerReferences: daemon },
    { runningDaemonsetByDefault: true },
    { deletionTimestamp: '2026-01-02T03:00:00Z' },
  ],
])('a pod that was let in and is not to be run any more takes no room: %s', async (_, metadata, spec, binding) => {
  const world = new World(server);
  const home = homePod({ phase: 'Pending' }, metadata);
  world.objects.set(homePath, home);
  world.objects.set('/api/v1/namespaces/shop', { metadata: { name: 'shop', labels: {} } });
  const state = world.stateOf();
  const changed: string[] = [];
  state.admitted = new Set([home.metadata.uid ?? '']);
  state.room.changed = (key) => void changed.push(key);
  state.context.binding = () =>
    ({ metadata: { name: 'example-cluster', ...binding }, spec }) as unknown as ClusterBinding;
  Object.assign(state.context.stores, { records: new Store({ vnode: () => [] }), vnodes: new Store() });
  await createWorker(
    state,
    home,
    createRefusals(() => []),
  );
  expect(world.told).toEqual(['Warning NotRun']);
  expect([state.admitted.size, changed]).toEqual([0, ['shop/web-5d9c7b-abcde']]);
});
