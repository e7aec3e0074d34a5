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
    [
      'a deletion without the Secret',
      saying(['Claimed', 'True']),
      { ...allUp, deleting: 'waits', problem: new BindingProblem('secret', 'SecretMissing', 'm') },
      'Pending',
      'False',
      'Unbinding',
    ],
    [
      'a Deployment of somebody else',
      binding('a'),
      { worker, applyError: 'no', applyReason: 'ForeignState' },
      'Failed',
      'False',
      'ForeignState',
    ],
    ['no proxier yet', binding('a'), { worker, syncer: deployed('syncer', 2) }, 'Pending', 'False', 'Initializing'],
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

  it('keeps the last word on the worker while it has not been looked at again, and does not hear a syncer that is down', () => {
    const connected = (of: ClusterBinding, known: Known) =>
      statusOf(of, known, T0).conditions?.find((one) => one.type === 'Connected');
    const before = saying(['Connected', 'True', 'ConnectivityPassed', 'knows us as x']);
    expect(connected(before, {})).toMatchObject({ status: 'True', message: 'knows us as x' });
    const problem = new BindingProblem('spec', 'ClusterIDTaken', 'm');
    expect(connected(before, { problem })).toMatchObject({ status: 'Unknown', reason: 'NotChecked' });
    const lost = saying(['WorkerReachable', 'False', 'ETIMEDOUT', 'no answer']);
    expect(connected(lost, { ...allUp, syncer: deployed('syncer', 0) })).toMatchObject({ status: 'True' });
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

  it('says of which generation each condition is', () => {
    const { metadata, ...rest } = binding('a');
    const { conditions = [] } = statusOf({ ...rest, metadata: { ...metadata, generation: 4 } }, allUp, T0);
    expect(conditions.map(({ observedGeneration }) => observedGeneration)).toEqual([4, 4, 4, 4]);
  });

  it('says so when it is bound and no node is lent to it', () => {
    const bound = saying(['Claimed', 'True']);
    const message = (nodes: number) => ready({ ...bound, status: { ...bound.status, nodes } }, allUp).message;
    expect(message(0)).toMatch(/; no node is lent to it now: .*spec\.cluster is "a"; .*kubectl get rlp -o wide/);
    expect(message(1)).toBe(ready(bound, allUp).message);
    expect(message(1)).not.toContain('no node');
  });

  it('says why pods do not run', () => {
    const known = { ...allUp, syncer: deployed('syncer', 0), why: { syncer: 'image x cannot be pulled' } };
    expect(ready(binding('a'), known).message).toMatch(/kubeocean-syncer-cls-example: .*image x cannot be pulled/);
  });

  it('says how many replicas there are, and what keeps all of them from being made', () => {
    const told = (known: Known, type: string) =>
      statusOf(binding('a'), known, T0).conditions?.find((one) => one.type === type)?.message;
    expect(told(allUp, 'SyncerReady')).toMatch(/: every replica is available$/);
    expect(told(allUp, 'ProxierReady')).toMatch(/: at least one replica is available$/);
    const rolling = { ...deployed('syncer', 2), status: { availableReplicas: 2, unavailableReplicas: 1 } };
    expect(told({ ...allUp, syncer: rolling }, 'SyncerReady')).toMatch(
      /available; of its last change 1 more does not run/,
    );
    const none = {
      ...deployed('syncer', 0),
      status: { conditions: [{ type: 'Progressing', status: 'True', message: 'm' }] },
    };
    expect(told({ ...allUp, syncer: none }, 'SyncerReady')).toMatch(/: no replica is available yet$/);
    const conditions = [
      ...none.status.conditions,
      { type: 'ReplicaFailure', status: 'True', message: 'exceeded quota' },
    ];
    expect(told({ ...allUp, syncer: { ...none, status: { conditions } } }, 'SyncerReady')).toMatch(
      /: no replica is available: exceeded quota$/,
    );
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
    const { conditions = [] } = first;
    const [one, ...others] = conditions;
    expect(sameStatus({ ...first, conditions: conditions.toReversed() }, first)).toBe(true);
    expect(sameStatus({ ...first, phase: 'Pending' }, first)).toBe(false);
    expect(sameStatus({ ...first, lastSyncTime: 'x' }, first)).toBe(false);
    expect(sameStatus({ ...first, conditions: [{ ...one!, message: 'x' }, ...others] }, first)).toBe(false);
  });

  it('is one that an API server takes, however long the name is by which a worker knows us', () => {
    const of = saying(['Claimed', 'True']);
    const status = statusOf(of, { ...allUp, worker: { user: 'u'.repeat(100_000) } }, T0);
    for (const { message = '' } of status.conditions ?? []) expect(message.length).toBeLessThan(32_768);
  });

  it('speaks to no terminal, whatever a worker calls us', () => {
    const status = statusOf(saying(['Claimed', 'True']), { ...allUp, worker: { user: 'u\u009b31m' } }, T0);
    expect(status.conditions?.map(({ message }) => message)).toContain(
      'the worker cluster answers and knows us as "u 31m"',
    );
  });

  it('is what an API server gives back, wherever a long message is cut', () => {
    for (const before of [0, 1]) {
      const problem = new BindingProblem('worker', 'WorkerRefused', `${'x'.repeat(before)}${'😀'.repeat(4000)}`);
      const { conditions } = statusOf(binding('a'), { problem }, T0);
      expect(conditions?.every(({ message }) => message?.isWellFormed())).toBe(true);
    }
  });

  it('moves lastSyncTime when the binding becomes Ready, and then not again', () => {
    // By it a binding counts as established.
    expect(statusOf(binding('a'), allUp, T0).lastSyncTime).toBeUndefined();
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
