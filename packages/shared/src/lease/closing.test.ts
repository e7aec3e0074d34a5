import { describe, expect, it } from 'vitest';
import type { LeasedNode } from '../api/leased-node.ts';
import type { AllocationInput } from './allocate.ts';
import {
  at,
  claim,
  lentPods as pods,
  look,
  mount,
  node,
  policy,
  run,
  statusOf,
  text,
  written,
} from './allocate-fixtures.ts';

const windowed = policy('p1', {
  timeWindows: [{ start: '18:00', end: '08:00' }],
  forceReclaim: true,
  gracefulReclaimPeriodSeconds: 86_400,
});
const released = { claims: [claim('b1', mount, { 'kubeocean.io/release': 'true' })] };
const unselected = { policies: [policy('p1', { nodeSelector: { nodeSelectorTerms: [{}] } })] };

describe.each([
  ['PolicyGone', { policies: [] }],
  ['NotSelected', unselected],
] as [string, Partial<AllocationInput>][])('%s', (reason, gone) => {
  const lent = written(run({ pods, now: at(-60) }).open);
  const first = look(lent, 0, gone);

  it('stops new pods at once and keeps those that run', () => {
    expect(statusOf(first)).toMatchObject({
      phase: 'Closing',
      reason,
      allocatable: { cpu: '8' },
      taints: [{ key: 'kubeocean.io/out-of-time-windows', effect: 'NoSchedule' }],
      reclaimAt: text(10),
      reclaimStage: 'Notice',
    });
    expect(statusOf(first).closedAt).toBeUndefined();
  });

  it('says Closed when it was so for 10 s, and looks again then', () => {
    expect(run({ pods, records: lent, ...gone }).nextChange).toEqual(at(10));
    const before = look(first, 9, gone);
    expect(before).toEqual(first);
    const after = look(before, 10, gone);
    expect(statusOf(after)).toMatchObject({
      phase: 'Closed',
      reason,
      reclaimAt: text(10),
      reclaimStage: 'Syncer',
      closedAt: text(10),
    });
    expect(statusOf(after).allocatable).toBeUndefined();
  });

  it('never says it sooner than that, whatever the part of a second', () => {
    const late = look(lent, 0.9, gone);
    expect(statusOf(look(late, 10.8, gone)).phase).toBe('Closing');
    expect(statusOf(look(late, 11, gone)).phase).toBe('Closed');
  });

  it('drains nothing when the policy is made again, and counts anew when it goes once more', () => {
    const again = look(first, 2, {});
    expect(statusOf(again)).toMatchObject({ phase: 'Active' });
    expect(statusOf(again).reclaimAt).toBeUndefined();
    const second = look(again, 5, gone);
    expect(statusOf(look(second, 14, gone)).phase).toBe('Closing');
    expect(statusOf(look(second, 15, gone)).phase).toBe('Closed');
  });

  it('gives a window that closed meanwhile its whole notice', () => {
    expect(statusOf(look(first, 2, { policies: [windowed] }))).toMatchObject({
      reason: 'WindowClosed',
      reclaimAt: text(86_402),
    });
  });

  it('takes back nothing under a policy that is not valid, and takes no pods', () => {
    const policies = [policy('p1', { timeZone: 'Mars/Olympus' })];
    const again = look(first, 2, { policies });
    expect(statusOf(again)).toMatchObject({ phase: 'Closing', reason: 'WindowClosed' });
    expect(statusOf(look(again, 60, { policies })).reclaimAt).toBeUndefined();
  });

  it('tells of no window', () => {
    const windows = written(run({ pods, policies: [windowed], now: at(-60) }).open);
    expect(statusOf(windows).window).toBeDefined();
    expect(statusOf(look(windows, 0, gone)).window).toBeUndefined();
  });

  it('counts for no longer when the clock was wrong', () => {
    const ahead = look(lent, 86_400, gone);
    expect(statusOf(look(ahead, 0, gone)).reclaimAt).toBe(text(10));
  });

  it.each([
    ['Released', released],
    ['NodeGone', { nodes: [] }],
  ])('holds up nothing that ends for certain: %s', (certain, change) => {
    for (const records of [lent, first]) {
      expect(statusOf(look(records, 1, { ...gone, ...change }))).toMatchObject({
        phase: 'Closed',
        reason: certain,
        reclaimAt: text(1),
      });
    }
  });

  it('holds up no taking back that has begun', () => {
    const taken = policy('p1');
    taken.metadata.annotations = { 'kubeocean.io/reclaim': 'now' };
    const records = look(lent, 0, { policies: [taken] });
    expect(statusOf(look(records, 40, gone))).toMatchObject({
      phase: 'Closed',
      reason,
      reclaimAt: text(0),
      reclaimStage: 'Evicting',
    });
  });

  it('removes no record before it is certain', () => {
    const nobody = { pods: [], ...gone };
    expect(run({ records: look(lent, 0, nobody), now: at(9), ...nobody }).removable).toEqual([]);
  });
});

