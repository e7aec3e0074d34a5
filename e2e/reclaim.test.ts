/**
 * Leases that end, on real nodes with real pods: notice, head start of the computing cluster, eviction, disruption
 * budgets, deadline, an agent that dies on the way. The time of day is the test's; claims and lent pods are made by hand.
 */
import { Finalizer } from '@kubeocean/shared/api';
import { Nodes } from '@kubeocean/shared/kube';
import { beforeAll, describe, expect, test } from 'vitest';
import { agentLooked } from './closing/look.ts';
import { waitFor } from './harness/index.ts';
import { Budgets, Rig } from './worker-agent/rig.ts';

const rig = new Rig('worker-1');
const timeWindows = [{ start: '08:00', end: '19:59' }];
const forced = { timeWindows, forceReclaim: true, gracefulReclaimPeriodSeconds: 60 };
const flags = ['--reclaim-deadline=600', '--notice-seconds=300'];
let node: string;
let other: string;

/** Sets the clock; the day has no meaning but that the window is the same on each. */
function clock(time: string): void {
  rig.setClock(`2026-11-20T${time}Z`);
}

beforeAll(async () => {
  [node, other] = (await rig.client.list(Nodes)).items.map(({ metadata }) => metadata.name) as [string, string];
  await rig.setUp();
  clock('12:00:00');
  await rig.setPolicy(forced);
  await rig.startAgent(...flags);
  await rig.becomes(node, { phase: 'Active' });
});

describe('a window that closes', () => {
  test('tells the pods before, where they will be evicted', async () => {
    await rig.createPod('first', { node, finalizers: [Finalizer.homeSync] });
    await rig.running('first');
    clock('19:56:00');
    // Not to the second: the agent may look a moment after its clock was set.
    const { status } = await waitFor('notice', async () => {
      const record = await rig.record(node);
      return record.status?.noticedAt !== undefined && record;
    });
    const noticedAt = expect.stringMatching(/^2026-11-20T19:56:0/) as string;
    expect(status).toMatchObject({ phase: 'Active', noticedAt });
    expect(await rig.event('Pod', 'first', /^LeaseClosesSoon/)).toContain('until 2026-11-20T20:00:00Z');
  });

  test('takes no new pods, and gives those that run their notice', async () => {
    clock('20:00:00');
    const { status } = await rig.becomes(node, { phase: 'Closing', reclaimStage: 'Notice' });
    expect(status).toMatchObject({
      reason: 'WindowClosed',
      taints: [{ key: 'kubeocean.io/out-of-time-windows', value: 'true', effect: 'NoSchedule' }],
      reclaimDeadline: expect.stringMatching(/^2026-11-20T20:11:0/) as string,
    });
    await rig.event('ResourceLeasingPolicy', rig.name, /^ReclaimNotice/);
  });

  test('is not forgotten by an agent that is killed during the notice', async () => {
    const before = (await rig.record(node)).status?.reclaimAt;
    await rig.agent?.kill();
    clock('20:00:30');
    await rig.startAgent(...flags);
    await agentLooked(rig, other);
    expect((await rig.record(node)).status?.reclaimAt).toBe(before);
    expect((await rig.pod('first')).metadata.deletionTimestamp).toBeUndefined();
  });

  test('leaves the eviction to the computing cluster at first, while it is alive', async () => {
    await rig.renewClaim();
    clock('20:01:02');
    await rig.becomes(node, { reclaimStage: 'Syncer' });
    await rig.event('ResourceLeasingPolicy', rig.name, /^ReclaimBegun/);
    expect((await rig.pod('first')).metadata.deletionTimestamp).toBeUndefined();
  });

  test('is enforced by the agent when pods are left, even one started anew, and the pod says why it went', async () => {
    await rig.agent?.kill();
    clock('20:01:35');
    await rig.startAgent(...flags);
    await rig.event('Pod', 'first', /^Reclaimed: Evicted: policy reclaim-.*: no time window/);
    const words = /^policy reclaim-.*: no time window .* is open; it opens again at/;
    await waitFor('the end of first', async () => {
      const { metadata, status } = await rig.pod('first');
      expect(status.phase).not.toBe('Running');
      expect(metadata.annotations?.['kubeocean.io/lease-closed']).toMatch(words);
      const expected = { type: 'DisruptionTarget', status: 'True', reason: 'LeaseClosed' };
      expect(status.conditions).toContainEqual(
        expect.objectContaining({ ...expected, message: expect.stringMatching(words) as string }),
      );
      return true;
    });
  });

  test('keeps the vnode from NoExecute until home shows the end', async () => {
    expect((await rig.record(node)).status?.taints?.[0]?.effect).toBe('NoSchedule');
    await rig.letGo('first');
    const { status } = await rig.becomes(node, { reclaimStage: 'Done' });
    expect(status?.taints?.[0]?.effect).toBe('NoExecute');
    await rig.event('ResourceLeasingPolicy', rig.name, /^ReclaimDone/);
  });

  test('opens again', async () => {
    rig.setClock('2026-11-21T08:00:00Z');
    const { status } = await rig.becomes(node, { phase: 'Active' });
    expect(status).toMatchObject({ taints: [] });
    expect(status?.reclaimAt).toBeUndefined();
  });

  test('without forceReclaim leaves the pods that run', async () => {
    await rig.setPolicy({ timeWindows });
    await rig.createPod('stays', { node });
    await rig.running('stays');
    clock('21:00:00');
    await rig.becomes(node, { phase: 'Closing', reclaimAt: undefined });
    clock('23:00:00');
    await rig.createPod('marker', { node: other, labels: {} });
    // What was seen after the clock was set shows that the agent has dealt with it.
    await rig.gone('marker');
    expect((await rig.pod('stays')).metadata.deletionTimestamp).toBeUndefined();
  });

  test('takes them once forceReclaim is set', async () => {
    await rig.setPolicy(forced);
    await rig.becomes(node, { reclaimStage: 'Notice' });
    clock('23:02:00');
    await rig.gone('stays');
  });
});

