/**
 * Fields of a pod's spec that a kubelet or a scheduler acts on, on a vnode: what the worker's real kubelet makes of those
 * that are carried, and that those of the scheduler count at home. docs/pod-fields.md names these tests.
 */
import { type KubeObject, Pods, type Resource } from '@kubeocean/shared/kube';
import { beforeAll, describe, expect, test } from 'vitest';
import { cleanup, kubectl, uniqueName, waitFor } from './harness/index.ts';
import {
  conditionOf,
  explainFailures,
  homePod,
  ignoreGone,
  logsOf,
  LONG,
  type Pod,
  podName,
  type PodRig,
  podRig,
  STAY,
} from './pods/helpers.ts';

const RuntimeClasses: Resource = {
  group: 'node.k8s.io',
  version: 'v1',
  plural: 'runtimeclasses',
  kind: 'RuntimeClass',
  namespaced: false,
};

let rig: PodRig;
explainFailures(() => rig);

beforeAll(async () => {
  rig = await podRig('spec', { allocatable: { cpu: '4', memory: '4Gi', pods: '40' } });
});

const busybox = (name: string, script: string, more: Record<string, unknown> = {}) => ({
  name,
  image: 'busybox:1.35',
  imagePullPolicy: 'IfNotPresent',
  command: ['sh', '-c', script],
  ...more,
});

interface Full extends Pod {
  status?: Pod['status'] & {
    initContainerStatuses?: { name: string; started?: boolean; state: Record<string, unknown> }[];
    containerStatuses?: {
      state?: { terminated?: { message?: string; exitCode: number } };
      user?: unknown;
      volumeMounts?: unknown[];
    }[];
  };
}

describe('the worker’s kubelet', () => {
  test('runs init containers, sidecars, probes and hooks with the pod’s own identity, limits and mounts', async () => {
    const name = podName(rig, 'full');
    const work = { volumeMounts: [{ name: 'work', mountPath: '/work', subPath: 'sub' }] };
    const file = (path: string) => ({ exec: { command: ['cat', path] }, periodSeconds: 1, failureThreshold: 60 });
    const main = busybox(
      'main',
      'echo "id $(id -u) $(id -g) $(id -G)"; echo "pwd $(pwd)"; cat /work/init /work/hook; touch /work/up; ps | grep -c "[s]leep 777" ; grep NoNewPrivs /proc/self/status; grep Seccomp: /proc/self/status; touch /forbidden; echo end; ' +
        STAY,
      {
        ...work,
        workingDir: '/tmp',
        args: ['ignored'],
        stdin: true,
        tty: true,
        terminationMessagePath: '/work/last-words',
        ports: [{ name: 'web', containerPort: 8080 }],
        lifecycle: {
          postStart: { exec: { command: ['sh', '-c', 'echo hooked > /work/hook; sleep 1'] } },
          preStop: { sleep: { seconds: 1 } },
        },
        startupProbe: file('/work/up'),
        readinessProbe: file('/work/up'),
        livenessProbe: file('/work/up'),
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'NotRequired' }],
      },
    );
    // The hook may come late: the file is waited for.
    main.command[2] = `until [ -e /work/hook ]; do sleep 0.2; done; ${main.command[2]}`;
    await rig.create(name, {
      ...rig.spec(''),
      initContainers: [
        busybox('first', 'echo initialised > /work/init', work),
        busybox('side', 'trap "exit 0" TERM; sleep 777 & wait', {
          restartPolicy: 'Always',
          startupProbe: file('/proc/self/status'),
        }),
      ],
      containers: [main],
      volumes: [{ name: 'work', emptyDir: { medium: 'Memory', sizeLimit: '16Mi' } }],
      securityContext: {
        runAsUser: 1000,
        runAsGroup: 2000,
        runAsNonRoot: true,
        fsGroup: 3000,
        supplementalGroups: [4000],
        seccompProfile: { type: 'RuntimeDefault' },
      },
      shareProcessNamespace: true,
      os: { name: 'linux' },
      resources: { requests: { cpu: '50m', memory: '48Mi' }, limits: { memory: '96Mi' } },
      hostUsers: true,
    });
    const pod = await homePod<Full>(rig, name, 'ready', (seen) => conditionOf(seen, 'Ready')?.status === 'True');
    const logs = (await logsOf(rig, name, /^end\r?$/m)).replaceAll('\r', '');
    expect(logs).toMatch(/^id 1000 2000 .*\b4000\b/m);
    expect(logs).toContain('pwd /tmp\n');
    expect(logs).toContain('initialised\nhooked\n');
    // The sidecar's processes are seen: one namespace of processes.
    expect(logs).toMatch(/^[1-9]$/m);
    expect(logs).toMatch(/NoNewPrivs:\s+1/);
    expect(logs).toMatch(/Seccomp:\s+2/);
    expect(logs).toContain('Read-only file system');
    const states = Object.fromEntries(
      (pod.status?.initContainerStatuses ?? []).map((each) => [each.name, Object.keys(each.state)[0]]),
    );
    expect(states).toEqual({ first: 'terminated', side: 'running' });
    expect(pod.status).toMatchObject({ qosClass: 'Burstable' });
    // Home's status is the kubelet's own, down to what is newer than most programs.
    const [atHome] = pod.status?.containerStatuses ?? [];
    const [inWorker] = (await rig.inWorker(name)).status?.containerStatuses ?? [];
    expect(atHome).toEqual(inWorker);
    expect(atHome?.user ?? atHome?.volumeMounts).toBeDefined();
  });

  test('brings last words back', async () => {
    const name = podName(rig, 'words');
    const spec = rig.spec(
      'echo the last line; exit 7',
      { restartPolicy: 'Never' },
      { terminationMessagePolicy: 'FallbackToLogsOnError' },
    );
    await rig.create(name, spec);
    const pod: Full = await rig.phase(name, 'Failed');
    expect(pod.status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({
      exitCode: 7,
      message: 'the last line\n',
    });
  });

  test('has the RuntimeClass with its overhead, or says that it is missing', async () => {
    const [here, both] = [uniqueName('here'), uniqueName('both')];
    const make = (cluster: typeof rig.home, name: string) => {
      cleanup(() => cluster.delete(RuntimeClasses, '', name).catch(ignoreGone));
      return cluster.create<KubeObject>(RuntimeClasses, {
        metadata: { name },
        handler: 'runc',
        overhead: { podFixed: { cpu: '20m' } },
      });
    };
    await make(rig.home, here);
    await make(rig.home, both);
    await make(rig.worker, both);
    const [missing, runs] = [podName(rig, 'missing'), podName(rig, 'classed')];
    await rig.create(missing, rig.spec(STAY, { runtimeClassName: here }));
    await rig.create(runs, rig.spec(STAY, { runtimeClassName: both }));
    const pod = await homePod<Pod>(rig, missing, 'refused', (seen) => conditionOf(seen, 'kubeocean.io/Refused'));
    expect(conditionOf(pod, 'kubeocean.io/Refused')?.message).toContain(`RuntimeClass "${here}" not found`);
    await homePod<Pod>(rig, runs, 'placed', () => true);
    // Whether containerd here has a handler of that name is not the matter: the pod is accepted with both fields.
    const worker = await waitFor('its worker pod', () => rig.inWorker(runs), LONG);
    expect(worker.spec).toMatchObject({ runtimeClassName: both, overhead: { cpu: '20m' } });
  });
});

