/**
 * Inline CSI volumes of pods on vnodes: mounted by a real kubelet of the worker, from a driver beside it. What the driver
 * is told of the pod is what the worker's kubelet knows; what goes wrong is told at home. Which drivers and fields are
 * refused is in volumes-refused.test.ts. The tests run side by side: each has pods of its own.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { workerName } from '@kubeocean/shared/api';
import { Namespaces, Pods, ServiceAccounts } from '@kubeocean/shared/kube';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { absent, afterTest, cleanup, type RunningProcess, uniqueName, waitFor } from './harness/index.ts';
import { type Call, type CsiDriver, declareDriver, startDriver } from './volumes/csi.ts';
import { getPod, getWorkerPod, logOf, running, showWhy, vnodesReady, warned } from './volumes/look.ts';
import {
  createRig,
  FOREVER,
  gone,
  home,
  type HomePod,
  type Mounted,
  NODES,
  podSpec,
  removeRig,
  type Rig,
  worker,
} from './volumes/rig.ts';

const MINUTES = { timeout: 300_000 };
const id = uniqueName('csi');
const names = {
  /** Told of pods, with a token of theirs. */
  told: `told.${id}`,
  /** Told nothing of pods. */
  blind: `blind.${id}`,
  /** Comes to the node when pods wait for it. */
  late: `late.${id}`,
  /** Has no CSIDriver object. */
  undeclared: `undeclared.${id}`,
};

let rig: Rig;
let syncer: RunningProcess;
let told: CsiDriver;
let blind: CsiDriver;

beforeAll(async () => {
  rig = await createRig('csi', { lentPods: { csiDrivers: Object.values(names) } });
  await declareDriver(names.told, { tokenRequests: [{ audience: 'vault' }] });
  await declareDriver(names.blind, { podInfoOnMount: false });
  await declareDriver(names.late);
  syncer = rig.startSyncer();
  [told, blind] = await Promise.all([
    startDriver(names.told, NODES[0]),
    startDriver(names.blind, NODES[0]),
    startDriver(names.undeclared, NODES[0]),
  ]);
  await vnodesReady(rig, syncer);
}, 300_000);

beforeEach(({ onTestFailed }) => onTestFailed(() => showWhy(rig, syncer)));

afterAll(() => removeRig(rig, syncer));

/** On the node that has the drivers. */
const there = () => ({ nodeSelector: undefined, nodeName: rig.vnodes[0] });

/** A pod whose volumes are gone before the driver is. */
async function podWith(name: string, script: string, volumes: Mounted[]): Promise<void> {
  afterTest(() => remove(rig.name, name));
  await rig.pod(name, script, volumes, there());
}

async function remove(namespace: string, name: string): Promise<void> {
  await home.delete(Pods, namespace, name).catch(gone);
  await absent(`home pod ${name}`, () => home.get(Pods, namespace, name));
}

function volume(name: string, driver: string, csi: Record<string, unknown> = {}): Mounted {
  return { name, csi: { driver, ...csi } };
}

const uidOf = (pod: HomePod): string => pod.metadata.uid ?? '';

/** The last call with which the kubelet asked for a volume. */
function published(driver: CsiDriver, pod: HomePod, name: string): Call {
  const call = driver.last('publish', uidOf(pod), name);
  if (!call) throw new Error(`${driver.name} was not asked for ${name}: ${JSON.stringify(driver.calls())}`);
  return call;
}

const mountTable = () => readFileSync('/proc/self/mountinfo', 'utf8');

test.concurrent(
  'a pod reads and writes its volume, with what its attributes say; both go together',
  MINUTES,
  async () => {
    const name = uniqueName('mounted');
    const script = [
      'cat /data/greeting /look/greeting',
      'echo mine > /data/own && cat /data/own',
      'echo x > /look/no || echo look is read-only',
      'echo done',
      FOREVER,
    ].join('\n');
    await podWith(name, script, [
      volume('data', names.told, { volumeAttributes: { greeting: 'hello', other: 'kept' } }),
      volume('look', names.told, { volumeAttributes: { greeting: 'look' }, readOnly: true, fsType: 'ext4' }),
    ]);
    await running(rig, name);
    const log = await logOf(rig, name, 'done');
    expect(log.split('\n').filter((line) => !line.startsWith('sh:'))).toEqual([
      'hello',
      'look',
      'mine',
      'look is read-only',
      'done',
      '',
    ]);

    const inWorker = await getWorkerPod(rig, name);
    const [data, look] = [published(told, inWorker, 'data'), published(told, inWorker, 'look')];
    expect(data.context).toMatchObject({ greeting: 'hello', other: 'kept' });
    expect(data.readOnly).toBeUndefined();
    expect(look).toMatchObject({ readOnly: true, fsType: 'ext4' });
    expect(readFileSync(join(told.folder, data.volume ?? '', 'own'), 'utf8')).toBe('mine\n');
    expect(mountTable()).toContain(data.target);

    await remove(rig.name, name);
    for (const [each, before] of [
      ['data', data],
      ['look', look],
    ] as const) {
      const after = await waitFor(
        `${each} unpublished`,
        () =>
          told.calls().find(({ call, volume: of, error }) => call === 'unpublish' && of === before.volume && !error),
        { timeoutMs: 60_000 },
      );
      expect(after.target).toBe(before.target);
      expect(told.volumes()).not.toContain(before.volume);
      expect(mountTable()).not.toContain(before.target);
    }
  },
);

