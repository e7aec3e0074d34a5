import type { ClusterBinding } from '@kubeocean/shared/api';
import type { Condition, KubeObject } from '@kubeocean/shared/kube';
import { describe, expect, it } from 'vitest';
import { binding } from './fixtures.ts';
import { BindingProblem } from './problem.ts';
import { type Known, readyOf, sameStatus, statusOf } from './status.ts';

const T0 = new Date('2026-02-01T10:00:00.123Z');
const T1 = new Date('2026-02-01T10:05:00.000Z');

function deployed(component: string, availableReplicas: number): KubeObject {
  return {
    metadata: { name: `kubeocean-${component}-cls-example`, namespace: 'kubeocean-system', generation: 1 },
    spec: { replicas: 2 },
    status: { availableReplicas, observedGeneration: 1 },
  };
}

const worker = { user: 'system:serviceaccount:kubeocean-worker:kubeocean-syncer' };
const allUp: Known = { worker, syncer: deployed('syncer', 2), proxier: deployed('proxier', 1) };

function saying(...conditions: [string, Condition['status'], string?, string?][]): ClusterBinding {
  const list = conditions.map(([type, status, reason = 'R', message = 'm']) => ({ type, status, reason, message }));
  return { ...binding('a'), status: { conditions: list } };
}

function ready(of: ClusterBinding, known: Known) {
  const status = statusOf(of, known, T0);
  const { status: value, reason, message } = readyOf(status) as Condition;
  return { phase: status.phase, value, reason, message };
}

