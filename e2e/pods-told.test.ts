/**
 * What the user is told of a pod on a vnode, at home, in home's names: waiting reasons and events of the worker's real
 * kubelet, refusals of the worker's API server in its own words, and that a pod waits for a ConfigMap as at home.
 */
import { ConfigMaps, Namespaces, NetworkPolicies, Pods } from '@kubeocean/shared/kube';
import { beforeAll, describe, expect, test } from 'vitest';
import { absent, kubectl, uniqueName, waitFor } from './harness/index.ts';
import {
  conditionOf,
  explainFailures,
  homePod,
  LimitRanges,
  LONG,
  made,
  type Pod,
  podName,
  type PodRig,
  podRig,
  Quotas,
  STAY,
} from './pods/helpers.ts';
import { eventOf, eventsOn, expectHomeWords, statusColumn, waiting, type Waiting } from './pods/told.ts';

let rig: PodRig;
explainFailures(() => rig);

beforeAll(async () => {
  const allocatable = { cpu: '4', memory: '4Gi', pods: '60', 'example.com/gpu': '1' };
  rig = await podRig('told', { allocatable, flags: ['--worker-schedule-timeout=8', '--mirror-normal-events'] });
});

describe.concurrent('a ConfigMap that does not exist yet', () => {
  test('for the environment: CreateContainerConfigError as at home, in home’s names; the pod starts when it appears', async () => {
    const [name, map] = [podName(rig, 'waits'), uniqueName('later')];
    await rig.create(name, rig.spec(STAY, {}, { envFrom: [{ configMapRef: { name: map } }] }));
    const pod = await homePod<Waiting>(
      rig,
      name,
      'waiting',
      (seen) => waiting(seen)?.reason === 'CreateContainerConfigError',
    );
    expect(waiting(pod)?.message).toBe(`configmap "${map}" not found`);
    expect(await statusColumn(rig, name)).toBe('CreateContainerConfigError');
    expect((await eventOf(rig, name, 'FailedDependency', map)).message).toContain(
      `${rig.homeNamespace}/${map} does not exist`,
    );
    await made(rig.home, ConfigMaps, rig.homeNamespace, { metadata: { name: map }, data: { A: '1' } });
    await rig.ready(name);
    await expectHomeWords(rig, name);
  });

  test('for a volume: FailedMount as at home; an optional one is taken up when it comes, and goes with it', async () => {
    const [name, map, soft] = [podName(rig, 'unmounted'), uniqueName('later'), uniqueName('soft')];
    const volumes = [
      { name: 'hard', configMap: { name: map } },
      { name: 'soft', configMap: { name: soft, optional: true } },
    ];
    const volumeMounts = volumes.map((volume) => ({ name: volume.name, mountPath: `/${volume.name}` }));
    const look = 'if [ -e /soft/key ]; then touch /tmp/ready; else rm -f /tmp/ready; fi; [ -e /hard/key ] || exit 1';
    const script = `trap "exit 0" TERM; while :; do ${look}; sleep 1; done`;
    const readinessProbe = { exec: { command: ['cat', '/tmp/ready'] }, periodSeconds: 2 };
    await rig.create(name, rig.spec(script, { volumes }, { volumeMounts, readinessProbe }));
    const told = await eventOf(rig, name, 'FailedMount', `configmap "${map}" not found`);
    expect(told).toMatchObject({
      type: 'Warning',
      source: { component: 'kubelet', host: rig.vnode },
      reportingComponent: 'kubeocean-syncer',
    });
    await homePod<Waiting>(rig, name, 'creating', (pod) => waiting(pod)?.reason === 'ContainerCreating');
    for (const each of [map, soft])
      await made(rig.home, ConfigMaps, rig.homeNamespace, { metadata: { name: each }, data: { key: '1' } });
    await waitFor('both read', async () => conditionOf(await rig.atHome(name), 'Ready')?.status === 'True', {
      timeoutMs: 140_000,
      everyMs: 500,
    });
    await expectHomeWords(rig, name);
    // Home's kubelet would take the files of the optional one away, and leave the other's: so does the worker's.
    for (const each of [map, soft]) await rig.home.delete(ConfigMaps, rig.homeNamespace, each);
    await waitFor(
      'the file of the optional one gone',
      async () => conditionOf(await rig.atHome(name), 'Ready')?.status === 'False',
      { timeoutMs: 140_000, everyMs: 500 },
    );
    expect((await rig.atHome(name)).status?.containerStatuses?.[0]).toMatchObject({ restartCount: 0 });
    for (const each of [map, soft]) {
      const copy = rig.workerName(each, 'configmap');
      await absent('copy', () => rig.worker.get(ConfigMaps, rig.mountNamespace, copy));
    }
  }, 340_000);

  test('a key that is missing is named as at home', async () => {
    const [name, map] = [podName(rig, 'keyless'), uniqueName('keyless')];
    await made(rig.home, ConfigMaps, rig.homeNamespace, { metadata: { name: map }, data: { other: '1' } });
    const env = [{ name: 'X', valueFrom: { configMapKeyRef: { name: map, key: 'none' } } }];
    await rig.create(name, rig.spec(STAY, {}, { env }));
    const pod = await homePod<Waiting>(
      rig,
      name,
      'waiting',
      (seen) => waiting(seen)?.reason === 'CreateContainerConfigError',
    );
    expect(waiting(pod)?.message).toBe(`couldn't find key none in ConfigMap ${rig.homeNamespace}/${map}`);
  });
});

