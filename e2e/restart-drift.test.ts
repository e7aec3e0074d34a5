/**
 * What somebody changes by hand in the worker is put right and counted, at once or by the sweep; what has ended stays
 * ended; and a pod's namesake is never mistaken for it.
 */
import { ConfigMaps, type KubeObject, Pods, Secrets } from '@kubeocean/shared/kube';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { absent, uniqueName, waitFor } from './harness/index.ts';
import { FOREVER, isReady, nothingLeft, type Pod, type PodRig, podRig, SLOW_MS } from './restart/rig.ts';

let rig: PodRig;

beforeAll(async () => {
  rig = await podRig('drift', { flags: ['--sweep-interval=3'] });
});

beforeEach(({ onTestFailed }) => {
  onTestFailed(() => console.log(rig.syncer.tail(15)));
  // An earlier try may have ended without one.
  if (rig.syncer.exit !== undefined) rig.start();
});

/** A pod with a ConfigMap and a Secret of its own name. */
async function createReady(prefix: string, more: Record<string, unknown> = {}): Promise<Pod> {
  const name = uniqueName(prefix);
  const metadata = { name, namespace: rig.homeNamespace };
  await rig.home.create(ConfigMaps, { metadata, data: { key: 'value' } });
  await rig.home.create(Secrets, { metadata, stringData: { key: 'secret' } });
  await rig.create(name, rig.spec(FOREVER, more, { envFrom: [{ configMapRef: { name } }, { secretRef: { name } }] }));
  return rig.ready(name);
}

/** How often this was repaired, as the metric says. */
async function repairs(object: string, part: string): Promise<number> {
  const text = await (await fetch(`${await rig.syncer.metrics()}/metrics`)).text();
  const line = new RegExp(`^kubeocean_repairs_total\\{object="${object}",part="${part}"\\} (\\d+)$`, 'm').exec(text);
  return Number(line?.[1]);
}

async function eventually(what: string, look: () => Promise<unknown>): Promise<void> {
  await waitFor(
    what,
    async () => {
      await look();
      return true;
    },
    { timeoutMs: SLOW_MS },
  );
}

/** The pod runs as before, and its worker pod is the same. */
async function untouched(home: Pod, worker: KubeObject): Promise<void> {
  const [now, counterpart] = [await rig.atHome(home.metadata.name), await rig.inWorker(home.metadata.name)];
  expect(isReady(now)).toBe(true);
  expect(counterpart.metadata.uid).toBe(worker.metadata.uid);
  expect(counterpart.metadata.deletionTimestamp).toBeUndefined();
}

describe('a worker pod', () => {
  test.concurrent.each([
    ['labels', { labels: { 'kubeocean.io/cluster-binding': 'forged', 'kubeocean.io/managed-by': null } }],
    ['annotations', { annotations: { 'kubeocean.io/virtual-node-name': 'another' } }],
    ['finalizer', { finalizers: null }],
    // It is watched by this one.
    ['labels', { labels: { 'kubeocean.io/binding-uid': null } }],
    ['labels', { labels: { 'kubeocean.io/binding-uid': '11111111-1111-1111-1111-111111111111' } }],
  ])('gets back its %s: %j', async (part, metadata) => {
    const home = await createReady('pod');
    const { name } = home.metadata;
    const made = await rig.inWorker(name);
    const before = await repairs('pod', part);
    await rig.worker.patch(Pods, rig.mountNamespace, made.metadata.name, { metadata });
    await eventually('as it was', async () => {
      const { labels, annotations, finalizers } = (await rig.inWorker(name)).metadata;
      expect({ labels, annotations, finalizers }).toEqual({
        labels: made.metadata.labels,
        annotations: made.metadata.annotations,
        finalizers: made.metadata.finalizers,
      });
      expect(await repairs('pod', part)).toBeGreaterThan(before);
    });
    await untouched(home, made);
    await rig.home.delete(Pods, rig.homeNamespace, name, { gracePeriodSeconds: 1 });
    await rig.gone(name);
  });

  test('and each time is counted', async () => {
    expect(await repairs('pod', 'labels')).toBeGreaterThanOrEqual(3);
    expect(await repairs('pod', 'annotations')).toBeGreaterThanOrEqual(1);
    expect(await repairs('pod', 'finalizer')).toBeGreaterThanOrEqual(1);
  });

  test('without a home pod, and without its label, is found and goes', async () => {
    const { name } = (await createReady('orphan')).metadata;
    await rig.kill();
    const metadata = { labels: { 'kubeocean.io/binding-uid': null } };
    await rig.worker.patch(Pods, rig.mountNamespace, rig.workerName(name), { metadata });
    await rig.home.delete(Pods, rig.homeNamespace, name, { gracePeriodSeconds: 0 });
    rig.start();
    await absent('the orphan', () => rig.inWorker(name));
    await eventually('that it is counted', async () => expect(await repairs('pod', 'orphan')).toBe(1));
  });
});

