import { type KubeObject, Store } from '@kubeocean/shared/kube';
import { expect, it } from 'vitest';
import { ClaimBound } from './bound.ts';

function claim(name: string): KubeObject {
  return { metadata: { namespace: 'w', name, uid: name, resourceVersion: '1' } };
}

it('a tenant that makes claims without end does not fill the agent; those that were there first are kept', () => {
  const full: number[] = [];
  const bound = new ClaimBound((most) => full.push(most));
  const store = new Store<KubeObject>();
  bound.follow(store);
  const made = Array.from({ length: 1500 }, (_, at) => claim(`c${at}`));
  const kept = made.filter((each) => bound.admits(each));
  store.replace(kept);
  expect([kept.length, full]).toEqual([200, [200]]);
  expect(made.filter((each) => bound.admits(each))).toEqual(kept);
  store.remove('w/c0');
  expect([bound.admits(claim('c1499')), bound.admits(claim('c1498'))]).toEqual([true, false]);
});
