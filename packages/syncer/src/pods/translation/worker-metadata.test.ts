/** Labels and annotations of a worker pod: whose pod it is, and what comes along from home. */
import { workerName } from '@kubeocean/shared/api';
import { describe, expect, test } from 'vitest';
import { FACTS, samplePod } from '../samples.ts';
import { toWorkerPod, workerMetadataPatch } from './to-worker.ts';
import type { Pod } from '../types.ts';

test('says whose pod it is, and carries no label or annotation of home', () => {
  const { metadata } = toWorkerPod(samplePod(), FACTS);
  expect(metadata).toEqual({
    name: workerName(FACTS.bindingUID, 'shop', 'web-5d9c7b-abcde'),
    namespace: 'kubeocean-worker',
    labels: {
      'kubeocean.io/managed-by': 'kubeocean',
      'kubeocean.io/cluster-binding': 'example-cluster',
      'kubeocean.io/binding-uid': FACTS.bindingUID,
      'kubeocean.io/virtual-namespace': 'shop',
      'kubeocean.io/workload-type': 'replicaset',
      'kubeocean.io/workload-name': 'web-5d9c7b',
    },
    annotations: {
      'kubeocean.io/virtual-pod-namespace': 'shop',
      'kubeocean.io/virtual-pod-name': 'web-5d9c7b-abcde',
      'kubeocean.io/virtual-pod-uid': '22222222-2222-2222-2222-222222222222',
      'kubeocean.io/virtual-node-name': 'vnode-cls-example-node1',
      'kubeocean.io/downward.metadata.namespace': 'shop',
      'kubeocean.io/asked': expect.stringMatching(/^;[\w-]{8}$/) as string,
    },
    finalizers: ['kubeocean.io/home-sync'],
  });
});

test('carries what the owner allows by prefix, never over our own', () => {
  const { metadata } = toWorkerPod(samplePod(), { ...FACTS, carriedPrefixes: ['app', 'kubeocean.io/'] });
  expect(metadata.labels).toMatchObject({ app: 'web', 'kubeocean.io/managed-by': 'kubeocean' });
});

test('of what Kubeocean means by a key nothing of home is carried, though the owner allows it', () => {
  const facts = { ...FACTS, carriedPrefixes: ['kubeocean.io/'] };
  const forged = {
    'kubeocean.io/lease-closed': 'forged',
    'kubeocean.io/virtual-pod-uid': 'forged',
    'kubeocean.io/binding-uid': 'forged',
  };
  const pod = samplePod({}, { labels: forged, annotations: forged });
  const worker = toWorkerPod(pod, facts);
  expect(worker.metadata).toEqual(toWorkerPod(samplePod(), FACTS).metadata);
  expect(workerMetadataPatch(pod, worker, facts)).toBeUndefined();
});

test('a change of it is only for the worker pod that was looked at, and takes nothing of the owner’s away', () => {
  const facts = { ...FACTS, carriedPrefixes: ['app'] };
  const worker = toWorkerPod(samplePod(), facts);
  worker.metadata.uid = 'worker-uid';
  worker.metadata.labels = { ...worker.metadata.labels, theirs: 'x' };
  const changed = samplePod({}, { labels: { application: 'shop' } });
  expect(workerMetadataPatch(changed, worker, facts)).toEqual({
    metadata: {
      uid: 'worker-uid',
      labels: { app: null, application: 'shop' },
      annotations: { 'kubeocean.io/carried': 'application;' },
    },
  });
});

test('a key that home takes off goes though every object of JavaScript has it', () => {
  const facts = { ...FACTS, carriedPrefixes: ['con'] };
  const worker = toWorkerPod(samplePod({}, { labels: { constructor: 'acme' } }), facts);
  expect(workerMetadataPatch(samplePod({}, { labels: {} }), worker, facts)?.metadata).toMatchObject({
    labels: { constructor: null },
  });
});

