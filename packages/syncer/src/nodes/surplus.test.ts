import { migratedWorkerName, workerName } from '@kubeocean/shared/api';
import { type KubeObject, Store } from '@kubeocean/shared/kube';
import { formatResources } from '@kubeocean/shared/lease';
import { expect, test } from 'vitest';
import { createSurplus, type Surplus } from './surplus.ts';

const asking = (name: string, cpu?: string) => ({ name, ...(cpu && { resources: { requests: { cpu } } }) });

interface World {
  surplus: Surplus;
  changed: string[];
  home(containers: object[], more?: object): void;
  worker(containers: object[], more?: object): void;
  workerGoes(): void;
  homeGoes(): void;
  of(): Record<string, string>;
}

function world(name = workerName('b', 'shop', 'web')): World {
  const homePods = new Store<KubeObject>();
  const workerPods = new Store<KubeObject>({ adopted: (pod) => (name === pod.metadata.name ? ['shop/web'] : []) });
  const changed: string[] = [];
  const parts = { homePods, workerPods, mountNamespace: 'mount', bindingUID: 'b' };
  const surplus = createSurplus({ ...parts, onChange: (vnode) => changed.push(vnode) });
  let revision = 1;
  const annotations = {
    'kubeocean.io/virtual-pod-namespace': 'shop',
    'kubeocean.io/virtual-pod-name': 'web',
    'kubeocean.io/virtual-pod-uid': 'u',
  };
  const resourceVersion = () => String(++revision);
  return {
    surplus,
    changed,
    home: (containers, more = {}) =>
      homePods.set({
        metadata: { namespace: 'shop', name: 'web', uid: 'u', resourceVersion: resourceVersion() },
        spec: { nodeName: 'v1', containers },
        ...more,
      }),
    worker: (containers, more = {}) =>
      workerPods.set({
        metadata: { namespace: 'mount', name, uid: 'w', annotations, resourceVersion: resourceVersion() },
        spec: { containers },
        ...more,
      }),
    workerGoes: () => workerPods.remove(`mount/${name}`),
    homeGoes: () => homePods.remove('shop/web'),
    of: () => formatResources(surplus.of('v1')),
  };
}

test.each([
  ['a pod as it was asked for', [asking('main', '100m')], [asking('main', '100m')], {}],
  ['the same in other words', [asking('main', '0.1')], [asking('main', '100m')], {}],
  ['less', [asking('main', '500m')], [asking('main', '100m')], {}],
  ['requests that were enlarged', [asking('main', '100m')], [asking('main', '500m')], { cpu: '400m' }],
  ['requests by default', [asking('main')], [asking('main', '500m')], { cpu: '500m' }],
  ['a container more', [asking('main', '1')], [asking('main', '1'), asking('proxy', '100m')], { cpu: '100m' }],
])('%s', (_, home, worker, surplus) => {
  const w = world();
  w.home(home);
  w.worker(worker);
  w.surplus.start();
  expect(w.of()).toEqual(surplus);
  expect(w.changed).toEqual(Object.keys(surplus).length > 0 ? ['v1'] : []);
});

test.each([
  ['by our name', workerName('b', 'shop', 'web')],
  ['by another’s', migratedWorkerName('shop', 'web')],
])('is known whichever of the two pods is told of first, and told only when it is another: %s', (_, name) => {
  for (const order of [['home', 'worker'] as const, ['worker', 'home'] as const]) {
    const w = world(name);
    w.surplus.start();
    const tell = { home: () => w.home([asking('main', '100m')]), worker: () => w.worker([asking('main', '500m')]) };
    for (const which of order) tell[which]();
    expect(w.of()).toEqual({ cpu: '400m' });
    for (const which of order) tell[which]();
    expect(w.changed).toEqual(['v1']);
  }
});

test('what the pods of a vnode take too much counts there alone', () => {
  const w = world();
  w.surplus.start();
  w.home([asking('main', '100m')]);
  w.worker([asking('main', '500m')]);
  expect([w.of(), formatResources(w.surplus.of('v2'))]).toEqual([{ cpu: '400m' }, {}]);
  w.worker([asking('main', '600m')]);
  expect(w.of()).toEqual({ cpu: '500m' });
});

test('a resize that home has and the worker does not', () => {
  const w = world();
  w.surplus.start();
  w.home([asking('main', '1')]);
  w.worker([asking('main', '1')]);
  expect(w.changed).toEqual([]);
  w.home([asking('main', '500m')]);
  expect(w.of()).toEqual({ cpu: '500m' });
});

test.each<[string, (w: World) => void]>([
  ['home counts it itself', (w) => w.home([asking('main', '100m')], shows('500m'))],
  ['home’s pod has ended', (w) => w.home([asking('main', '100m')], { status: { phase: 'Failed' } })],
  ['the worker’s has', (w) => w.worker([asking('main', '500m')], { status: { phase: 'Succeeded' } })],
  ['home’s pod is gone', (w) => w.homeGoes()],
  ['the worker’s is', (w) => w.workerGoes()],
])('is over when %s', (_, change) => {
  const w = world();
  w.surplus.start();
  w.home([asking('main', '100m')]);
  w.worker([asking('main', '500m')]);
  change(w);
  expect(w.of()).toEqual({});
  expect(w.changed).toEqual(['v1', 'v1']);
});

/** What the kubelet has set aside, as home shows it. */
function shows(cpu: string): object {
  return { status: { phase: 'Running', containerStatuses: [{ name: 'main', resources: { requests: { cpu } } }] } };
}
