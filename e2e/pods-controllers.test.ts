/**
 * Controllers of home over pods on a vnode: Jobs and their failure rules, CronJobs, DaemonSets by the binding's word,
 * disruption budgets and preemption. They all work at home, on what the vnode's pods show there.
 */
import { ClusterBindings } from '@kubeocean/shared/api';
import { ApiError, Deployments, type KubeObject, Namespaces, Pods, PriorityClasses } from '@kubeocean/shared/kube';
import { beforeAll, describe, expect, test } from 'vitest';
import { cleanup, uniqueName, waitFor } from './harness/index.ts';
import {
  conditionOf,
  CronJobs,
  DaemonSets,
  DisruptionBudgets,
  explainFailures,
  homePod,
  ignoreGone,
  isReady,
  Jobs,
  LONG,
  made,
  type Pod,
  podName,
  type PodRig,
  podRig,
  STAY,
} from './pods/helpers.ts';

let rig: PodRig;
/** A CronJob of each minute, made first and looked at last: its minute passes meanwhile. */
const cron = uniqueName('cron');
explainFailures(() => rig);

beforeAll(async () => {
  rig = await podRig('control', { allocatable: { cpu: '1', memory: '2Gi', pods: '40' } });
  const template = { metadata: { labels: { cron } }, spec: rig.spec('echo done', { restartPolicy: 'Never' }) };
  await rig.home.create(CronJobs, {
    metadata: { name: cron, namespace: rig.homeNamespace },
    spec: { schedule: '* * * * *', jobTemplate: { spec: { template } } },
  });
  cleanup(() => rig.home.delete(CronJobs, rig.homeNamespace, cron, { propagationPolicy: 'Background' }));
});

async function podsOf(labelSelector: string): Promise<Pod[]> {
  return (await rig.home.list<Pod>(Pods, { namespace: rig.homeNamespace, labelSelector })).items;
}

interface Job extends KubeObject {
  status: {
    succeeded?: number;
    failed?: number;
    completedIndexes?: string;
    conditions?: { type: string; status: string; reason?: string; message?: string }[];
  };
}

function ended(name: string): Promise<Job> {
  return waitFor(
    `the Job ${name} ended`,
    async () => {
      const job = await rig.home.get<Job>(Jobs, rig.homeNamespace, name);
      if (job.status.conditions?.some(({ type, status }) => /^(Complete|Failed)$/.test(type) && status === 'True'))
        return job;
      throw new Error(JSON.stringify(job.status));
    },
    LONG,
  );
}

function job(name: string, script: string, spec: Record<string, unknown>): Promise<KubeObject> {
  const template = { spec: rig.spec(script, { restartPolicy: 'Never' }) };
  return made(rig.home, Jobs, rig.homeNamespace, { metadata: { name }, spec: { ...spec, template } });
}

test.concurrent('Jobs: completions by index, backoff, and a failure that ends at once by its exit code', async () => {
  const [indexed, backoff, rule] = [uniqueName('indexed'), uniqueName('backoff'), uniqueName('rule')];
  await job(indexed, 'echo $JOB_COMPLETION_INDEX', { completions: 3, parallelism: 2, completionMode: 'Indexed' });
  await job(backoff, 'exit 1', { backoffLimit: 1 });
  await job(rule, 'exit 42', {
    backoffLimit: 5,
    podFailurePolicy: { rules: [{ action: 'FailJob', onExitCodes: { operator: 'In', values: [42] } }] },
  });
  const [done, tried, failed] = await Promise.all([ended(indexed), ended(backoff), ended(rule)]);
  expect(done.status).toMatchObject({ succeeded: 3, completedIndexes: '0-2' });
  expect(tried.status).toMatchObject({ failed: 2 });
  expect(tried.status.conditions?.find(({ type }) => type === 'Failed')?.reason).toBe('BackoffLimitExceeded');
  expect(failed.status).toMatchObject({ failed: 1 });
  expect(failed.status.conditions?.find(({ type }) => type === 'Failed')).toMatchObject({
    reason: 'PodFailurePolicy',
    message: expect.stringContaining('exit code 42') as string,
  });
  for (const name of [indexed, backoff, rule]) {
    for (const pod of await podsOf(`job-name=${name}`)) expect(rig.made.get(pod.metadata.uid ?? '')?.size).toBe(1);
  }
});

