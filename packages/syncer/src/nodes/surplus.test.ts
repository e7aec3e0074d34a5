import { migratedWorkerName, workerName } from '@kubeocean/shared/api';
import { type KubeObject, type ObjectMeta, Store } from '@kubeocean/shared/kube';
import { formatResources } from '@kubeocean/shared/lease';
import { expect, test } from 'vitest';
import { createSurplus, type Surplus } from './surplus.ts';

const asking = (name: string, cpu?: string) => ({ name, ...(cpu && { resources: { requests: { cpu } } }) });

interface World {
  surplus: Surplus;
  changed: string[];
  home(containers: object[], more?: { uid?: string; nodeName?: string; status?: object }): void;
  worker(containers: object[], more?: { ending?: Partial<ObjectMeta>; status?: object; said?: object }): void;
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
    'kubeocean.io/virtual-node-name': 'v1',
  };
  const resourceVersion = () => String(++revision);
  return {
    surplus,
    changed,
    home: (containers, { uid = 'u', nodeName = 'v1', status = {} } = {}) =>
      homePods.set({
        metadata: { namespace: 'shop', name: 'web', uid, resourceVersion: resourceVersion() },
        spec: { nodeName, containers },
        status,
      }),
    worker: (containers, { ending, status = {}, said } = {}) =>
      workerPods.set({
        metadata: {
          namespace: 'mount',
          name,
          uid: 'w',
          annotations: { ...annotations, ...said },
          resourceVersion: resourceVersion(),
          ...(ending && { deletionTimestamp: '2026-01-01T00:00:00Z', ...ending }),
        },
        spec: { containers },
        status,
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
  for (const [order, changed] of [
    [['home', 'worker'], ['v1']],
    // As long as there is no home pod, it is all of the worker pod.
    [
      ['worker', 'home'],
      ['v1', 'v1'],
    ],
  ] as const) {
    const w = world(name);
    w.surplus.start();
    const tell = { home: () => w.home([asking('main', '100m')]), worker: () => w.worker([asking('main', '500m')]) };
    for (const which of order) tell[which]();
    expect(w.of()).toEqual({ cpu: '400m' });
    for (const which of order) tell[which]();
    expect(w.changed).toEqual(changed);
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

test.each([
  ['of another', { 'kubeocean.io/virtual-pod-name': 'other' }],
  ['of none', { 'kubeocean.io/virtual-pod-namespace': undefined, 'kubeocean.io/virtual-pod-name': undefined }],
])('nothing is left of a worker pod that somebody made say it is %s, once that is put right', (_, said) => {
  const w = world();
  w.surplus.start();
  w.home([asking('main', '100m')]);
  w.worker([asking('main', '500m')]);
  w.worker([asking('main', '500m')], { said });
  w.worker([asking('main', '500m')]);
  expect(w.of()).toEqual({ cpu: '400m' });
  w.workerGoes();
  expect(w.of()).toEqual({});
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
  ['the worker’s has', (w) => w.worker([asking('main', '500m')], { status: { phase: 'Succeeded' } })],
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

const same = [asking('main', '500m')];

test.each<[string, (w: World) => void]>([
  ['is gone', (w) => w.homeGoes()],
  ['has ended', (w) => w.home(same, { status: { phase: 'Failed' } })],
  ['is on another vnode by now', (w) => w.home(same, { nodeName: 'v2' })],
])('is all that a worker pod takes which goes on though home’s pod %s', (_, change) => {
  const w = world();
  w.surplus.start();
  w.home(same);
  w.worker(same);
  expect(w.changed).toEqual([]);
  change(w);
  expect([w.of(), w.changed]).toEqual([{ cpu: '500m', pods: '1' }, ['v1']]);
  w.workerGoes();
  expect([w.of(), w.changed]).toEqual([{}, ['v1', 'v1']]);
});

const ours = ['kubeocean.io/home-sync'];

test('is what a worker pod takes beyond the next pod of its name, which waits for its place', () => {
  const w = world();
  w.surplus.start();
  w.home(same);
  w.worker(same);
  w.home(same, { uid: 'u2' });
  expect(w.of()).toEqual({});
  w.home([asking('main', '200m')], { uid: 'u2' });
  expect(w.of()).toEqual({ cpu: '300m' });
});

test.each<[string, Parameters<World['worker']>[1]]>([
  ['has ended', { status: { phase: 'Succeeded' } }],
  ['ends, and is taken off what is lent', { ending: { deletionGracePeriodSeconds: 30 } }],
  ['is held by our finalizer alone', { ending: { deletionGracePeriodSeconds: 0, finalizers: ours } }],
])('is nothing of a worker pod without a home pod that %s', (_, change) => {
  const w = world();
  w.surplus.start();
  w.worker(same, change);
  expect([w.of(), w.changed]).toEqual([{}, []]);
});

test('is all of a worker pod that still ends, until the agent takes it off what is lent', () => {
  const w = world();
  w.surplus.start();
  w.worker(same, { ending: { deletionGracePeriodSeconds: 30, finalizers: ours } });
  expect(w.of()).toEqual({ cpu: '500m', pods: '1' });
  w.worker(same, { ending: { deletionGracePeriodSeconds: 30 } });
  expect(w.of()).toEqual({});
});

/** What the kubelet has set aside, as home shows it. */
function shows(cpu: string): { status: object } {
  return { status: { phase: 'Running', containerStatuses: [{ name: 'main', resources: { requests: { cpu } } }] } };
}
