import type { LeasedNode } from '@kubeocean/shared/api';
import { type KubeObject, Pods } from '@kubeocean/shared/kube';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createWorker } from '../pods/creation/creation.ts';
import { createRefusals } from '../pods/creation/refusals.ts';
import type { PodState } from '../pods/state.ts';
import type { Pod } from '../pods/types.ts';
import { Peer } from '../volumes/peer.ts';
import { testState } from '../volumes/test-state.ts';
import { leavingReason } from './leaving.ts';
import { sampleBinding, sampleRecord } from './samples.ts';

const vnode: KubeObject = { metadata: { name: 'v' }, spec: { taints: [{ key: 'kubeocean.io/vnode' }] } };
const drained: KubeObject = { ...vnode, spec: { taints: [{ key: 'kubeocean.io/vnode-deleting' }] } };
const record = (phase: 'Active' | 'Closing' | 'Closed') => sampleRecord({ phase });

test.each<[string, boolean, KubeObject | undefined, LeasedNode | undefined, RegExp | undefined]>([
  ['an ordinary vnode', false, vnode, record('Active'), undefined],
  ['an ordinary vnode without a record', false, vnode, undefined, undefined],
  ['one that is not known', false, undefined, undefined, undefined],
  ['one that is drained', false, drained, record('Closed'), /^the vnode v is being removed/],
  ['one that is drained and whose record is gone', false, drained, undefined, /^the vnode v is being removed/],
  ['one whose record is open again', false, drained, record('Active'), undefined],
  ['one whose record is closing', false, drained, record('Closing'), undefined],
  ['a vnode of a binding that is being deleted', true, vnode, record('Active'), /example-cluster is being deleted/],
  ['an unknown one of a binding that is being deleted', true, undefined, undefined, /example-cluster is being deleted/],
])('whether a new pod begins on %s', (_, removed, on, lent, message) => {
  const binding = sampleBinding();
  if (removed) binding.metadata.deletionTimestamp = '2026-11-21T06:00:00Z';
  const found = leavingReason(binding, on, lent);
  if (message) expect(found).toEqual({ reason: 'LeaseClosed', message: expect.stringMatching(message) as string });
  else expect(found).toBeUndefined();
});

describe('a pod that was never run and came to a vnode of a binding that is being deleted', () => {
  let home: Peer;
  let worker: Peer;
  beforeAll(async () => {
    [home, worker] = await Promise.all([Peer.start(), Peer.start()]);
  });
  afterAll(() => {
    home.stop();
    worker.stop();
  });

  test.each([
    // Failed, its DaemonSet would make it again for as long as the vnode is there.
    ['DaemonSet', { phase: 'Pending', reason: 'NotRun' }],
    ['ReplicaSet', { phase: 'Failed', reason: 'LeaseClosed' }],
  ])('of a %s is not run', async (kind, status) => {
    worker.reset();
    const { context } = testState(home, worker);
    Object.assign(context.log, { debug: () => undefined });
    context.binding().metadata.deletionTimestamp = '2026-11-21T06:00:00Z';
    const ownerReferences = [{ apiVersion: 'apps/v1', kind, name: 'd', uid: 'x', controller: true }];
    const pod: Pod = {
      metadata: { name: `of-${kind.toLowerCase()}`, namespace: 'default', uid: kind, ownerReferences },
      spec: { nodeName: 'v', containers: [] },
      status: { phase: 'Pending' },
    };
    home.put(Pods, pod);
    context.binding().spec.runningDaemonsetByDefault = true;
    const state = { context, admitted: new Set(), room: { changed: () => undefined } } as unknown as PodState;
    await createWorker(
      state,
      pod,
      createRefusals(() => []),
    );
    expect(home.get<Pod>(Pods, 'default', pod.metadata.name)?.status).toMatchObject(status);
    expect(worker.writes).toEqual([]);
  });
});