test.concurrent('a NetworkPolicy of home does not hold in the worker: it says so itself, and so does the pod that it selects', async () => {
  const isolated = (app: string) => ({ podSelector: { matchLabels: { app } }, policyTypes: ['Ingress'] });
  const [before, later, other] = [uniqueName('before'), uniqueName('later'), uniqueName('other')];
  const policy = (name: string, app: string) =>
    made(rig.home, NetworkPolicies, rig.homeNamespace, { metadata: { name }, spec: isolated(app) });
  await Promise.all([policy(before, before), policy(other, other)]);
  const name = podName(rig, 'isolated');
  await rig.create(name, rig.spec(STAY), { labels: { app: before } });
  expect(await eventOf(rig, name, 'NetworkPolicyNotEnforced', `NetworkPolicy ${before}. It runs`)).toMatchObject({
    type: 'Warning',
  });
  const ofPolicy = (policyName: string) =>
    eventOf(rig, policyName, 'NetworkPolicyNotEnforced', `such as ${rig.homeNamespace}/${name}`);
  expect((await ofPolicy(before)).message).toContain(`ClusterBinding ${rig.bindingName}`);
  // One that comes when the pod runs.
  await policy(later, before);
  expect((await ofPolicy(later)).type).toBe('Warning');
  expect(await eventsOn(rig, other)).toEqual([]);
});

test.concurrent('what goes wrong with images and containers is told as the kubelet says it', async () => {
  const [pull, crash] = [podName(rig, 'unpulled'), podName(rig, 'crashing')];
  await rig.create(pull, rig.spec(STAY, {}, { image: 'registry.invalid/none:1', imagePullPolicy: 'Always' }));
  await rig.create(crash, rig.spec('exit 3'));
  await homePod<Waiting>(rig, pull, 'not pulled', (pod) =>
    /^(ErrImagePull|ImagePullBackOff)$/.test(waiting(pod)?.reason ?? ''),
  );
  expect(await eventOf(rig, pull, 'Failed', 'registry.invalid/none:1')).toMatchObject({
    type: 'Warning',
    involvedObject: { fieldPath: 'spec.containers{main}' },
  });
  const crashing = await homePod<Waiting>(
    rig,
    crash,
    'backing off',
    (pod) => waiting(pod)?.reason === 'CrashLoopBackOff',
  );
  expect(waiting(crashing)?.message).toContain(`pod=${crash}_${rig.homeNamespace}(${crashing.metadata.uid})`);
  // With --mirror-normal-events.
  expect((await eventOf(rig, crash, 'Started', 'main')).type).toBe('Normal');
  const backOff = await eventOf(rig, crash, 'BackOff', `pod ${crash}_${rig.homeNamespace}(${crashing.metadata.uid})`);
  expect(backOff.metadata.name).toMatch(new RegExp(`^${crash}\\.[0-9a-f]{16}$`));
  await expectHomeWords(rig, crash);
  await expectHomeWords(rig, pull);
});

test.concurrent('a pod that the worker cannot place in time fails with the scheduler’s words', async () => {
  // The vnode is lent what its node does not have.
  const name = podName(rig, 'unplaced');
  const resources = { requests: { 'example.com/gpu': '1' }, limits: { 'example.com/gpu': '1' } };
  await rig.create(name, rig.spec(STAY, { restartPolicy: 'Never' }, { resources }));
  const told = await eventOf(rig, name, 'WorkerUnschedulable', /Insufficient example.com\/gpu/);
  expect(told.type).toBe('Warning');
  // As soon as the worker's scheduler says so: not when half a minute later its pod's name is told.
  const { creationTimestamp = '' } = (await rig.atHome(name)).metadata;
  expect(Date.parse(told.firstTimestamp) - Date.parse(creationTimestamp)).toBeLessThan(25_000);
  const pod = await rig.phase(name, 'Failed');
  expect(pod.status).toMatchObject({
    reason: 'WorkerUnschedulable',
    message: expect.stringContaining('Insufficient example.com/gpu') as string,
  });
  expect(conditionOf(pod, 'DisruptionTarget')?.status).toBe('True');
  await waitFor('the worker pod gone', async () => !(await rig.copies(Pods)).includes(rig.workerName(name)), LONG);
});

