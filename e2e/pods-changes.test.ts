/**
 * What may change of a pod while it runs, changed at home and seen in the worker's real kubelet: debug containers,
 * resources in place, images, deadlines, labels and annotations, and the grace of its end.
 */
import { ChartName, ClusterBindings } from '@kubeocean/shared/api';
import { Leases, Pods } from '@kubeocean/shared/kube';
import { beforeAll, describe, expect, test } from 'vitest';
import { kubectl, waitFor } from './harness/index.ts';
import { refuseDebugging, serveVnodes } from './pods/debugging.ts';
import {
  conditionOf,
  explainFailures,
  homePod,
  LONG,
  logsOf,
  type Pod,
  podName,
  type PodRig,
  podRig,
  STAY,
} from './pods/helpers.ts';

let rig: PodRig;
explainFailures(() => rig);

beforeAll(async () => {
  rig = await podRig('changes', { allocatable: { cpu: '1', memory: '1Gi', pods: '20' } });
});

interface Resources {
  requests?: Record<string, string>;
  limits?: Record<string, string>;
}

interface Seen extends Pod {
  status?: Pod['status'] & {
    observedGeneration?: number;
    containerStatuses?: { resources?: Resources; allocatedResources?: Record<string, string>; image?: string }[];
    ephemeralContainerStatuses?: { name: string; state?: Record<string, unknown> }[];
  };
}

const atHome = (args: string[]) => kubectl('computing', ['-n', rig.homeNamespace, ...args], { anyExit: true });

describe('kubectl debug', () => {
  beforeAll(() => serveVnodes(rig));

  test('adds a container beside the pod’s own; its output and its terminal are reached through the vnode', async () => {
    const name = podName(rig, 'debugged');
    await rig.create(name, rig.spec(STAY));
    await rig.ready(name);
    const script =
      'echo "seen: $(hostname) $KUBERNETES_SERVICE_HOST $(ps | grep -c [s]leep)"; read word; echo "read $word"; sleep 3600';
    const asked = await atHome([
      'debug',
      name,
      '--image=busybox:1.35',
      '--image-pull-policy=IfNotPresent',
      '-c',
      'probe',
      '--target=main',
      '-i',
      '--attach=false',
      '--',
      'sh',
      '-c',
      script,
    ]);
    expect(asked.status, asked.stderr).toBe(0);
    await homePod<Seen>(
      rig,
      name,
      'debugged',
      ({ status }) => status?.ephemeralContainerStatuses?.[0]?.state?.['running'],
    );
    const logs = await waitFor(
      'its log at home',
      async () => {
        const { stdout, stderr } = await atHome(['logs', name, '-c', 'probe']);
        if (stdout.includes('seen:')) return stdout;
        throw new Error(stdout + stderr);
      },
      LONG,
    );
    // Home's API server, as the pod's own containers have it; the processes are those of the target.
    expect(logs).toMatch(new RegExp(`seen: ${name} [0-9.]+ [1-9]`));
    const attached = await kubectl('computing', ['-n', rig.homeNamespace, 'attach', '-i', name, '-c', 'probe'], {
      anyExit: true,
      input: 'hello\n',
    });
    await waitFor(
      'the word read',
      async () => {
        const { stdout } = await atHome(['logs', name, '-c', 'probe']);
        if (stdout.includes('read hello')) return true;
        throw new Error(`${stdout} ${JSON.stringify(attached)}`);
      },
      LONG,
    );
  });

  test('that the worker refuses says so where kubectl waits', async () => {
    const policy = await refuseDebugging(rig);
    const name = podName(rig, 'undebugged');
    await rig.create(name, rig.spec(STAY));
    await rig.ready(name);
    await waitFor('the refusal in force', async () => {
      await rig.home.patch(
        Pods,
        rig.homeNamespace,
        name,
        { spec: { ephemeralContainers: [{ name: 'probe', image: 'busybox:1.35', targetContainerName: 'main' }] } },
        { subresource: 'ephemeralcontainers', type: 'strategic' },
      );
      return true;
    });
    const { status } = await homePod<Seen>(
      rig,
      name,
      'told',
      (pod) => pod.status?.ephemeralContainerStatuses?.[0]?.state?.['waiting'],
    );
    expect(status?.ephemeralContainerStatuses?.[0]?.state?.['waiting']).toMatchObject({
      reason: 'RefusedByWorker',
      message: expect.stringContaining(`no debugging in ${policy}`) as string,
    });
  });
});