describe.concurrent('the driver is told of', MINUTES, () => {
  const PREFIX = 'csi.storage.k8s.io';
  const forged = {
    [`${PREFIX}/pod.name`]: 'etcd-0',
    [`${PREFIX}/pod.namespace`]: 'kube-system',
    [`${PREFIX}/pod.uid`]: '0',
    [`${PREFIX}/serviceAccount.name`]: 'root',
    [`${PREFIX}/serviceAccount.tokens`]: '{}',
    [`${PREFIX}/ephemeral`]: 'false',
  };

  /** The claims of a token, which nobody checks here: the worker's API server has just given it to its kubelet. */
  function claimsOf(token: string): Record<string, unknown> {
    return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;
  }

  test('the worker pod, whatever home’s namespace and account are, and whatever the attributes pretend', async () => {
    const [name, namespace] = [uniqueName('teller'), uniqueName(`${rig.name}-apps`)];
    await home.create(Namespaces, { metadata: { name: namespace } });
    cleanup(() => home.delete(Namespaces, '', namespace).catch(gone));
    await home.create(ServiceAccounts, { metadata: { name: 'owner', namespace } });
    const volumes = [volume('data', names.told, { volumeAttributes: { greeting: 'hello', ...forged } })];
    afterTest(() => remove(namespace, name));
    await home.create(Pods, {
      metadata: { name, namespace },
      spec: podSpec(rig.name, FOREVER, volumes, { ...there(), serviceAccountName: 'owner' }),
    });
    const called = workerName(rig.bindingUID, namespace, name);
    const pod = await waitFor(
      'the pod running in the worker',
      async () => {
        const seen = await worker.get<HomePod>(Pods, rig.name, called);
        return seen.status?.phase === 'Running' && seen;
      },
      { timeoutMs: 90_000 },
    );
    const { [`${PREFIX}/serviceAccount.tokens`]: tokens = '{}', ...context } =
      published(told, pod, 'data').context ?? {};
    expect(context).toEqual({
      greeting: 'hello',
      [`${PREFIX}/pod.name`]: called,
      [`${PREFIX}/pod.namespace`]: rig.name,
      [`${PREFIX}/pod.uid`]: uidOf(pod),
      [`${PREFIX}/serviceAccount.name`]: 'default',
      [`${PREFIX}/ephemeral`]: 'true',
    });
    const { vault } = JSON.parse(tokens) as { vault: { token: string } };
    expect(claimsOf(vault.token)).toMatchObject({
      aud: ['vault'],
      sub: `system:serviceaccount:${rig.name}:default`,
      'kubernetes.io': { pod: { name: called, uid: uidOf(pod) } },
    });
  });

  test('nothing but the attributes, as the author wrote them, when it does not ask for more', async () => {
    const name = uniqueName('pretender');
    await podWith(name, FOREVER, [volume('data', names.blind, { volumeAttributes: forged })]);
    await running(rig, name);
    expect(published(blind, await getWorkerPod(rig, name), 'data').context).toEqual(forged);
  });
});

describe.concurrent('a pod stays ContainerCreating, and its event says why:', MINUTES, () => {
  /** What the kubelet of the worker says of the mount, in an event on the home pod. */
  async function waits(name: string, words: string): Promise<void> {
    expect(await warned(rig, 'Pod', name, words)).toContain('MountVolume.SetUp failed for volume "data"');
    const waiting = await waitFor('the reason', async () => {
      const { status } = (await getPod(rig, name)) as HomePod & { status?: Waiting };
      return status?.containerStatuses?.[0]?.state?.waiting;
    });
    expect(waiting.reason).toBe('ContainerCreating');
    expect(await home.get<HomePod>(Pods, rig.name, name)).toMatchObject({ status: { phase: 'Pending' } });
  }

  interface Waiting {
    containerStatuses?: { state?: { waiting?: { reason?: string } } }[];
  }

  test('the driver is not on the node; the pod runs when it has come', async () => {
    const name = uniqueName('early');
    const come: CsiDriver[] = [];
    // So that a second try begins without it. After the pod has gone: its undoing is registered below.
    afterTest(() => Promise.all(come.map((driver) => driver.stop())));
    await podWith(name, FOREVER, [volume('data', names.late)]);
    await waits(name, `driver name ${names.late} not found in the list of registered CSI drivers`);
    const late = await startDriver(names.late, NODES[0]);
    come.push(late);
    // The kubelet tries again with growing pauses, of two minutes at most.
    const podUID = uidOf(await getWorkerPod(rig, name));
    await waitFor('the volume', () => late.last('publish', podUID, 'data'), { timeoutMs: 150_000, everyMs: 200 });
    await running(rig, name);
  });

  test('the worker’s owner has not declared the driver', async () => {
    const name = uniqueName('undeclared');
    await podWith(name, FOREVER, [volume('data', names.undeclared)]);
    await waits(name, `not supported by driver ${names.undeclared} (no CSIDriver object)`);
  });

  test('the driver refuses, in its own words', async () => {
    const name = uniqueName('unwanted');
    await podWith(name, FOREVER, [
      volume('data', names.told, { volumeAttributes: { refuse: 'no volumes of this size today' } }),
    ]);
    await waits(name, 'no volumes of this size today');
  });
});