describe('a pod without a binding in a mount namespace', () => {
  test('is deleted with an event', async () => {
    expect(await rig.event('Pod', 'marker', /^NotLent/)).toContain('has no label kubeocean.io/cluster-binding');
  });
});

describe('a disruption budget', () => {
  test('holds the eviction up, through restarts of the agent, until the deadline', async () => {
    clock('12:00:00');
    await rig.becomes(node, { phase: 'Active' });
    const app = { matchLabels: { app: 'held' } };
    await rig.client.create(Budgets, {
      metadata: { namespace: rig.name, name: 'held' },
      spec: { maxUnavailable: 0, selector: app },
    });
    const labels = { ...app.matchLabels, 'kubeocean.io/cluster-binding': rig.name };
    await rig.createPod('held', { node, labels });
    await rig.createPod('free', { node: other });
    await rig.running('held');
    await rig.running('free');
    clock('20:00:00');
    await rig.becomes(node, { reclaimStage: 'Notice' });
    clock('20:01:40');
    await rig.event('Pod', 'held', /^ReclaimBlocked: .*disruption budget.*then deleted/);
    await rig.gone('free');
    await rig.agent?.kill();
    clock('20:05:00');
    const agent = await rig.startAgent(...flags);
    await agent.waitLog('another try', (line) => line.msg === 'eviction refused for now');
    expect((await rig.pod('held')).metadata.deletionTimestamp).toBeUndefined();
    await rig.agent?.kill();
    clock('20:11:05');
    await rig.startAgent(...flags);
    await rig.event('Pod', 'held', /^ReclaimDeadline/);
    await rig.gone('held');
    await rig.becomes(node, { reclaimStage: 'Done' });
  });
});

describe('take back now', () => {
  test('ends the lease at once, and lends again when the word is taken off', async () => {
    clock('12:00:00');
    await rig.becomes(node, { phase: 'Active' });
    await rig.createPod('taken', { node });
    await rig.running('taken');
    await rig.annotatePolicy('now');
    await rig.becomes(node, { phase: 'Closing', reason: 'ReclaimedByOwner' });
    clock('12:00:40');
    await rig.gone('taken');
    await rig.annotatePolicy(null);
    await rig.becomes(node, { phase: 'Active' });
  });
});

describe('50 lent pods', () => {
  test('are gone soon after the agent begins', { timeout: 400_000 }, async () => {
    clock('12:00:00');
    await rig.becomes(node, { phase: 'Active' });
    const names = Array.from({ length: 50 }, (_, index) => `many-${index}`);
    await Promise.all(names.map((name, index) => rig.createPod(name, { node: index % 2 ? node : other })));
    for (const name of names) await rig.running(name);
    clock('20:00:00');
    await rig.becomes(node, { reclaimStage: 'Notice' });
    clock('20:01:40');
    const started = performance.now();
    for (const name of names) await rig.gone(name, 120_000);
    console.log(`50 pods gone ${((performance.now() - started) / 1000).toFixed(1)} s after their eviction was due`);
    await rig.becomes(node, { reclaimStage: 'Done' });
    await rig.becomes(other, { reclaimStage: 'Done' });
  });
});