describe('a copy', () => {
  let home: Pod;
  let made: KubeObject;

  beforeAll(async () => {
    home = await createReady('copies');
    made = await rig.inWorker(home.metadata.name);
  });

  const map = () =>
    rig.worker.get<KubeObject & { data: Record<string, string> }>(
      ConfigMaps,
      rig.mountNamespace,
      rig.workerName(home.metadata.name, 'configmap'),
    );
  const whole = { data: { key: 'value' } };

  test('that was edited says again what home says', async () => {
    const before = await repairs('configmap', 'content');
    const { name } = (await map()).metadata;
    await rig.worker.patch(ConfigMaps, rig.mountNamespace, name, { data: { key: 'forged', more: 'x' } });
    await eventually('the content', async () => {
      expect((await map()).data).toEqual(whole.data);
      expect(await repairs('configmap', 'content')).toBe(before + 1);
    });
  });

  test('that was edited while no syncer ran is found all the same', async () => {
    await rig.kill();
    const { name } = (await map()).metadata;
    await rig.worker.patch(ConfigMaps, rig.mountNamespace, name, { data: { key: 'forged' } });
    rig.start();
    await eventually('the content', async () => {
      expect((await map()).data).toEqual(whole.data);
      expect(await repairs('configmap', 'content')).toBe(1);
    });
  });

  test.each([
    ['is made to speak of another object', { annotations: { 'kubeocean.io/virtual-name': 'another' } }],
    ['loses its labels', { labels: null }],
  ])('that %s is mended', async (_, metadata) => {
    const before = await map();
    await rig.worker.patch(ConfigMaps, rig.mountNamespace, before.metadata.name, { metadata });
    await eventually('as it was', async () => {
      const { labels, annotations, uid } = (await map()).metadata;
      expect({ labels, annotations, uid }).toEqual({
        labels: before.metadata.labels,
        annotations: before.metadata.annotations,
        uid: before.metadata.uid,
      });
    });
  });

  test.each([
    ['Secret', () => rig.workerName(home.metadata.name, 'secret')],
    ['token Secret', () => rig.tokenSecret(home)],
  ])('a %s that was deleted is there again', async (_, name) => {
    const before = await repairs('secret', 'missing');
    const gone = await rig.worker.get(Secrets, rig.mountNamespace, name());
    await rig.worker.delete(Secrets, rig.mountNamespace, name());
    await eventually('the Secret', async () => {
      const now = await rig.worker.get(Secrets, rig.mountNamespace, name());
      expect(now.metadata.uid).not.toBe(gone.metadata.uid);
      expect(Object.keys(now['data'] as object)).toEqual(Object.keys(gone['data'] as object));
      expect(await repairs('secret', 'missing')).toBe(before + 1);
    });
  });

  test('tokens that somebody else wrote are replaced', async () => {
    const name = rig.tokenSecret(home);
    const [key = ''] = Object.keys((await rig.worker.get(Secrets, rig.mountNamespace, name))['data'] as object);
    await rig.worker.patch(Secrets, rig.mountNamespace, name, { stringData: { [key]: 'forged' } });
    await eventually('a real token', async () => {
      const { [key]: token = '' } = (await rig.worker.get(Secrets, rig.mountNamespace, name))['data'] as Record<
        string,
        string
      >;
      expect(Buffer.from(token, 'base64').toString()).toMatch(/^ey.*\..*\./);
    });
  });

  test('its pod knew nothing of all this', async () => {
    await untouched(home, made);
    await rig.home.delete(Pods, rig.homeNamespace, home.metadata.name, { gracePeriodSeconds: 1 });
    await rig.gone(home.metadata.name);
  });
});

describe('ended', () => {
  test('a finished pod whose worker pod is taken away stays finished', async () => {
    const name = uniqueName('done');
    await rig.create(name, rig.spec('echo done', { restartPolicy: 'Never' }));
    const { metadata } = await rig.phase(name, 'Succeeded');
    await rig.kill();
    await rig.worker.patch(Pods, rig.mountNamespace, rig.workerName(name), { metadata: { finalizers: null } });
    await rig.worker.delete(Pods, rig.mountNamespace, rig.workerName(name), { gracePeriodSeconds: 0 });
    rig.start();
    // Made after it, ready after it was looked at.
    await rig.home.delete(Pods, rig.homeNamespace, (await createReady('later')).metadata.name);
    expect((await rig.atHome(name)).status?.phase).toBe('Succeeded');
    expect(rig.made.get(metadata.uid ?? '')?.size).toBe(1);
    await rig.home.delete(Pods, rig.homeNamespace, name);
    await rig.gone(name);
  });

  test('a pod that home says has failed does not run on in the worker', async () => {
    const { metadata } = await createReady('ended');
    const { name, namespace = '' } = metadata;
    // As the taint manager or a node's garbage collector does it.
    const patch = { metadata: { uid: metadata.uid }, status: { phase: 'Failed', reason: 'Evicted' } };
    await rig.home.patch(Pods, namespace, name, patch, { type: 'strategic', subresource: 'status' });
    await absent('the worker pod', () => rig.inWorker(name));
    expect((await rig.atHome(name)).status).toMatchObject({ phase: 'Failed', reason: 'Evicted' });
    await rig.home.delete(Pods, namespace, name);
    await rig.gone(name);
  });

  test('a pod of the same name made while no syncer ran gets a worker pod of its own', async () => {
    const first = await createReady('again');
    const { name, namespace = '' } = first.metadata;
    const before = await rig.inWorker(name);
    await rig.kill();
    await rig.home.delete(Pods, namespace, name, { gracePeriodSeconds: 0 });
    const second = await rig.create(name, rig.spec(FOREVER));
    rig.start();
    await rig.ready(name);
    const after = await rig.inWorker(name);
    expect(after.metadata.uid).not.toBe(before.metadata.uid);
    expect([...(rig.made.get(second.metadata.uid ?? '') ?? [])]).toEqual([after.metadata.uid]);
    expect(rig.made.get(first.metadata.uid ?? '')?.size).toBe(1);
    await rig.home.delete(Pods, namespace, name, { gracePeriodSeconds: 1 });
    await rig.gone(name);
  });
});

test('nothing is left', async () => {
  await nothingLeft(rig);
});
