import { describe, expect, test } from 'vitest';
import { homeKeyOf, relationOf } from './ownership.ts';
import { FACTS, samplePod } from './samples.ts';
import { toWorkerPod } from './to-worker.ts';

const home = samplePod();
const worker = toWorkerPod(home, FACTS);

function with_(annotations: Record<string, string>, labels: Record<string, string> = {}) {
  const { metadata } = worker;
  return {
    ...worker,
    metadata: {
      ...metadata,
      annotations: { ...metadata.annotations, ...annotations },
      labels: { ...metadata.labels, ...labels },
    },
  };
}

describe('forged', () => {
  test.each([
    ['nothing', with_({}), 'same', 'shop/web-5d9c7b-abcde'],
    ['the UID', with_({ 'kubeocean.io/virtual-pod-uid': 'x' }), 'namesake', 'shop/web-5d9c7b-abcde'],
    ['no UID', with_({ 'kubeocean.io/virtual-pod-uid': '' }), 'disagrees', 'shop/web-5d9c7b-abcde'],
    ['the name', with_({ 'kubeocean.io/virtual-pod-name': 'other' }), 'disagrees', undefined],
    ['the namespace', with_({ 'kubeocean.io/virtual-pod-namespace': 'kube-system' }), 'disagrees', undefined],
    ['the binding', with_({}, { 'kubeocean.io/binding-uid': 'x' }), 'foreign', undefined],
  ])('%s', (_, pod, relation, key) => {
    expect(relationOf(pod, home, FACTS.bindingUID)).toBe(relation);
    expect(homeKeyOf(pod, FACTS.bindingUID)).toBe(key);
  });
});
