/**
 * A window that closes, seen from both clusters, with a real agent and a real syncer: notice, NoSchedule, home's evictions
 * within home's budgets, the agent's within the worker's, the deadline. Pods end as Failed whatever their exit code.
 */
import { Annotation, Label, type ResourceLeasingPolicySpec } from '@kubeocean/shared/api';
import { type KubeObject, Pods } from '@kubeocean/shared/kube';
import { beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest';
import { endedByLease } from './closing/ended.ts';
import { agentLooked } from './closing/look.ts';
import { ClosingRig, DAYS, Deployments, FORCED, type HomePod, Jobs, OBEYS } from './closing/rig.ts';
import { waitFor } from './harness/index.ts';
import { Budgets } from './worker-agent/rig.ts';

const rig = new ClosingRig();
const { home } = rig;
const SLOW = { timeoutMs: 90_000, everyMs: 200 };

interface Job extends KubeObject {
  status?: { active?: number; succeeded?: number; failed?: number; conditions?: unknown[] };
}

beforeAll(() => rig.setUp(DAYS));

beforeEach(() => {
  onTestFailed(() => console.log(rig.lastWords()));
});

async function createDeployment(name: string, replicas: number, where: 'require' | 'prefer'): Promise<void> {
  const labels = { app: name };
  await home.create(Deployments, {
    metadata: { name, namespace: rig.ns },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: rig.podSpec(OBEYS, where) },
    },
  });
}

/** Fails for good with the first pod that counts as failed, and is done with the first that counts as a success. */
async function createJob(name: string): Promise<void> {
  await home.create(Jobs, {
    metadata: { name, namespace: rig.ns },
    spec: {
      backoffLimit: 0,
      podFailurePolicy: {
        rules: [{ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] }],
      },
      template: {
        metadata: { labels: { app: name } },
        spec: { ...rig.podSpec(OBEYS, 'prefer'), restartPolicy: 'Never' },
      },
    },
  });
}

function change(policy: Partial<ResourceLeasingPolicySpec>): Promise<void> {
  return rig.worker.setPolicy(policy);
}

/** When the vnode says that its lease closes, in milliseconds. */
async function closesAt(): Promise<number> {
  const { metadata } = await rig.vnode();
  const [time, seconds] = [metadata.annotations?.[Annotation.leaseClosesAt], metadata.labels?.[Label.leaseCloses]];
  expect(Date.parse(time ?? '')).toBe(Number(seconds) * 1000);
  return Number(seconds) * 1000;
}

