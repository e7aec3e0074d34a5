/**
 * Nobody reaches what is not the counterpart of their own: two bindings in one mount namespace, pods and objects of equal
 * names, forged labels and annotations, names taken beforehand, and names of another namespace's copies. Forged pods are
 * in pods-ending.test.ts, a second computing cluster with the same name in syncer-nodes.test.ts, the worker's own admission
 * in trust.test.ts. The tests run side by side, each with names of its own.
 */
import { Annotation, Label } from '@kubeocean/shared/api';
import { ConfigMaps, type KubeObject, Pods, Secrets } from '@kubeocean/shared/kube';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { kubectl, uniqueName, waitFor } from './harness/index.ts';
import { FOREVER, nothingLeft, type PodRig, podRig, SLOW_MS } from './restart/rig.ts';

/** Two tenants of the same mount namespace; each has its own namespace at home. */
let red: PodRig;
let blue: PodRig;

beforeAll(async () => {
  red = await podRig('red');
  blue = await podRig('blue', { mountNamespace: red.mountNamespace });
});

beforeEach(({ onTestFailed }) => {
  onTestFailed(() => console.log(`${red.syncer.tail(10)}\n${blue.syncer.tail(10)}`));
});

const SHOW = `echo "color: $color"; ${FOREVER}`;

function fromMap(rig: PodRig, map: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return rig.spec(SHOW, more, { envFrom: [{ configMapRef: { name: map } }] });
}

async function createMap(rig: PodRig, name: string, color: string, metadata: object = {}): Promise<KubeObject> {
  return rig.home.create(ConfigMaps, {
    metadata: { name, namespace: rig.homeNamespace, ...metadata },
    data: { color },
  });
}

async function output(rig: PodRig, name: string): Promise<string> {
  const look = async () =>
    (await kubectl('worker-1', ['-n', rig.mountNamespace, 'logs', rig.workerName(name)])).stdout.trim();
  return waitFor(`output of ${name}`, look, { timeoutMs: SLOW_MS });
}

async function remove(rig: PodRig, ...names: string[]): Promise<void> {
  for (const name of names) await rig.home.delete(Pods, rig.homeNamespace, name, { gracePeriodSeconds: 1 });
  for (const name of names) await rig.gone(name);
}

test.concurrent('two bindings with pods, ConfigMaps and Secrets of equal names do not meet', async () => {
  const name = uniqueName('web');
  for (const [rig, color] of [
    [red, 'red'],
    [blue, 'blue'],
  ] as const) {
    await createMap(rig, name, color);
    await rig.create(name, fromMap(rig, name));
  }
  const [first, second] = await Promise.all([red.ready(name), blue.ready(name)]);
  expect(await output(red, name)).toBe('color: red');
  expect(await output(blue, name)).toBe('color: blue');
  expect([first.spec.nodeName, second.spec.nodeName]).toEqual([red.vnode, blue.vnode]);
  const before = await blue.inWorker(name);
  await remove(red, name);
  const after = await blue.inWorker(name);
  expect(after.metadata.uid).toBe(before.metadata.uid);
  expect(after.metadata.deletionTimestamp).toBeUndefined();
  expect(await blue.copies(ConfigMaps)).toContain(blue.workerName(name, 'configmap'));
  await remove(blue, name);
});

describe.concurrent('names of others', () => {
  test('a pod gets nothing of the same name from another namespace, nor by the name of its copy', async () => {
    const owner = uniqueName('owner');
    await createMap(red, owner, 'secret-of-red');
    await red.create(owner, fromMap(red, owner));
    await red.ready(owner);
    const copy = red.workerName(owner, 'configmap');
    const thieves = [uniqueName('thief'), uniqueName('thief')] as const;
    await blue.create(thieves[0], fromMap(blue, owner));
    await blue.create(thieves[1], fromMap(blue, copy));
    for (const thief of thieves) {
      await waitFor(
        `${thief} waiting`,
        async () => {
          const { status } = await blue.atHome(thief);
          const waiting = status?.containerStatuses?.[0]?.state?.['waiting'] as { reason?: string } | undefined;
          return waiting?.reason === 'CreateContainerConfigError';
        },
        { timeoutMs: SLOW_MS },
      );
    }
    expect(await blue.copies(ConfigMaps)).not.toContain(blue.workerName(owner, 'configmap'));
    await remove(blue, ...thieves);
    await remove(red, owner);
  });
});

