import { Finalizer, Label } from '@kubeocean/shared/api';
import type { ObjectMeta } from '@kubeocean/shared/kube';
import { expect, it, test } from 'vitest';
import { driftOf } from './drift.ts';
import { FACTS, samplePod } from '../samples.ts';
import { toWorkerPod } from '../translation/to-worker.ts';
import type { Pod } from '../types.ts';

const home = samplePod();

function workerPod(change: (worker: Pod) => void): Pod {
  const worker = toWorkerPod(home, FACTS);
  worker.metadata.uid = 'worker-uid';
  change(worker);
  return worker;
}

function without(map: Record<string, string> | undefined, key: string): Record<string, string> {
  return Object.fromEntries(Object.entries(map ?? {}).filter(([each]) => each !== key));
}

it('finds nothing on a worker pod as it was made, whatever others added', () => {
  expect(
    driftOf(
      home,
      workerPod(() => undefined),
      FACTS,
    ),
  ).toBeUndefined();
  const added = workerPod(({ metadata }) => {
    metadata.labels = { ...metadata.labels, team: 'x' };
    metadata.annotations = { ...metadata.annotations, note: 'x' };
    metadata.finalizers = ['other/finalizer', ...(metadata.finalizers ?? [])];
  });
  expect(driftOf(home, added, FACTS)).toBeUndefined();
});

it('gives back every label and annotation of ours that was changed or taken off', () => {
  const made = workerPod(() => undefined);
  for (const kind of ['labels', 'annotations'] as const) {
    for (const [key, value] of Object.entries(made.metadata[kind] ?? {})) {
      if (/^kubeocean\.io\/(downward\.|asked$|workload-)/.test(key)) continue;
      for (const map of [without(made.metadata[kind], key), { ...made.metadata[kind], [key]: 'forged' }]) {
        const drift = driftOf(
          home,
          workerPod(({ metadata }) => Object.assign(metadata, { [kind]: map })),
          FACTS,
        );
        expect(drift).toEqual({ what: [kind], patch: { metadata: { uid: 'worker-uid', [kind]: { [key]: value } } } });
      }
    }
  }
});

test.each<[string, ObjectMeta['ownerReferences']]>([
  ['let go by its ReplicaSet, as a user takes a pod out of service to look at it', undefined],
  [
    'taken over by another',
    [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'next', uid: 'next', controller: true }],
  ],
])('a home pod that was %s is no change by hand in the worker', (_, ownerReferences) => {
  const { ownerReferences: _before, ...metadata } = home.metadata;
  const now = { ...home, metadata: { ...metadata, ...(ownerReferences && { ownerReferences }) } };
  expect(
    driftOf(
      now,
      workerPod(() => undefined),
      FACTS,
    ),
  ).toBeUndefined();
});

it('puts the finalizer back, beside others', () => {
  const worker = workerPod(({ metadata }) => {
    metadata.finalizers = ['other/finalizer'];
  });
  expect(driftOf(home, worker, FACTS)).toEqual({
    what: ['finalizer'],
    patch: { metadata: { uid: 'worker-uid', finalizers: [Finalizer.homeSync] } },
  });
});

test('a pod that is being deleted takes no finalizer, but its label back', () => {
  const worker = workerPod(({ metadata }) => {
    metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
    metadata.finalizers = [];
    metadata.labels = without(metadata.labels, Label.bindingUID);
  });
  expect(driftOf(home, worker, FACTS)?.what).toEqual(['labels']);
});
