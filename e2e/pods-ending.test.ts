/**
 * How pods on a vnode end when nobody at home asked for it, whose counterpart a pod is whatever anybody writes on it, and
 * which pods a vnode does not take.
 */
import { Pods } from '@kubeocean/shared/kube';
import { beforeAll, describe, expect, test } from 'vitest';
import { absent, waitFor } from './harness/index.ts';
import {
  conditionOf,
  explainFailures,
  isReady,
  LONG,
  made,
  podName,
  type PodRig,
  podRig,
  setRecord,
  STAY,
} from './pods/helpers.ts';

const NOT_CARRIED = [
  { name: 'data', iscsi: { targetPortal: '192.0.2.1:3260', iqn: 'iqn.2001-04.com.example:x', lun: 0 } },
];

let rig: PodRig;
explainFailures(() => rig);

beforeAll(async () => {
  rig = await podRig('ending', { allocatable: { cpu: '2', memory: '4Gi', pods: '40' } });
});

describe('the end that nobody at home asked for', () => {
  test('a worker pod deleted by hand: Failed, DisruptionTarget, even with exit code 0', async () => {
    const name = podName(rig, 'taken');
    await rig.create(name, rig.spec(STAY, { restartPolicy: 'Never' }));
    await rig.ready(name);
    await rig.worker.delete(Pods, rig.mountNamespace, rig.workerName(name));
    const pod = await rig.phase(name, 'Failed');
    expect(conditionOf(pod, 'DisruptionTarget')).toMatchObject({ status: 'True' });
    await absent('worker pod', () => rig.inWorker(name));
    expect(rig.made.get(pod.metadata.uid ?? '')?.size).toBe(1);
  });

  test('taken with its finalizer, or forced away at home, while the syncer is down', async () => {
    const [lost, forced] = [podName(rig, 'lost'), podName(rig, 'forced')];
    await rig.create(lost, rig.spec(STAY));
    await rig.create(forced, rig.spec(STAY));
    const { metadata } = await rig.ready(lost);
    await rig.ready(forced);
    await rig.kill();
    try {
      const name = rig.workerName(lost);
      await rig.worker.patch(Pods, rig.mountNamespace, name, { metadata: { finalizers: null } });
      await rig.worker.delete(Pods, rig.mountNamespace, name, { gracePeriodSeconds: 0 });
      await rig.home.delete(Pods, rig.homeNamespace, forced, { gracePeriodSeconds: 0 });
      await absent('worker pod', () => rig.inWorker(lost));
    } finally {
      rig.start();
    }
    const pod = await rig.phase(lost, 'Failed');
    expect(pod.status?.reason).toBe('WorkerPodLost');
    expect(conditionOf(pod, 'DisruptionTarget')?.status).toBe('True');
    expect(rig.made.get(metadata.uid ?? '')?.size).toBe(1);
    await absent('worker pod of the one forced away', () => rig.inWorker(forced));
  });
});

test('a pod that ends before it ran, and is kept by somebody’s finalizer, comes to an end all the same', async () => {
  // As a Job's controller keeps it until it has counted it, for which some Jobs wait for the phase.
  const finalizers = ['example.com/job-tracking'];
  const [waits, refused] = [podName(rig, 'waits'), podName(rig, 'refused')];
  const missing = [{ name: 'data', persistentVolumeClaim: { claimName: 'not-there' } }];
  // Past the scheduler, which would wait for the claim itself.
  await rig.create(waits, rig.spec(STAY, { nodeName: rig.vnode, volumes: missing }), { finalizers });
  await rig.create(refused, rig.spec(STAY, { volumes: NOT_CARRIED }), { finalizers });
  for (const name of [waits, refused]) {
    await waitFor('why it does not run', async () => (await rig.atHome(name)).status?.reason !== undefined);
    await rig.home.delete(Pods, rig.homeNamespace, name);
    await rig.phase(name, 'Failed');
    await rig.home.patch(Pods, rig.homeNamespace, name, { metadata: { finalizers: null } });
    await absent('home pod', () => rig.atHome(name));
  }
});

