import { Store, type KubeObject } from '@kubeocean/shared/kube';
import { workerName } from '@kubeocean/shared/api';
import { expect, test } from 'vitest';
import { FACTS, samplePod } from '../pods/samples.ts';
import { toWorkerPod } from '../pods/to-worker.ts';
import { createHolders } from './holders.ts';

const CA = `configmap/${workerName(FACTS.bindingUID, 'shop', 'kube-root-ca.crt', 'configmap')}`;

test('a copy is released with the last pod of either side, not before', () => {
  const stores = { homePods: new Store<KubeObject>(), workerPods: new Store<KubeObject>() };
  const released: string[] = [];
  const first = samplePod();
  const second = samplePod({}, { name: 'second', uid: 'other' });
  stores.homePods.set(first);
  const holders = createHolders(stores, FACTS.bindingUID, (copy) => released.push(copy));
  stores.homePods.set(second);
  const worker = toWorkerPod(first, FACTS);
  stores.workerPods.set(worker);
  expect(holders.isInUse(CA)).toBe(true);
  expect(holders.homePods(CA)).toEqual(['shop/web-5d9c7b-abcde', 'shop/second']);

  stores.homePods.remove('shop/web-5d9c7b-abcde');
  expect(released).toEqual([]);
  stores.homePods.remove('shop/second');
  expect(released).toEqual([expect.stringMatching(/^secret\/second-/)]);
  expect(holders.isHeld(CA)).toBe(true);
  stores.workerPods.remove(`kubeocean-worker/${worker.metadata.name}`);
  expect(released).toContain(CA);
  expect(released).toHaveLength(3);
  expect(holders.isHeld(CA)).toBe(false);
});