describe('resize in place', () => {
  const resources = (cpu: string, memory: string) => ({
    requests: { cpu, memory },
    limits: { cpu: '2', memory: '256Mi' },
  });

  function resize(name: string, to: Resources): Promise<unknown> {
    return rig.home.patch(
      Pods,
      rig.homeNamespace,
      name,
      { spec: { containers: [{ name: 'main', resources: to }] } },
      { subresource: 'resize', type: 'strategic' },
    );
  }

  test('up and down, by the real kubelet, without a restart', async () => {
    const name = podName(rig, 'resized');
    await rig.create(name, rig.spec(STAY, {}, { resources: resources('100m', '32Mi') }));
    await rig.ready(name);
    for (const [cpu, memory] of [
      ['300m', '64Mi'],
      ['150m', '64Mi'],
    ] as const) {
      await resize(name, { requests: { cpu, memory } });
      const pod = await homePod<Seen>(rig, name, `at ${cpu}`, ({ status, metadata }) => {
        const [main] = status?.containerStatuses ?? [];
        return (
          main?.resources?.requests?.['cpu'] === cpu &&
          main.allocatedResources?.['cpu'] === cpu &&
          status?.observedGeneration === metadata.generation
        );
      });
      expect((await rig.inWorker(name)).spec.containers[0]?.['resources']).toMatchObject({ requests: { cpu, memory } });
      expect(pod.status?.containerStatuses?.[0]?.restartCount).toBe(0);
    }
  });

  test('waits for room as Deferred, is Infeasible beyond what is lent, and goes through when there is room', async () => {
    const [big, small] = [podName(rig, 'big'), podName(rig, 'small')];
    await rig.create(big, rig.spec(STAY, {}, { resources: resources('500m', '32Mi') }));
    await rig.create(small, rig.spec(STAY, {}, { resources: resources('100m', '32Mi') }));
    await Promise.all([rig.ready(big), rig.ready(small)]);
    await resize(small, { requests: { cpu: '1500m' } });
    const never = await homePod(
      rig,
      small,
      'Infeasible',
      (pod: Pod) => conditionOf(pod, 'PodResizePending')?.reason === 'Infeasible',
    );
    expect(conditionOf(never, 'PodResizePending')?.message).toContain('lent 1');
    expect((await atHome(['wait', '--for=condition=Ready', `pod/${small}`, '--timeout=30s'])).status).toBe(0);
    await resize(small, { requests: { cpu: '700m' } });
    const waits = await homePod(
      rig,
      small,
      'Deferred',
      (pod: Pod) => conditionOf(pod, 'PodResizePending')?.reason === 'Deferred',
    );
    expect(conditionOf(waits, 'PodResizePending')?.message).toContain('requested 700m');
    expect((await rig.inWorker(small)).spec.containers[0]?.['resources']).toMatchObject({ requests: { cpu: '100m' } });
    await rig.home.delete(Pods, rig.homeNamespace, big);
    const done = await homePod<Seen>(
      rig,
      small,
      'resized',
      ({ status }) => status?.containerStatuses?.[0]?.resources?.requests?.['cpu'] === '700m',
    );
    expect(conditionOf(done, 'PodResizePending')).toBeUndefined();
  });
});