describe.concurrent('names taken beforehand in the worker', () => {
  test.each([
    ['ConfigMap', ConfigMaps, 'configmap'],
    ['Secret', Secrets, 'secret'],
  ] as const)("a stranger's %s is neither used nor touched, and the pod says so", async (kind, resource, short) => {
    const name = uniqueName('taken');
    await red.home.create(resource, {
      metadata: { name, namespace: red.homeNamespace },
      ...(short === 'secret' ? { stringData: { color: 'home' } } : { data: { color: 'home' } }),
    });
    const squatter = { name: red.workerName(name, short), namespace: red.mountNamespace };
    const content = short === 'secret' ? { stringData: { color: 'stranger' } } : { data: { color: 'stranger' } };
    const { metadata } = await red.worker.create(resource, { metadata: squatter, ...content });
    const source = short === 'secret' ? { secretRef: { name } } : { configMapRef: { name } };
    await red.create(name, red.spec(SHOW, {}, { envFrom: [source] }));
    expect(await red.event(name, 'FailedDependency')).toContain(
      `the ${kind} ${red.mountNamespace}/${squatter.name} of the worker cluster stands where a copy belongs`,
    );
    const untouched = await red.worker.get(resource, red.mountNamespace, squatter.name);
    expect(untouched.metadata.resourceVersion).toBe(metadata.resourceVersion);
    await red.worker.delete(resource, red.mountNamespace, squatter.name);
    await red.ready(name);
    expect(await output(red, name)).toBe('color: home');
    await remove(red, name);
  });

  test('one that wears our labels and claims to be the newest copy is not believed', async () => {
    const name = uniqueName('forged');
    const { metadata } = await createMap(red, name, 'home');
    await red.worker.create(ConfigMaps, {
      metadata: {
        name: red.workerName(name, 'configmap'),
        namespace: red.mountNamespace,
        labels: {
          [Label.managedBy]: 'kubeocean',
          [Label.clusterBinding]: red.bindingName,
          [Label.bindingUID]: red.bindingUID,
          [Label.virtualNamespace]: red.homeNamespace,
        },
        annotations: {
          [Annotation.virtualNamespace]: red.homeNamespace,
          [Annotation.virtualName]: name,
          [Annotation.sourceVersion]: `${metadata.uid}/${metadata.resourceVersion}`,
        },
      },
      data: { color: 'stranger' },
    });
    await red.create(name, fromMap(red, name));
    await red.ready(name);
    expect(await output(red, name)).toBe('color: home');
    await remove(red, name);
  });
});

test.concurrent('what users write into labels and annotations of ours at home means nothing', async () => {
  const [victim, forger] = [uniqueName('victim'), uniqueName('forger')];
  await createMap(blue, victim, 'of-blue');
  await blue.create(victim, fromMap(blue, victim));
  const seen = await blue.ready(victim);
  const target = await blue.inWorker(victim);
  const labels = {
    [Label.bindingUID]: blue.bindingUID,
    [Label.clusterBinding]: blue.bindingName,
    [Label.virtualNamespace]: blue.homeNamespace,
  };
  const annotations = {
    [Annotation.virtualPodNamespace]: blue.homeNamespace,
    [Annotation.virtualPodName]: victim,
    [Annotation.virtualPodUID]: seen.metadata.uid ?? '',
    [Annotation.virtualNamespace]: blue.homeNamespace,
    [Annotation.virtualName]: victim,
    [Annotation.physicalPodName]: target.metadata.name,
    [Annotation.physicalPodUID]: target.metadata.uid ?? '',
  };
  await createMap(red, forger, 'of-red', { labels, annotations });
  await red.create(forger, fromMap(red, forger), { labels, annotations });
  await red.ready(forger);
  expect(await output(red, forger)).toBe('color: of-red');
  const own = (await red.inWorker(forger)).metadata;
  expect(own.labels?.[Label.bindingUID]).toBe(red.bindingUID);
  expect(own.annotations?.[Annotation.virtualPodName]).toBe(forger);
  const copy = await red.worker.get(ConfigMaps, red.mountNamespace, red.workerName(forger, 'configmap'));
  expect(copy.metadata.labels?.[Label.bindingUID]).toBe(red.bindingUID);
  expect(copy.metadata.annotations?.[Annotation.virtualName]).toBe(forger);
  await remove(red, forger);
  expect((await blue.inWorker(victim)).metadata).toMatchObject({ uid: target.metadata.uid });
  expect((await blue.inWorker(victim)).metadata.deletionTimestamp).toBeUndefined();
  await remove(blue, victim);
});

test('nothing is left of either', async () => {
  await nothingLeft(red);
  await nothingLeft(blue);
});