describe('the worker’s refusal is shown as event, condition and STATUS in its words, and asked again', () => {
  async function refused(name: string, words: RegExp): Promise<void> {
    const pod = await homePod<Pod>(
      rig,
      name,
      'refused',
      (seen) => conditionOf(seen, 'kubeocean.io/Refused')?.status === 'True',
    );
    expect(conditionOf(pod, 'kubeocean.io/Refused')).toMatchObject({
      reason: 'FailedCreate',
      message: expect.stringMatching(words) as string,
    });
    expect(pod.status).toMatchObject({ phase: 'Pending' });
    expect(await statusColumn(rig, name)).toBe('RefusedByWorker');
    expect((await eventOf(rig, name, 'FailedCreate', words)).type).toBe('Warning');
  }

  /** An API server takes up what refuses pods a moment after it has been made: until then it would take ours. */
  async function inForce(words: string, container: object = {}): Promise<void> {
    const pod = {
      metadata: { name: 'policy-probe', namespace: rig.mountNamespace },
      spec: { containers: [{ name: 'x', image: 'x', ...container }] },
    };
    await waitFor(
      `"${words}" in force`,
      async () => {
        await expect(rig.worker.create(Pods, pod, { dryRun: true })).rejects.toThrow(words);
        return true;
      },
      LONG,
    );
  }

  async function accepted(name: string): Promise<void> {
    const pod = await rig.ready(name);
    expect(conditionOf(pod, 'kubeocean.io/Refused')).toBeUndefined();
    expect(pod.status?.reason).toBeUndefined();
    expect(rig.made.get(pod.metadata.uid ?? '')?.size).toBe(1);
  }

  test('ResourceQuota', async () => {
    const name = podName(rig, 'quota');
    const { metadata } = await made(rig.worker, Quotas, rig.mountNamespace, {
      metadata: { name: uniqueName('none') },
      spec: { hard: { 'count/pods': '0' } },
    });
    await inForce('exceeded quota');
    await rig.create(name, rig.spec(STAY));
    await refused(name, /exceeded quota/);
    await rig.worker.delete(Quotas, rig.mountNamespace, metadata.name);
    await accepted(name);
  });

  test('LimitRange', async () => {
    const name = podName(rig, 'limits');
    const limits = [{ type: 'Container', max: { memory: '16Mi' } }];
    const { metadata } = await made(rig.worker, LimitRanges, rig.mountNamespace, {
      metadata: { name: uniqueName('small') },
      spec: { limits },
    });
    const resources = { requests: { memory: '32Mi' }, limits: { memory: '32Mi' } };
    await inForce('maximum memory usage', { resources });
    await rig.create(name, rig.spec(STAY, {}, { resources }));
    await refused(name, /maximum memory usage per Container is 16Mi, but limit is 32Mi/);
    await rig.worker.delete(LimitRanges, rig.mountNamespace, metadata.name);
    await accepted(name);
  });

  test('Pod Security', async () => {
    const name = podName(rig, 'privileged');
    const level = (value: string | null) =>
      rig.worker.patch(Namespaces, '', rig.mountNamespace, {
        metadata: { labels: { 'pod-security.kubernetes.io/enforce': value } },
      });
    await level('baseline');
    try {
      const securityContext = { privileged: true };
      await inForce('violates PodSecurity', { securityContext });
      await rig.create(name, rig.spec(STAY, {}, { securityContext }));
      await refused(name, /violates PodSecurity "baseline:latest": privileged/);
    } finally {
      await level(null);
    }
    await accepted(name);
  });

  test('an admission policy', async () => {
    const name = podName(rig, 'policy');
    const policy = uniqueName('no-such-label');
    const yaml = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: ${policy}}
spec:
  failurePolicy: Fail
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ${rig.mountNamespace}}}
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
  validations: [{expression: "!object.metadata.name.startsWith('policy')", message: such pods are not wanted here}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: ${policy}}
spec: {policyName: ${policy}, validationActions: [Deny]}
`;
    const away = () => kubectl('worker-1', ['delete', '--ignore-not-found', '-f', '-'], { input: yaml });
    try {
      await kubectl('worker-1', ['apply', '-f', '-'], { input: yaml });
      await inForce('not wanted');
      await rig.create(name, rig.spec(STAY));
      await refused(name, /such pods are not wanted here/);
    } finally {
      await away();
    }
    await accepted(name);
  });
});
