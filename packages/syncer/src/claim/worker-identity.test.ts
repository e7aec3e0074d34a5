import { type KubeObject, Store } from '@kubeocean/shared/kube';
import { expect, test } from 'vitest';
import type { ClusterBinding } from '@kubeocean/shared/api';
import { followWorkerIdentity, judgeWorker } from './worker-identity.ts';

function heartbeat(uid: string | undefined, resourceVersion: string): KubeObject {
  const annotations = { ...(uid !== undefined && { 'kubeocean.io/worker-cluster-uid': uid }) };
  return { metadata: { namespace: 'w', name: 'kubeocean-agent', resourceVersion, annotations } };
}

test.each<[string, (string | undefined)[], number]>([
  ['the same cluster', ['a', 'a', 'a'], 0],
  ['an agent that does not say', [undefined, undefined], 0],
  ['one that says it later, and not always', [undefined, 'a', undefined, 'a'], 0],
  ['another cluster', ['a', 'b'], 1],
  ['an agent that says what is no UID', ['a', 'b; id', '$(id)', 'b'.repeat(64), ''], 0],
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

test.each<[string, string | undefined, string | undefined, boolean, string | undefined]>([
  ['the known one', 'a', 'a', false, undefined],
  ['one seen for the first time', undefined, 'a', false, undefined],
  ['one that nobody knows, and that says nothing', undefined, undefined, false, undefined],
  ['one that says nothing, with our claim', 'a', undefined, true, undefined],
  ['one that says nothing, without it', 'a', undefined, false, 'WorkerNotKnown'],
  ['another', 'a', 'b', false, 'WorkerReplaced'],
  ['another, to which the claim was copied', 'a', 'b', true, 'WorkerReplaced'],
  ['another that was approved', 'a', 'approved', false, undefined],
])('a syncer that starts finds %s', (_, workerUID, said, claimed, reason) => {
  const annotations = { 'kubeocean.io/worker-uid': 'approved' };
  const binding = {
    metadata: { name: 'b', annotations },
    status: { ...(workerUID !== undefined && { workerUID }) },
  } as unknown as ClusterBinding;
  const stranger = judgeWorker(binding, said, claimed);
  expect(stranger?.reason).toBe(reason);
  if (reason === 'WorkerReplaced') {
    expect(stranger?.message).toContain(
      `kubectl annotate clusterbinding b --overwrite kubeocean.io/worker-uid=${said}`,
    );
  }
});