describe('a lease that is over while a notice of a day runs', () => {
  const notice = written(run({ policies: [windowed], pods }).open);

  it.each([
    ['Released', { ...released, policies: [windowed] }, 3600],
    ['NodeGone', { nodes: [node('node1', { uid: 'another' })], policies: [windowed] }, 3600],
    ['PolicyGone', { policies: [] }, 3610],
    ['NotSelected', unselected, 3610],
  ] as [string, Partial<AllocationInput>, number][])('is taken back at once: %s', (reason, change, since) => {
    const closed = look(look(notice, 3600, change), since, change);
    expect(statusOf(closed)).toMatchObject({ phase: 'Closed', reason, reclaimAt: text(since), reclaimStage: 'Syncer' });
    // And not put off by the next look.
    expect(statusOf(look(closed, since + 30, change))).toMatchObject({
      reclaimAt: text(since),
      reclaimStage: 'Evicting',
    });
  });

  it('is taken back at once also where an agent before this one had left it the notice', () => {
    const left = notice.map((record) => ({ ...record, status: { ...record.status, phase: 'Closed' as const } }));
    expect(statusOf(look(left, 60, { policies: [] }))).toMatchObject({ reclaimAt: text(60), reclaimStage: 'Syncer' });
  });
});

describe('a notice that runs when the policy is gone for a moment', () => {
  const notice = written(run({ policies: [windowed], pods }).open);
  const settling = look(notice, 3600, { policies: [] });

  it('goes on, and ends as it was announced, whoever looks by then', () => {
    // As any other status, it says so in the record: more than one look may pass.
    const again = look(look(settling, 3601, { policies: [] }), 3602, { policies: [windowed] });
    expect(statusOf(again)).toMatchObject({ reason: 'WindowClosed', reclaimAt: text(86_400), reclaimStage: 'Notice' });
    expect(statusOf(again).noticeEndsAt).toBeUndefined();
    // Not for ever: a lease that is over for good is over.
    const closed = statusOf(look(settling, 3610, { policies: [] }));
    expect([closed.phase, closed.noticeEndsAt]).toEqual(['Closed', undefined]);
  });

  it('is given in full where none ran', () => {
    const lent = written(run({ pods, now: at(-60) }).open);
    const again = look(look(lent, 3600, { policies: [] }), 3602, { policies: [windowed] });
    expect(statusOf(again).reclaimAt).toBe(text(90_002));
  });

  it('takes no pods under a policy that is not valid, whatever was before', () => {
    const policies = [policy('p1', { timeZone: 'Mars/Olympus' })];
    const lent = written(run({ pods, now: at(-60) }).open);
    for (const records of [settling, look(lent, 3600, { policies: [] })]) {
      expect(statusOf(look(records, 3602, { policies })).phase).toBe('Closing');
    }
  });
});

it('pods that were told that the window closes are not told again when the policy was gone for a moment', () => {
  const soon = policy('p1', { timeWindows: [{ start: '08:00', end: '12:01' }], forceReclaim: true });
  const told = written(run({ policies: [soon], pods }).open);
  expect(statusOf(told).noticedAt).toBe(text(0));
  const gone = look(told, 5, { policies: [] });
  for (const records of [gone, look(gone, 7, { policies: [soon] })]) expect(statusOf(records).noticedAt).toBe(text(0));
});

it('a record that was closed by a clock a year ahead is kept for a day from when that is right', () => {
  const year = 365 * 86_400;
  const closed = look(look(written(run({}).open), year - 10, { policies: [] }), year, { policies: [] });
  expect(statusOf(closed)).toMatchObject({ phase: 'Closed', closedAt: text(year) });
  const right = look(closed, 0, { policies: [] });
  expect(statusOf(right).closedAt).toBe(text(0));
  expect(statusOf(look(right, 60, { policies: [] })).closedAt).toBe(text(0));
});

it('a record says of its node and policy what it said last, and stops saying what is lent', () => {
  const taints = [{ key: 'dedicated', value: 'x', effect: 'NoExecute' as const }];
  const lent = written(run({ nodes: [{ ...node('node1'), spec: { taints, unschedulable: true } }], pods }).open);
  const kept = { policy: 'p1', unschedulable: true, node: { labels: { role: 'worker' } } };
  const lease = { key: 'kubeocean.io/out-of-time-windows', value: 'true', effect: 'NoSchedule' };
  const settling = look(lent, 0, { policies: [] });
  expect(statusOf(settling)).toMatchObject({ ...kept, phase: 'Closing', taints: [lease, ...taints] });
  const closed = statusOf(look(settling, 10, { policies: [] }));
  expect(closed).toMatchObject({ ...kept, phase: 'Closed', taints: [lease, ...taints] });
  expect([closed.allocatable, closed.ceiling]).toEqual([undefined, undefined]);
});

it.each<[string, Partial<AllocationInput>]>([
  ['node node1 is gone', { nodes: [] }],
  ['node node1 was replaced by another of its name', { nodes: [node('node1', { uid: 'another' })] }],
  ['the claim kubeocean-worker/kubeocean-claim.b1 is released (annotation kubeocean.io/release)', released],
  [
    'the claim in namespace other is served',
    { claims: [claim('b1', 'other')], tenants: [{ namespace: 'other', serviceAccount: 's', bindings: ['b1'] }] },
  ],
  ["no policy's selector and the binding's selector match node node1 any more", unselected],
])('a lease that is over says why: %s', (message, change) => {
  const lent = written(run({ now: at(-60) }).open);
  expect(run({ records: lent, ...change }).closed.map(({ status }) => status.message)).toEqual([message]);
});

it('a node that was replaced counts as closed for its policy once the record of the one before says so', () => {
  const lent = written(run({ now: at(-60) }).open);
  const nodes = [node('node1', { uid: 'another' })];
  const counted = (records: LeasedNode[]) => {
    const [outcome] = run({ records, nodes }).policies;
    return [outcome?.nodes, outcome?.closing.size];
  };
  expect(counted(lent)).toEqual([[], 0]);
  expect(counted(look(lent, 0, { pods, nodes }))).toEqual([['node1'], 1]);
});