describe('what the worker’s own webhooks and network put under a carried prefix', () => {
  const facts = { ...FACTS, carriedPrefixes: ['cni.example/', 'app'] };
  const note = 'kubeocean.io/carried';
  const theirs = { 'cni.example/status': 'up' };
  /** As the worker has it, with what its owner added. */
  function mutated(home: Pod): Pod {
    const worker = toWorkerPod(home, facts);
    const annotations = { ...worker.metadata.annotations, ...theirs };
    return { ...worker, metadata: { ...worker.metadata, annotations } };
  }

  test('stays, and is followed no more than before', () => {
    for (const home of [samplePod(), samplePod({}, { labels: {}, annotations: {} })]) {
      expect(workerMetadataPatch(home, mutated(home), facts)).toBeUndefined();
    }
  });

  test('stays when what came from home goes, and the note with the last of it', () => {
    const worker = mutated(samplePod());
    expect(worker.metadata.annotations?.[note]).toBe('app;cni.example/ip');
    const bare = samplePod({}, { labels: {}, annotations: {} });
    expect(workerMetadataPatch(bare, worker, facts)?.metadata).toEqual({
      labels: { app: null },
      annotations: { 'cni.example/ip': null, [note]: null },
    });
  });

  test('nothing is noted on a pod that brings nothing', () => {
    expect(toWorkerPod(samplePod(), FACTS).metadata.annotations).not.toHaveProperty(note);
  });

  test('a pod of a version that did not note it gets the note, and loses nothing', () => {
    const worker = mutated(samplePod());
    delete worker.metadata.annotations?.[note];
    expect(workerMetadataPatch(samplePod(), worker, facts)?.metadata).toEqual({
      annotations: { [note]: 'app;cni.example/ip' },
    });
  });

  test('a key whose prefix is not carried any more stays: the worker would refuse to have it changed', () => {
    const bare = samplePod({}, { labels: {}, annotations: {} });
    expect(workerMetadataPatch(bare, mutated(samplePod()), FACTS)).toBeUndefined();
  });

  test('a key that home took off while its prefix was not carried goes when it is carried again', () => {
    const narrowed = { ...FACTS, carriedPrefixes: ['app'] };
    const worker = mutated(samplePod());
    const changed = samplePod({}, { labels: {}, annotations: {} });
    const patch = workerMetadataPatch(changed, worker, narrowed)?.metadata;
    expect(patch).toEqual({ labels: { app: null }, annotations: { [note]: ';cni.example/ip' } });
    const { app: _, ...labels } = worker.metadata.labels ?? {};
    const annotations = { ...worker.metadata.annotations, [note]: ';cni.example/ip' };
    const after = { ...worker, metadata: { ...worker.metadata, labels, annotations } };
    expect(workerMetadataPatch(changed, after, narrowed)).toBeUndefined();
    expect(workerMetadataPatch(changed, after, facts)?.metadata).toEqual({
      annotations: { 'cni.example/ip': null, [note]: null },
    });
  });
});

test('follows the downward API files of home', () => {
  const items = [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }];
  const pod = samplePod({ volumes: [{ name: 'info', downwardAPI: { items } }] }, { labels: { b: '2', a: '1' } });
  const worker = toWorkerPod(pod, FACTS);
  expect(worker.metadata.annotations?.['kubeocean.io/downward.metadata.labels']).toBe('a="1"\nb="2"');
  expect(worker.spec.volumes?.[0]?.downwardAPI?.items?.[0]?.fieldRef?.fieldPath).toBe(
    "metadata.annotations['kubeocean.io/downward.metadata.labels']",
  );
  const changed = { ...pod, metadata: { ...pod.metadata, labels: { a: '1' } } };
  expect(workerMetadataPatch(changed, worker)).toEqual({
    metadata: { uid: undefined, annotations: { 'kubeocean.io/downward.metadata.labels': 'a="1"' } },
  });
});
