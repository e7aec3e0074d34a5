import type { KubeObject } from '@kubeocean/shared/kube';
import { describe, expect, it } from 'vitest';
import { lags, stormPods } from './storm.ts';

function workerPod(name: string): KubeObject {
  const annotations = {
    'kubeocean.io/virtual-pod-namespace': 'ns',
    'kubeocean.io/virtual-pod-name': name,
  };
  return { metadata: { name: `${name}-5e93`, namespace: 'w', annotations } };
}

describe('the pods of a storm', () => {
  const home = new Map([
    ['ns/a', {}],
    ['ns/b', {}],
    ['ns/old', { gone: 5 }],
  ]);
  const size = { pods: 2, nodes: 1, bindings: 1 };

  it('are the worker pods of those that are there', () =>
    expect(stormPods(['a', 'b', 'old', 'other'].map(workerPod), home, size)).toEqual([
      { name: 'a-5e93', namespace: 'w', key: 'ns/a' },
      { name: 'b-5e93', namespace: 'w', key: 'ns/b' },
    ]));

  it('are all of them, or there is no storm', () =>
    expect(() => stormPods([workerPod('a')], home, size)).toThrow('1 worker pods of 2 pods are there'));
});

describe('how long changes took to be shown', () => {
  const sent = new Map([['ns/a', 1000]]);

  it('is from the change to its being told', () =>
    expect(lags(sent, new Map([['ns/a', { restartsAt: 1500 }]]))).toEqual([0.5]));

  it('is not told of some of them', () =>
    expect(() => lags(sent, new Map())).toThrow('the change of ns/a was never shown'));
});