describe('home’s scheduler', () => {
  const scheduled = (pod: Pod) => conditionOf(pod, 'PodScheduled');

  test('waits for scheduling gates; spread, affinity and node selector are its own', async () => {
    const name = podName(rig, 'gated');
    const labels = { app: name };
    const spec = rig.spec(STAY, {
      schedulingGates: [{ name: 'example.com/wait' }],
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: 'kubernetes.io/hostname',
          whenUnsatisfiable: 'DoNotSchedule',
          labelSelector: { matchLabels: labels },
          nodeAffinityPolicy: 'Honor',
          nodeTaintsPolicy: 'Honor',
        },
      ],
      affinity: {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: labels } },
          ],
        },
      },
    });
    await rig.create(name, spec, { labels });
    await homePod<Pod>(rig, name, 'gated', (pod) => scheduled(pod)?.reason === 'SchedulingGated');
    await rig.home.patch(Pods, rig.homeNamespace, name, { spec: { schedulingGates: null } });
    await rig.ready(name);
    const { spec: inWorker } = await rig.inWorker(name);
    expect(Object.keys(inWorker['affinity'] as object)).toEqual(['nodeAffinity']);
    for (const field of ['schedulingGates', 'nodeSelector']) expect(inWorker).not.toHaveProperty(field);
    // A second cannot stand beside the first.
    const second = podName(rig, 'second');
    await rig.create(second, { ...spec, schedulingGates: undefined }, { labels });
    await homePod<Pod>(rig, second, 'unschedulable', (pod) => scheduled(pod)?.reason === 'Unschedulable');
  });

  test('sees that a port of the host is taken', async () => {
    const ports = [{ containerPort: 8080, hostPort: 20_000 + Math.floor(Math.random() * 5000) }];
    const [first, second] = [podName(rig, 'port'), podName(rig, 'port')];
    await rig.create(first, rig.spec(STAY, {}, { ports }));
    await rig.ready(first);
    await rig.create(second, rig.spec(STAY, {}, { ports }));
    const pod = await homePod<Pod>(rig, second, 'unschedulable', (seen) => scheduled(seen)?.reason === 'Unschedulable');
    expect(scheduled(pod)?.message).toContain("didn't have free ports");
    const { stdout } = await kubectl('computing', [
      '-n',
      rig.homeNamespace,
      'get',
      'pod',
      second,
      '-o',
      'jsonpath={.spec.nodeName}',
    ]);
    expect(stdout).toBe('');
  });
});