test('a pod forced away at home is counted by the agent until it is over: its finalizer goes at once', async () => {
  const name = podName(rig, 'lingers');
  await rig.create(name, rig.spec("trap '' TERM; while true; do sleep 1; done", { terminationGracePeriodSeconds: 60 }));
  await rig.ready(name);
  await rig.kill();
  try {
    await rig.home.delete(Pods, rig.homeNamespace, name, { gracePeriodSeconds: 0 });
  } finally {
    rig.start();
  }
  const lingering = await waitFor(
    'the finalizer gone',
    async () => {
      const pod = await rig.inWorker(name);
      return pod.metadata.finalizers === undefined && pod;
    },
    LONG,
  );
  expect(lingering.metadata.deletionTimestamp).toBeDefined();
  expect(lingering.metadata.deletionGracePeriodSeconds).toBe(60);
  await rig.worker.delete(Pods, rig.mountNamespace, lingering.metadata.name, { gracePeriodSeconds: 0 });
});

test("our finalizer goes when home's pod is gone, somebody else's stays", async () => {
  const name = podName(rig, 'held');
  await rig.create(name, rig.spec(STAY));
  await rig.ready(name);
  const worker = rig.workerName(name);
  const finalizers = ['kubeocean.io/home-sync', 'example.com/held'];
  await rig.worker.patch(Pods, rig.mountNamespace, worker, { metadata: { finalizers } });
  await rig.home.delete(Pods, rig.homeNamespace, name);
  await absent('home pod', () => rig.atHome(name));
  const held = await waitFor('only the other finalizer', async () => {
    const { metadata } = await rig.inWorker(name);
    return metadata.finalizers?.length === 1 && metadata;
  });
  expect(held.finalizers).toEqual(['example.com/held']);
  // The API server is spared the bookkeeping for an object that goes.
  expect(held).not.toHaveProperty('managedFields');
  await rig.worker.patch(Pods, rig.mountNamespace, worker, { metadata: { finalizers: null } });
  await absent('worker pod', () => rig.inWorker(name));
});

describe('mapping', () => {
  test('annotations forged in the worker: neither pod is touched, or they are put right', async () => {
    const [victim, forger] = [podName(rig, 'victim'), podName(rig, 'forged')];
    const { metadata: aim } = await rig.create(victim, rig.spec(STAY));
    await rig.create(forger, rig.spec(STAY));
    await rig.ready(victim);
    const { metadata: own } = await rig.ready(forger);
    const { metadata: before } = await rig.inWorker(victim);
    const annotations = { 'kubeocean.io/virtual-pod-name': victim, 'kubeocean.io/virtual-pod-uid': aim.uid };
    await rig.worker.patch(Pods, rig.mountNamespace, rig.workerName(forger), { metadata: { annotations } });
    await waitFor(
      'told, or mended',
      async () => {
        const { metadata } = await rig.inWorker(forger);
        if (metadata.annotations?.['kubeocean.io/virtual-pod-uid'] === own.uid) return true;
        return (await rig.event(forger, 'MappingDisagrees')).includes('neither is touched');
      },
      LONG,
    );
    expect((await rig.inWorker(victim)).metadata.uid).toBe(before.uid);
    expect((await rig.inWorker(victim)).metadata.deletionTimestamp).toBeUndefined();
    expect((await rig.atHome(victim)).metadata.deletionTimestamp).toBeUndefined();
    expect((await rig.atHome(forger)).status?.phase).toBe('Running');
    const mended = { 'kubeocean.io/virtual-pod-name': forger, 'kubeocean.io/virtual-pod-uid': own.uid };
    await rig.worker.patch(Pods, rig.mountNamespace, rig.workerName(forger), { metadata: { annotations: mended } });
  });

  test('annotations forged at home mean nothing', async () => {
    const [bystander, thief] = [podName(rig, 'bystander'), podName(rig, 'thief')];
    await rig.create(bystander, rig.spec(STAY));
    await rig.ready(bystander);
    const { metadata } = await rig.inWorker(bystander);
    const annotations = {
      'kubeocean.io/physical-pod-namespace': rig.mountNamespace,
      'kubeocean.io/physical-pod-name': metadata.name,
      'kubeocean.io/physical-pod-uid': metadata.uid,
    };
    await rig.create(thief, rig.spec(STAY), { annotations });
    await rig.ready(thief);
    await rig.home.delete(Pods, rig.homeNamespace, thief);
    await rig.gone(thief);
    expect((await rig.inWorker(bystander)).metadata).toMatchObject({ uid: metadata.uid });
    expect((await rig.inWorker(bystander)).metadata.deletionTimestamp).toBeUndefined();
  });

  test("a stranger's pod under the name is left alone", async () => {
    const home = podName(rig, 'squatted');
    const name = rig.workerName(home);
    const { metadata } = await made(rig.worker, Pods, rig.mountNamespace, {
      metadata: { name },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [{ name: 'main', image: 'busybox:1.35', command: ['sh', '-c', STAY] }],
      },
    });
    await rig.create(home, rig.spec(STAY));
    expect(await rig.event(home, 'NameTaken')).toContain('left alone');
    await rig.home.delete(Pods, rig.homeNamespace, home);
    await absent('home pod', () => rig.atHome(home));
    expect((await rig.worker.get(Pods, rig.mountNamespace, name)).metadata).toMatchObject({ uid: metadata.uid });
  });
});

