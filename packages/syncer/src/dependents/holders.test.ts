import { Store, type KubeObject } from '@kubeocean/shared/kube';
import { tokenSecretName, workerName } from '@kubeocean/shared/api';
import { expect, test } from 'vitest';
import { FACTS, samplePod } from '../pods/samples.ts';
import { toWorkerPod } from '../pods/translation/to-worker.ts';
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

test.each(['home', 'worker'] as const)(
  'a pod that has ended on both sides, the %s first, needs no tokens any more; what others may need stays until it goes',
  (side) => {
    const stores = { homePods: new Store<KubeObject>(), workerPods: new Store<KubeObject>() };
    const released: string[] = [];
    const home = samplePod();
    const { namespace = '', name, uid = '' } = home.metadata;
    const worker = toWorkerPod(home, FACTS);
    stores.homePods.set(home);
    stores.workerPods.set(worker);
    const holders = createHolders(stores, FACTS.bindingUID, (copy) => released.push(copy));
    const token = `secret/${tokenSecretName(FACTS.bindingUID, namespace, name, uid)}`;

    const status = { phase: 'Succeeded' };
    const ends = [() => stores.homePods.set({ ...home, status }), () => stores.workerPods.set({ ...worker, status })];
    const [first, second] = side === 'home' ? ends : ends.toReversed();
    first?.();
    expect([released, holders.isHeld(token)]).toEqual([[], true]);
    second?.();
    expect([released, holders.isHeld(token), holders.isHeld(CA)]).toEqual([[token], false, true]);

    stores.workerPods.remove(`kubeocean-worker/${worker.metadata.name}`);
    expect(released).toEqual([token]);
    stores.homePods.remove(`${namespace}/${name}`);
    expect(released).toEqual([token, CA]);
  },
);

test('after a restart, too, a pod that has ended needs no tokens', () => {
  const home = { ...samplePod(), status: { phase: 'Failed' } };
  const stores = { homePods: new Store<KubeObject>(), workerPods: new Store<KubeObject>() };
  stores.homePods.set(home);
  stores.workerPods.set({ ...toWorkerPod(home, FACTS), status: { phase: 'Failed' } });
  const holders = createHolders(stores, FACTS.bindingUID, () => undefined);
  const { namespace = '', name, uid = '' } = home.metadata;
  expect(holders.isHeld(`secret/${tokenSecretName(FACTS.bindingUID, namespace, name, uid)}`)).toBe(false);
  expect(holders.isHeld(CA)).toBe(true);
});
