import { type KubeObject, Store } from '@kubeocean/shared/kube';
import { expect, test } from 'vitest';
import { followWorkerIdentity } from './worker-identity.ts';

function heartbeat(uid: string | undefined, resourceVersion: string): KubeObject {
  const annotations = { ...(uid !== undefined && { 'kubeocean.io/worker-cluster-uid': uid }) };
  return { metadata: { namespace: 'w', name: 'kubeocean-agent', resourceVersion, annotations } };
}

test.each<[string, (string | undefined)[], number]>([
  ['the same cluster', ['a', 'a', 'a'], 0],
  ['an agent that does not say', [undefined, undefined], 0],
  ['one that says it later, and not always', [undefined, 'a', undefined, 'a'], 0],
  ['another cluster', ['a', 'b'], 1],
  ['another cluster, after one that did not say', ['a', undefined, 'b'], 1],
])('%s', (_, uids, others) => {
  const store = new Store<KubeObject>();
  const errors: string[] = [];
  const [first, ...later] = uids;
  store.replace([heartbeat(first, '1')]);
  const stop = followWorkerIdentity(store, ({ message }) => errors.push(message));
  for (const [index, uid] of later.entries()) store.set(heartbeat(uid, String(index + 2)));
  expect(errors).toHaveLength(others);
  stop();
  store.set(heartbeat('c', '99'));
  expect(errors).toHaveLength(others);
});
