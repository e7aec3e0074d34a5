/**
 * What the worker's owner makes of pods (a webhook that names another image and asks for more) stays, and what home's users
 * change is followed all the same; of two resizes at once no more than the room that is left is given away.
 */
import { Pods } from '@kubeocean/shared/kube';
import { beforeAll, expect, test } from 'vitest';
import { afterTest, type ApiProxy, startApiProxy, waitFor } from './harness/index.ts';
import {
  conditionOf,
  explainFailures,
  homePod,
  LONG,
  type Pod,
  podName,
  type PodRig,
  podRig,
  STAY,
} from './pods/helpers.ts';
import { mutatePods } from './pods/webhook.ts';

let rig: PodRig;
let proxy: ApiProxy;
/** The webhook answers nothing but 500. */
let broken = false;
explainFailures(() => rig);

beforeAll(async () => {
  proxy = await startApiProxy('worker-1');
  rig = await podRig('webhooks', {
    workerKubeconfig: proxy.kubeconfig,
    allocatable: { cpu: '1', memory: '1Gi', pods: '20' },
  });
});

const patchHome = (name: string, patch: object, subresource?: string) =>
  rig.home.patch(Pods, rig.homeNamespace, name, patch, { type: 'strategic', ...(subresource && { subresource }) });

const resize = (name: string, requests: Record<string, string>) =>
  patchHome(name, { spec: { containers: [{ name: 'main', resources: { requests } }] } }, 'resize');

/** How often the pod's containers were started again, as home shows it. */
const restarts = ({ status }: Pod) => status?.containerStatuses?.map(({ restartCount }) => restartCount);

test('of two pods resized at once only one gets the room that is left; the other waits', async () => {
  const names = [podName(rig, 'one'), podName(rig, 'two')];
  const resources = { requests: { cpu: '100m', memory: '32Mi' } };
  for (const name of names) await rig.create(name, rig.spec(STAY, {}, { resources }));
  for (const name of names) await rig.ready(name);
  // The first one is on its way to the worker, which has not heard of it.
  const held = proxy.hold('before', ({ method, path }) => method === 'PATCH' && path.includes('/resize'));
  afterTest(() => held.release());
  await Promise.all(names.map((name) => resize(name, { cpu: '700m' })));
  const { path } = await held.held;
  const [first = ''] = names.filter((name) => path.includes(rig.workerName(name)));
  const [second = ''] = names.filter((name) => name !== first);
  const isDeferred = (pod: Pod) => conditionOf(pod, 'PodResizePending')?.reason === 'Deferred';
  await homePod<Pod>(rig, second, 'Deferred', isDeferred);
  held.release();
  await homePod<Pod>(rig, first, 'resized', ({ status }) => JSON.stringify(status?.containerStatuses).includes('700m'));
  expect((await rig.inWorker(second)).spec.containers[0]).toMatchObject({ resources });
});

test('the image and the requests that a webhook of the worker’s owner names stay; changes at home are followed', async () => {
  await mutatePods(rig, ({ spec }) => {
    if (broken) throw new Error('out of order');
    return spec.containers.flatMap(({ image }, at) =>
      image === 'busybox:1.35'
        ? [
            { op: 'replace', path: `/spec/containers/${at}/image`, value: 'busybox:1.28' },
            { op: 'replace', path: `/spec/containers/${at}/resources/requests/memory`, value: '48Mi' },
          ]
        : [],
    );
  });
  const name = podName(rig, 'mirrored');
  const resources = { requests: { cpu: '50m', memory: '32Mi' } };
  await rig.create(name, rig.spec(STAY, { activeDeadlineSeconds: 4000 }, { resources }));
  await rig.ready(name);
  const owners = { image: 'busybox:1.28', resources: { requests: { cpu: '50m', memory: '48Mi' } } };
  expect((await rig.inWorker(name)).spec.containers[0]).toMatchObject(owners);

  // Something else changes at home, before and after a restart of the syncer: the pod is looked at all anew.
  for (const activeDeadlineSeconds of [3000, 2000]) {
    await patchHome(name, { spec: { activeDeadlineSeconds } });
    await waitFor(
      `the deadline of ${activeDeadlineSeconds} s in the worker`,
      async () => (await rig.inWorker(name)).spec['activeDeadlineSeconds'] === activeDeadlineSeconds,
      LONG,
    );
    if (activeDeadlineSeconds === 2000) break;
    await rig.kill();
    rig.start();
  }
  const kept = await rig.inWorker(name);
  expect(kept.spec.containers[0]).toMatchObject(owners);
  expect(restarts(kept)).toEqual([0]);

  await resize(name, { cpu: '60m' });
  await homePod<Pod>(rig, name, 'resized', ({ status }) => JSON.stringify(status?.containerStatuses).includes('60m'));
  expect((await rig.inWorker(name)).spec.containers[0]).toMatchObject({
    image: 'busybox:1.28',
    resources: { requests: { cpu: '60m', memory: '48Mi' } },
  });
  expect(restarts(await rig.atHome(name))).toEqual([0]);

  await patchHome(name, { spec: { containers: [{ name: 'main', image: 'busybox:1.36' }] } });
  await homePod<Pod>(rig, name, 'run anew', (pod) => restarts(pod)?.[0] === 1);
  expect((await rig.inWorker(name)).spec.containers[0]).toMatchObject({
    image: 'busybox:1.36',
    resources: { requests: { cpu: '60m', memory: '48Mi' } },
  });
});

test('a webhook that is out of order is told of on the pod, which runs when it works again', async () => {
  broken = true;
  const name = podName(rig, 'waits');
  await rig.create(name, rig.spec(STAY, {}, { resources: { requests: { cpu: '50m', memory: '32Mi' } } }));
  const told = await homePod<Pod>(rig, name, 'told why', ({ status }) => status?.reason !== undefined);
  expect(told.status).toMatchObject({
    phase: 'Pending',
    message: expect.stringContaining('failed calling webhook "owner.example.com"') as string,
  });
  broken = false;
  const { status } = await rig.ready(name);
  expect(status?.reason).toBeUndefined();
});