test.concurrent('a Job is not charged for a pod that the worker took away', async () => {
  const name = uniqueName('spared');
  const template = { spec: rig.spec(STAY, { restartPolicy: 'Never' }) };
  const podFailurePolicy = { rules: [{ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget' }] }] };
  await made(rig.home, Jobs, rig.homeNamespace, {
    metadata: { name },
    spec: { backoffLimit: 0, podFailurePolicy, template },
  });
  const first = await waitFor('its pod', async () => (await podsOf(`job-name=${name}`)).find(isReady), LONG);
  await rig.worker.delete(Pods, rig.mountNamespace, rig.workerName(first.metadata.name));
  const second = await waitFor(
    'another pod',
    async () =>
      (await podsOf(`job-name=${name}`)).find((pod) => pod.metadata.uid !== first.metadata.uid && isReady(pod)),
    LONG,
  );
  expect(second.metadata.uid).not.toBe(first.metadata.uid);
  const { status } = await rig.home.get<Job>(Jobs, rig.homeNamespace, name);
  expect(status.failed ?? 0).toBe(0);
});

interface DaemonSet extends KubeObject {
  status: { observedGeneration?: number; updatedNumberScheduled?: number; numberAvailable?: number };
}

function daemonSet(name: string): Promise<DaemonSet> {
  return rig.home.get<DaemonSet>(DaemonSets, rig.homeNamespace, name);
}

describe('by the binding’s word', () => {
  const notRun = (pod: Pod) => conditionOf(pod, 'kubeocean.io/NotRun')?.reason;
  const change = (spec: Record<string, unknown>) => rig.home.patch(ClusterBindings, '', rig.bindingName, { spec });

  test('a DaemonSet’s pod is not run, until the binding says that it is', async () => {
    const name = uniqueName('daemon');
    const labels = { app: name };
    await made(rig.home, DaemonSets, rig.homeNamespace, {
      metadata: { name },
      spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: rig.spec(STAY) } },
    });
    const pod = await waitFor(
      'NotRun',
      async () => (await podsOf(`app=${name}`)).find((each) => notRun(each) === 'DaemonSet'),
      LONG,
    );
    expect(pod.status).toMatchObject({ phase: 'Pending', reason: 'NotRun' });
    // What its controller waits for while it replaces the others, one by one: it would never come to those on real nodes.
    await waitFor('counted as available', async () => (await daemonSet(name)).status.numberAvailable === 1, LONG);
    const annotations = { changed: 'once' };
    await rig.home.patch(DaemonSets, rig.homeNamespace, name, { spec: { template: { metadata: { annotations } } } });
    await waitFor(
      'the end of its update',
      async () => {
        const { metadata, status } = await daemonSet(name);
        const { observedGeneration, updatedNumberScheduled, numberAvailable } = status;
        if (observedGeneration === metadata.generation && updatedNumberScheduled === 1 && numberAvailable === 1)
          return true;
        throw new Error(JSON.stringify(status));
      },
      LONG,
    );
    const updated = (await podsOf(`app=${name}`)).find((each) => each.metadata.uid !== pod.metadata.uid);
    expect(updated?.status).toMatchObject({ phase: 'Pending', reason: 'NotRun' });
    try {
      await change({ runningDaemonsetByDefault: true });
      const runs = await homePod<Pod>(
        rig,
        updated?.metadata.name ?? '',
        'running',
        (each) => isReady(each) && !notRun(each),
      );
      expect(runs.metadata.uid).toBe(updated?.metadata.uid);
      expect(runs.status?.phase).toBe('Running');
      expect(runs.status?.reason).toBeUndefined();
    } finally {
      await change({ runningDaemonsetByDefault: null });
    }
  });

  test('a namespace that is not selected waits until it is', async () => {
    const name = podName(rig, 'chosen');
    try {
      // What the syncer says of the one word shows that it has seen the other.
      await change({ namespaceSelector: { matchLabels: { team: name } }, serviceNamespaces: ['seen'] });
      await waitFor('the word seen', async () => {
        const { status } = await rig.binding();
        return status?.conditions?.find(({ type }) => type === 'ServiceNamespacesUnused')?.status === 'True';
      });
      await rig.create(name, rig.spec(STAY));
      await homePod<Pod>(rig, name, 'not run', (pod) => notRun(pod) === 'NamespaceNotSelected');
      await rig.home.patch(Namespaces, '', rig.homeNamespace, { metadata: { labels: { team: name } } });
      await change({ namespaceSelector: { matchLabels: { team: name }, matchExpressions: [] } });
      await rig.ready(name);
    } finally {
      await change({ namespaceSelector: null, serviceNamespaces: null });
    }
  });
});

test('a disruption budget at home holds up evictions at home', async () => {
  const name = uniqueName('guarded');
  const labels = { app: name };
  await made(rig.home, DisruptionBudgets, rig.homeNamespace, {
    metadata: { name },
    spec: { minAvailable: 1, selector: { matchLabels: labels } },
  });
  await made(rig.home, Deployments, rig.homeNamespace, {
    metadata: { name },
    spec: { replicas: 1, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: rig.spec(STAY) } },
  });
  const pod = await waitFor('its pod', async () => (await podsOf(`app=${name}`)).find(isReady), LONG);
  await waitFor(
    'the budget counted',
    async () =>
      (
        await rig.home.get<KubeObject & { status: { currentHealthy?: number } }>(
          DisruptionBudgets,
          rig.homeNamespace,
          name,
        )
      ).status.currentHealthy === 1,
    LONG,
  );
  const evict = (namespace: string, of: string) =>
    rig.home.create(
      Pods,
      { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: of, namespace } },
      { subresource: 'eviction', retry: false },
    );
  const refusal = await evict(rig.homeNamespace, pod.metadata.name).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(ApiError);
  expect((refusal as ApiError).code).toBe(429);
  await rig.home.patch(Deployments, rig.homeNamespace, name, { spec: { replicas: 2 } });
  await waitFor('two of them', async () => (await podsOf(`app=${name}`)).filter(isReady).length === 2, LONG);
  await waitFor('the eviction', () => evict(rig.homeNamespace, pod.metadata.name), LONG);
  await rig.gone(pod.metadata.name);
  await waitFor('another in its place', async () => (await podsOf(`app=${name}`)).filter(isReady).length === 2, LONG);
});

test('preemption at home makes room on the vnode', async () => {
  const high = uniqueName('high');
  await rig.home.create(PriorityClasses, { metadata: { name: high }, value: 1000 });
  cleanup(() => rig.home.delete(PriorityClasses, '', high).catch(ignoreGone));
  const [low, top] = [podName(rig, 'low'), podName(rig, 'top')];
  const resources = { requests: { cpu: '600m' } };
  await rig.create(low, rig.spec(STAY, {}, { resources }));
  await rig.ready(low);
  await rig.create(top, rig.spec(STAY, { priorityClassName: high }, { resources }));
  const runs = await rig.ready(top);
  expect(runs.spec.nodeName).toBe(rig.vnode);
  await rig.gone(low);
  // Home's priority means nothing in the worker.
  expect((await rig.inWorker(top)).spec).toMatchObject({ priorityClassName: 'kubeocean-default', priority: -10000 });
});

test('a CronJob’s pod runs', async () => {
  await waitFor(
    'a pod of it succeeded',
    async () => (await podsOf(`cron=${cron}`)).some(({ status }) => status?.phase === 'Succeeded'),
    { timeoutMs: 150_000, everyMs: 500 },
  );
}, 200_000);