test("times of the closing are told by home's own clock, though the agent's is a day behind", async () => {
  await waitFor(
    'eight hours from now',
    async () => {
      const hours = ((await closesAt()) - Date.now()) / 3_600_000;
      if (Math.abs(hours - 8) < 0.1) return true;
      throw new Error(`in ${hours} hours`);
    },
    SLOW,
  );
  expect(await rig.hears(rig.binding, 'ClocksDiffer', 'default')).toMatch(/clock is \d+ s behind this one's/);
});

test('a pod that may run longer than its lease is judged again when the closing moves', async () => {
  await rig.createPod('long', OBEYS, { activeDeadlineSeconds: 7200 });
  await rig.phase('long', 'Running');
  expect(await rig.told('long', 'LeaseClosesFirst')).toEqual([]);
  await change({ timeWindows: [{ start: '08:00', end: '12:59' }] });
  expect(await rig.hears('long', 'LeaseClosesFirst')).toMatch(/closes at 20\d\d-/);
  await change(DAYS);
});

test('without forceReclaim running pods stay, and no new ones come', async () => {
  await createDeployment('stays', 1, 'prefer');
  await createDeployment('web', 2, 'prefer');
  await createJob('work');
  await rig.createPod('done', 'exit 0');
  await rig.createPod('alone', OBEYS);
  for (const name of ['held-at-home', 'held']) {
    await rig.createPod(name, OBEYS);
    const selector = { matchLabels: { app: name } };
    await home.create(Budgets, { metadata: { name, namespace: rig.ns }, spec: { minAvailable: 1, selector } });
  }
  await rig.running('stays', 1, true);
  await rig.running('web', 2, true);
  await rig.running('work', 1, true);
  for (const name of ['alone', 'held-at-home', 'held']) await rig.phase(name, 'Running');
  await rig.phase('done', 'Succeeded');
  rig.clock('20:00:00');
  await rig.tainted('NoSchedule');
  const [stays] = await rig.running('stays', 1, true);
  await home.delete(Pods, rig.ns, stays?.metadata.name ?? '');
  await rig.running('stays', 1, false);
  await rig.running('web', 2, true);
  rig.clock('12:00:00');
  await rig.tainted(undefined);
});

test('before the window closes the pods are told', async () => {
  await rig.holdInWorker('held');
  await change(FORCED);
  rig.clock('19:56:00');
  expect(await rig.hears('alone', 'LeaseClosesSoon')).toContain('2026-11-20T20:00:00Z');
});

test('when it closes they have notice', async () => {
  rig.clock('20:00:00');
  await rig.tainted('NoSchedule');
  await rig.worker.becomes(rig.nodes[0] as string, { phase: 'Closing', reclaimStage: 'Notice' });
  await rig.running('web', 2, true);
  expect((await rig.pod('alone')).metadata.deletionTimestamp).toBeUndefined();
});

test('then home evicts, and replacements land elsewhere; exit code 0 counts as no success', async () => {
  rig.clock('20:01:02');
  const alone = await rig.phase('alone', 'Failed');
  // First: the agent's clock goes on, and at 20:01:30 the agent evicts. Replacements may take longer than that to run.
  for (const name of ['held-at-home', 'held']) {
    const { metadata, status } = await rig.pod(name);
    expect([metadata.deletionTimestamp, status?.phase]).toEqual([undefined, 'Running']);
  }
  endedByLease(alone, rig.binding);
  expect(alone.metadata.deletionTimestamp).toBeDefined();
  expect(await rig.told('alone', 'LeaseClosed')).toHaveLength(1);
  await rig.running('web', 2, false);
  await rig.running('work', 1, false);
  const job = await home.get<Job>(Jobs, rig.ns, 'work');
  expect(job.status).toMatchObject({ active: 1 });
  expect([job.status?.succeeded ?? 0, job.status?.failed ?? 0]).toEqual([0, 0]);
  expect((await rig.pod('done')).status?.phase).toBe('Succeeded');
});

test("home's budget keeps a pod until it is the agent's turn; it ends as Failed", async () => {
  rig.clock('20:01:40');
  const kept = await rig.phase('held-at-home', 'Failed');
  endedByLease(kept, rig.binding);
  // Home never evicted it. (It may be deleted by now: where nothing lent is left, the vnode is NoExecute.)
  expect(await rig.told('held-at-home', 'LeaseClosed')).toEqual([]);
  // Nor did the looks that followed say anything twice.
  expect(await rig.told('alone', 'LeaseClosed')).toHaveLength(1);
  await rig.hears('held', 'ReclaimBlocked');
  expect((await rig.pod('held')).status?.phase).toBe('Running');
});

test("the worker's budget keeps one until the deadline", async () => {
  // Two minutes before it: the clock goes on while the agent's look is waited for.
  rig.clock('20:09:00');
  await agentLooked(rig.worker, rig.nodes[0] as string);
  const { metadata, status } = await rig.counterpart('held');
  expect([metadata.deletionTimestamp, status?.phase]).toEqual([undefined, 'Running']);
  rig.clock('20:11:05');
  endedByLease(await rig.phase('held', 'Failed'), rig.binding);
  await rig.tainted('NoExecute');
  await waitFor('nothing lent runs', async () => (await rig.workerPods()).length === 0, SLOW);
  for (const name of ['long', 'done', 'alone', 'held-at-home', 'held']) await rig.forgetPod(name);
});

test('50 lent pods go, and the lease opens again', { timeout: 900_000 }, async () => {
  await rig.worker.client.delete(Budgets, rig.binding, 'held');
  rig.clock('08:00:00', '2026-11-21');
  await rig.tainted(undefined);
  await createDeployment('many', 50, 'require');
  await waitFor('50 running', async () => ready('many', 50), { timeoutMs: 400_000, everyMs: 1000 });
  const before = new Set((await rig.pods('many')).map(({ metadata }) => metadata.uid));
  rig.clock('20:00:00', '2026-11-21');
  await rig.tainted('NoSchedule');
  rig.clock('20:01:02', '2026-11-21');
  await waitFor('nothing lent runs', async () => (await rig.workerPods()).length === 0, {
    timeoutMs: 120_000,
    everyMs: 500,
  });
  await waitFor(
    'only replacements that wait are left',
    async () => {
      const pods = await rig.pods('many');
      return pods.length === 50 && pods.every((pod) => waits(pod) && !before.has(pod.metadata.uid));
    },
    { timeoutMs: 120_000, everyMs: 500 },
  );
});

async function ready(app: string, count: number): Promise<boolean> {
  return (await rig.pods(app)).filter(({ status }) => status?.phase === 'Running').length === count;
}

function waits({ spec, status }: HomePod): boolean {
  return spec.nodeName === undefined && status?.phase === 'Pending';
}