test('image, deadline, labels, annotations and tolerations', { timeout: 240_000 }, async () => {
  const name = podName(rig, 'changed');
  const volumes = [
    { name: 'info', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
  ];
  const container = { volumeMounts: [{ name: 'info', mountPath: '/etc/info' }] };
  const watching =
    'trap "exit 0" TERM; while :; do grep -q yes /etc/info/labels && echo "labels: $(cat /etc/info/labels)"; sleep 2; done';
  const spec = rig.spec(watching, { volumes, activeDeadlineSeconds: 3000 }, container);
  const labels = { app: 'changed', 'team.example.com/name': 'red', 'other.example.com/x': 'y' };
  // The owner lets some labels come along: the agent says so in its heartbeat.
  const prefixes = { 'kubeocean.io/metadata-prefixes': 'team.example.com/' };
  await waitFor('the heartbeat', () =>
    rig.worker.patch(Leases, rig.mountNamespace, ChartName.agent, { metadata: { annotations: prefixes } }),
  );
  await rig.create(name, spec, { labels });
  await rig.ready(name);
  const before = (await rig.inWorker(name)).metadata;
  expect(before.labels).toMatchObject({ 'team.example.com/name': 'red' });
  expect(before.labels).not.toHaveProperty('app');
  expect(before.labels).not.toHaveProperty(['other.example.com/x']);

  await rig.home.patch(Pods, rig.homeNamespace, name, {
    metadata: {
      labels: { extra: 'yes', 'team.example.com/name': 'blue' },
      annotations: { 'team.example.com/note': 'hi' },
    },
    spec: { activeDeadlineSeconds: 2000 },
  });
  await rig.home.patch(
    Pods,
    rig.homeNamespace,
    name,
    { spec: { containers: [{ name: 'main', image: 'busybox:1.36' }] } },
    { type: 'strategic' },
  );
  const tolerations = [
    ...((await rig.atHome(name)).spec['tolerations'] as unknown[]),
    { key: 'added', operator: 'Exists', effect: 'NoSchedule' },
  ];
  await rig.home.patch(Pods, rig.homeNamespace, name, { spec: { tolerations } });
  await waitFor(
    'the changes in the worker',
    async () => {
      const pod = await rig.inWorker(name);
      expect(pod.spec).toMatchObject({ activeDeadlineSeconds: 2000, containers: [{ image: 'busybox:1.36' }] });
      expect(pod.metadata.labels).toMatchObject({ 'team.example.com/name': 'blue' });
      expect(pod.metadata.annotations).toMatchObject({ 'team.example.com/note': 'hi' });
      return true;
    },
    LONG,
  );
  // By whatever name of it the runtime calls the image: all tags of busybox here are the same one.
  await homePod<Seen>(rig, name, 'run anew', ({ status }) => status?.containerStatuses?.[0]?.restartCount === 1);
  // The kubelet brings the files of the downward API up to date about once a minute.
  await logsOf(rig, name, /labels: .*\n?.*extra="yes"/);
  await rig.home.patch(Pods, rig.homeNamespace, name, { metadata: { labels: { 'team.example.com/name': null } } });
  const end = await waitFor('the label gone', async () => {
    const pod = await rig.inWorker(name);
    return pod.metadata.labels?.['team.example.com/name'] === undefined && pod;
  });
  // However long it has had: tolerations are home's scheduler's and taint manager's business.
  expect(JSON.stringify(end.spec['tolerations'])).not.toContain('"added"');
});

test('a shorter deadline ends the pod as at home', async () => {
  const name = podName(rig, 'short');
  await rig.create(name, rig.spec(STAY, { restartPolicy: 'Never', activeDeadlineSeconds: 3000 }));
  await rig.ready(name);
  await rig.home.patch(Pods, rig.homeNamespace, name, { spec: { activeDeadlineSeconds: 1 } });
  const pod = await rig.phase(name, 'Failed');
  expect(pod.status?.reason).toBe('DeadlineExceeded');
});

test('a grace given with the deletion is the worker’s too', async () => {
  const name = podName(rig, 'graceful');
  const lastWords = 'trap "sleep 5; exit 0" TERM; while :; do sleep 1; done';
  await rig.create(name, rig.spec(lastWords, { terminationGracePeriodSeconds: 600 }));
  await rig.ready(name);
  await rig.home.delete(Pods, rig.homeNamespace, name, { gracePeriodSeconds: 300 });
  await waitFor('the grace', async () => (await rig.inWorker(name)).metadata.deletionGracePeriodSeconds === 300, {
    ...LONG,
    everyMs: 50,
  });
  // Asked at once: some seconds later it is gone.
  expect((await rig.atHome(name)).metadata.deletionTimestamp).toBeDefined();
  await rig.gone(name);
});

test('a binding that names serviceNamespaces is told that they do nothing', async () => {
  const condition = async () => {
    const { status } = await rig.binding();
    return status?.conditions?.find(({ type }) => type === 'ServiceNamespacesUnused');
  };
  await rig.home.patch(ClusterBindings, '', rig.bindingName, { spec: { serviceNamespaces: ['shop'] } });
  await waitFor('the condition', async () => (await condition())?.status === 'True', LONG);
  await rig.home.patch(ClusterBindings, '', rig.bindingName, { spec: { serviceNamespaces: null } });
  await waitFor('it taken back', async () => (await condition())?.status === 'False', LONG);
});