describe('not taken', () => {
  test('what cannot be carried is refused in words', async () => {
    const name = podName(rig, 'refused');
    await rig.create(name, rig.spec(STAY, { volumes: NOT_CARRIED }));
    expect(await rig.event(name, 'NotRun')).toContain('volumes of kind iscsi are not carried');
    const pod = await rig.atHome(name);
    expect(conditionOf(pod, 'kubeocean.io/NotRun')?.reason).toBe('VolumeNotCarried');
    expect(pod.status).toMatchObject({ phase: 'Pending', reason: 'NotRun' });
    await rig.home.delete(Pods, rig.homeNamespace, name);
    await absent('home pod', () => rig.atHome(name));
  });

  test('past the scheduler there is no more than what is lent', async () => {
    const name = podName(rig, 'greedy');
    await rig.create(name, rig.spec(STAY, { nodeName: rig.vnode }, { resources: { requests: { cpu: '3' } } }));
    const pod = await rig.phase(name, 'Failed');
    expect(pod.status).toMatchObject({ reason: 'OutOfcpu', message: expect.stringContaining('lent 2') as string });
    expect(rig.made.has(pod.metadata.uid ?? '')).toBe(false);
  });

  test('a lease that is ending takes no new pod, and leaves the old', async () => {
    const old = podName(rig, 'old');
    await rig.create(old, rig.spec(STAY));
    await rig.ready(old);
    await setRecord(rig, { phase: 'Closing', window: { opensAt: '2030-01-01T00:00:00Z' } });
    try {
      await waitFor(
        'Closing seen',
        async () => {
          const late = podName(rig, 'late');
          await rig.create(late, rig.spec(STAY, { nodeName: rig.vnode }));
          const pod = await waitFor(
            `${late} decided`,
            async () => {
              const seen = await rig.atHome(late);
              return (seen.status?.phase === 'Failed' || isReady(seen)) && seen;
            },
            LONG,
          );
          if (pod.status?.reason !== 'LeaseClosed') throw new Error(JSON.stringify(pod.status));
          expect(conditionOf(pod, 'DisruptionTarget')?.status).toBe('True');
          return pod.status.message?.includes('2030-01-01T00:00:00Z');
        },
        LONG,
      );
      expect(isReady(await rig.atHome(old))).toBe(true);
    } finally {
      await setRecord(rig, { phase: 'Active' });
    }
  });
});