describe('statusOf', () => {
  it.each<[string, ClusterBinding, Known, string, string, string]>([
    ['nothing known', binding('a'), {}, 'Pending', 'False', 'Initializing'],
    [
      'a failed check',
      binding('a'),
      { problem: new BindingProblem('secret', 'SecretMissing', 'm') },
      'Failed',
      'False',
      'SecretMissing',
    ],
    ['an apply that failed', binding('a'), { worker, applyError: 'no' }, 'Failed', 'False', 'ApplyFailed'],
    [
      'no replica of the syncer',
      binding('a'),
      { ...allUp, syncer: deployed('syncer', 0) },
      'Pending',
      'False',
      'SyncerNotReady',
    ],
    [
      'no replica of the proxier',
      binding('a'),
      { ...allUp, proxier: deployed('proxier', 0) },
      'Pending',
      'False',
      'ProxierNotReady',
    ],
    ['a syncer that has not claimed', binding('a'), allUp, 'Pending', 'False', 'SyncerStarting'],
    ['a claim to come', saying(['Claimed', 'False', 'NotClaimedYet']), allUp, 'Pending', 'False', 'NotClaimedYet'],
    ['a claim that is refused', saying(['Claimed', 'False', 'NameTaken']), allUp, 'Failed', 'False', 'NameTaken'],
    [
      'a silent agent',
      saying(['Claimed', 'True'], ['AgentReady', 'False', 'AgentStale']),
      allUp,
      'Failed',
      'False',
      'AgentStale',
    ],
    [
      'a worker that the syncer cannot reach',
      saying(['Claimed', 'True'], ['WorkerReachable', 'False', 'WorkerUnreachable']),
      allUp,
      'Failed',
      'False',
      'WorkerUnreachable',
    ],
    [
      'all well',
      saying(['Claimed', 'True'], ['WorkerReachable', 'True'], ['AgentReady', 'True']),
      allUp,
      'Ready',
      'True',
      'ValidationPassed',
    ],
    ['a deletion', saying(['Claimed', 'True']), { ...allUp, deleting: 'waits' }, 'Pending', 'False', 'Unbinding'],
  ])('%s', (_, of, known, phase, value, reason) => {
    expect(ready(of, known)).toMatchObject({ phase, value, reason });
  });

  it('is Connected only when the worker answered, and says who we are there', () => {
    const connected = (known: Known) =>
      statusOf(binding('a'), known, T0).conditions?.find((one) => one.type === 'Connected');
    expect(connected({})).toMatchObject({ status: 'Unknown', reason: 'NotChecked' });
    expect(connected({ problem: new BindingProblem('worker', 'WorkerUnreachable', 'm') })).toMatchObject({
      status: 'False',
      reason: 'WorkerUnreachable',
    });
    const lost = { ...binding('a'), ...saying(['WorkerReachable', 'False', 'ETIMEDOUT', 'no answer']) };
    expect(statusOf(lost, allUp, T0).conditions?.find((one) => one.type === 'Connected')).toMatchObject({
      status: 'False',
      message: 'no answer',
    });
    expect(connected({ worker, problem: new BindingProblem('agent', 'AgentStale', 'm') })).toMatchObject({
      status: 'True',
      message: expect.stringContaining('kubeocean-syncer') as string,
    });
  });

  it('does not say the version of a worker, which may be upgraded unseen', () => {
    const connected = statusOf(binding('a'), allUp, T0).conditions?.find((one) => one.type === 'Connected');
    expect(connected?.message).toBe(`the worker cluster answers and knows us as "${worker.user}"`);
  });

  it('is connected though something is short, which is told', () => {
    const shortcoming = 'there are no metrics, because "x" lacks services/proxy (get) there';
    const status = statusOf(binding('a'), { ...allUp, worker: { ...worker, shortcoming } }, T0);
    expect(status.conditions?.find((one) => one.type === 'Connected')).toMatchObject({
      status: 'True',
      message: expect.stringMatching(/knows us as .*; there are no metrics.*services\/proxy/) as string,
    });
  });

  it('says why pods do not run', () => {
    const known = { ...allUp, syncer: deployed('syncer', 0), why: { syncer: 'image x cannot be pulled' } };
    expect(ready(binding('a'), known).message).toMatch(/kubeocean-syncer-cls-example: .*image x cannot be pulled/);
  });

  it('tells of an upgrade that does not come up beside what runs', () => {
    const conditions = [{ type: 'Progressing', status: 'False', message: 'ReplicaSet "x" has timed out progressing.' }];
    const syncer = deployed('syncer', 2);
    const stuck = { ...syncer, status: { ...(syncer['status'] as object), conditions } };
    const told = (known: Known) =>
      statusOf(saying(['Claimed', 'True']), known, T0).conditions?.find((one) => one.type === 'SyncerReady');
    expect(told({ ...allUp, syncer: stuck })).toMatchObject({
      status: 'True',
      reason: 'RolloutStuck',
      message: expect.stringContaining('has timed out progressing') as string,
    });
    expect(told({ ...allUp, syncer: stuck, why: { syncer: 'image x cannot be pulled' } })?.message).toMatch(
      /kubeocean-syncer-cls-example: what runs goes on, but its last change does not come up: image x cannot be pulled$/,
    );
    expect(ready(saying(['Claimed', 'True']), { ...allUp, syncer: stuck })).toMatchObject({ phase: 'Ready' });
    expect(told(allUp)).toMatchObject({ reason: 'DeploymentAvailable' });
  });

  it('writes only its own conditions and leaves their times alone while nothing changes', () => {
    const before = saying(['Claimed', 'True']);
    const first = statusOf(before, allUp, T0);
    expect(first.conditions?.map((one) => one.type).toSorted()).toEqual([
      'Connected',
      'ProxierReady',
      'Ready',
      'SyncerReady',
    ]);
    const after = {
      ...before,
      status: { ...first, conditions: [...(first.conditions ?? []), ...(before.status?.conditions ?? [])] },
    };
    expect(statusOf(after, allUp, T1)).toEqual(first);
    expect(sameStatus(after.status, statusOf(after, allUp, T1))).toBe(true);
    expect(sameStatus(before.status, first)).toBe(false);
  });

  it('is one that an API server takes, however long the name is by which a worker knows us', () => {
    const of = saying(['Claimed', 'True']);
    const status = statusOf(of, { ...allUp, worker: { user: 'u'.repeat(100_000) } }, T0);
    for (const { message = '' } of status.conditions ?? []) expect(message.length).toBeLessThan(32_768);
  });

  it('moves lastSyncTime when the binding becomes Ready, and then not again', () => {
    const of = saying(['Claimed', 'True']);
    const first = statusOf(of, allUp, T0);
    expect(first.lastSyncTime).toBe('2026-02-01T10:00:00Z');
    const claimed = of.status?.conditions ?? [];
    const after = { ...of, status: { ...first, conditions: [...(first.conditions ?? []), ...claimed] } };
    expect(statusOf(after, allUp, T1).lastSyncTime).toBe('2026-02-01T10:00:00Z');
    const down = statusOf(after, { ...allUp, syncer: deployed('syncer', 0) }, T1);
    expect(down).toMatchObject({ phase: 'Pending', lastSyncTime: '2026-02-01T10:00:00Z' });
  });
});
