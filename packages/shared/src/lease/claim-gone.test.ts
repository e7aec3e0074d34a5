/** The allocator on a claim that is gone while leases run: mostly its syncer lives, and makes it again. */
import { describe, expect, it } from 'vitest';
import type { AllocationInput } from './allocate.ts';
import {
  at,
  claim,
  lent,
  lentPods,
  look,
  mount,
  node,
  now,
  pod,
  policy,
  run,
  statusOf,
  text,
  written,
} from './allocate-fixtures.ts';
import type { PodForRequests } from './requests.ts';

const gone: Partial<AllocationInput> = { claims: [] };
const before = written(run({ pods: lentPods, now: at(-60) }).open);
const first = look(before, 0, gone);
const { labels: _, ...unlabelled } = claim('b1').metadata;
/** As a syncer makes it again: another object, and younger. */
const again = claim('b1', mount, {}, '2026-11-20T12:00:05Z');

describe.each<[string, Partial<AllocationInput>]>([
  ['deleted', gone],
  ['without its label', { claims: [{ metadata: unlabelled }] }],
])('a claim that is %s', (_case, change) => {
  it('stops new pods at once and keeps those that run', () => {
    const result = run({ pods: lentPods, records: before, ...change });
    expect(result.open).toEqual([]);
    expect(result.removable).toEqual([]);
    expect(result.nextChange).toEqual(at(40));
    expect(statusOf(look(before, 0, change))).toMatchObject({
      phase: 'Closing',
      reason: 'Released',
      message: `the claim ${mount}/kubeocean-claim.b1 is gone: it was deleted, or lost its label kubeocean.io/claim`,
      taints: [{ key: 'kubeocean.io/out-of-time-windows', effect: 'NoSchedule' }],
      reclaimAt: text(40),
      reclaimStage: 'Notice',
    });
  });

  it.each([
    [0, 39.9, 'Closing'],
    [0, 40, 'Closed'],
    [0.9, 40.8, 'Closing'],
    [0.9, 41, 'Closed'],
  ])('from %d s on has closed the lease, at %d s: %s', (since, then, phase) => {
    const settling = look(before, since, change);
    expect(statusOf(look(settling, then, change))).toMatchObject({ phase, reason: 'Released' });
  });

  it('and is made again leaves the lease as it was', () => {
    const back = look(first, 39, { claims: [again] });
    expect(statusOf(back)).toMatchObject({ phase: 'Active', allocatable: { cpu: '8' } });
    expect(statusOf(back).reclaimAt).toBeUndefined();
    // The next slip is one of its own.
    expect(statusOf(look(look(back, 60, change), 99, change)).phase).toBe('Closing');
  });
});

describe('an agent that is started meanwhile', () => {
  it('waits for the whole time where none had begun to', () => {
    expect(statusOf(look(before, 500, gone))).toMatchObject({ phase: 'Closing', reclaimAt: text(540) });
  });

  it('goes on with a wait that had begun, and is not stuck', () => {
    expect(statusOf(look(first, 39, gone))).toEqual(statusOf(first));
    expect(statusOf(look(first, 500, gone)).phase).toBe('Closed');
  });
});

describe.each<[string, Partial<AllocationInput>]>([
  ['released', { claims: [claim('b1', mount, { 'kubeocean.io/release': 'true' })] }],
  [
    'of a name that its tenant may not claim any more',
    { tenants: [{ namespace: mount, serviceAccount: 's', bindings: ['b2'] }] },
  ],
  ['gone, of a name that its tenant may not claim any more', { ...gone, tenants: [] }],
])('a claim that is %s', (_case, change) => {
  it.each([
    ['open', before],
    ['of one that is waited for', first],
  ])('closes the lease at once: %s', (_state, records) => {
    expect(statusOf(look(records, 1, change))).toMatchObject({
      phase: 'Closed',
      reason: 'Released',
      reclaimAt: text(1),
    });
  });
});

it.each([
  ['no pod of the binding is left, as when it unbinds', 'Closed', []],
  ['one is left on this node', 'Closing', lentPods],
  ['one has ended there', 'Closing', changed({ status: { phase: 'Succeeded' } })],
  ['one is left on another node', 'Closing', changed({ spec: { ...lentPods[0]?.spec, nodeName: 'node2' } })],
  [
    'only another binding has one',
    'Closed',
    [pod('other', 'node1', '1', mount, { 'kubeocean.io/cluster-binding': 'b2' })],
  ],
])('where %s, the lease of a claim that is gone is %s', (_case, phase, pods) => {
  expect(statusOf(look(before, 0, { ...gone, pods })).phase).toBe(phase);
});

function changed(fields: Partial<PodForRequests>): PodForRequests[] {
  return lentPods.map((one) => ({ ...one, ...fields }));
}

describe('what else ends the lease meanwhile', () => {
  const policies = [
    policy('p1', {
      timeWindows: [{ start: '18:00', end: '08:00' }],
      forceReclaim: true,
      gracefulReclaimPeriodSeconds: 20,
    }),
  ];

  it.each<[string, [number, Partial<AllocationInput>][], number]>([
    [
      'no policy, and then no claim',
      [
        [0, { policies: [] }],
        [9, { ...gone, policies: [] }],
      ],
      10,
    ],
    [
      'no claim, and then no policy',
      [
        [0, gone],
        [5, { policies: [] }],
      ],
      15,
    ],
    [
      'no claim, and for a moment one without a policy',
      [
        [0, gone],
        [38, { policies: [] }],
        [39, gone],
      ],
      40,
    ],
    [
      'a notice that ends sooner',
      [
        [0, { policies }],
        [5, gone],
      ],
      20,
    ],
  ])('is not put off: %s', (_case, steps, end) => {
    let records = before;
    for (const [seconds, change] of steps) records = look(records, seconds, change);
    expect(statusOf(records)).toMatchObject({ phase: 'Closing', reclaimAt: text(end) });
    expect(statusOf(look(records, end, gone)).phase).toBe('Closed');
  });

  it('has begun, and goes on', () => {
    const taken = policy('p1');
    taken.metadata.annotations = { 'kubeocean.io/reclaim': 'now' };
    const records = look(before, 0, { policies: [taken] });
    expect(statusOf(look(records, 5, gone))).toMatchObject({ phase: 'Closed', reclaimAt: text(0) });
  });

  it('is the window: its notice goes on when the claim is made again', () => {
    const notice = look(before, 0, { policies });
    expect(statusOf(look(look(notice, 5, gone), 10, { policies, claims: [again] }))).toMatchObject({
      phase: 'Closing',
      reason: 'WindowClosed',
      reclaimAt: text(20),
      reclaimStage: 'Notice',
    });
  });
});

describe('another namespace that claims the name', () => {
  const policies = [policy('p2', { cluster: 'b2' })];
  const mine = claim('b2', 'other');
  const theirs = claim('b2', mount, {}, '2026-02-01T00:00:00Z');
  const pods = lentPods.map((pod) => ({
    ...pod,
    metadata: { ...pod.metadata, namespace: 'other', labels: { 'kubeocean.io/cluster-binding': 'b2' } },
  }));
  const records = written(run({ policies, pods, claims: [mine, theirs] }).open);
  const input = { policies, pods, claims: [theirs] };

  it('gets it only when the leases are over', () => {
    const settling = look(records, 0, input);
    expect(settling.map(({ metadata, status }) => [metadata.namespace, status?.phase])).toEqual([['other', 'Closing']]);
    const closed = look(settling, 40, input);
    expect(closed.map(({ status }) => status?.phase)).toEqual(['Closed']);
    expect(run({ records: closed, now: at(41), ...input }).open.map(({ namespace }) => namespace)).toEqual([mount]);
  });

  it('does not get it where the claim is made again, though its own is older by then', () => {
    const claims = [theirs, { metadata: { ...mine.metadata, creationTimestamp: '2026-11-20T12:00:05Z' } }];
    const result = run({ ...input, records: look(records, 0, input), claims, now: at(6) });
    expect(result.open.map(({ namespace }) => namespace)).toEqual(['other']);
    expect(result.closed).toEqual([]);
  });
});

it('what pods hold of a lease that is waited for is lent to nobody else', () => {
  const policies = [policy('p2', { cluster: 'b2' })];
  const result = run({ records: before, pods: lentPods, policies, claims: [claim('b2', 'other')] });
  expect(lent(result)['b2.node1']?.['cpu']).toBe('7');
});

describe('the record of a lease that is closed because its tenant may not claim the name any more', () => {
  const narrowed = { pods: [], tenants: [{ namespace: mount, serviceAccount: 's', bindings: ['b2'] }] };
  const closed = look(before, 0, narrowed);
  const day = { records: closed, ...narrowed, now: at(86_400) };

  it.each<[string, Partial<AllocationInput>, boolean]>([
    ['at once', { now: at(1) }, false],
    ['after a day', {}, true],
    ['after a day in which the claim was not renewed', { staleSince: new Map([[`${mount}-b1`, now]]) }, false],
    ['after a day of which only the end was read', { readers: new Set() }, false],
    ['when the claim is gone', { now: at(1), claims: [] }, true],
    [
      'when the claim was given back',
      { now: at(1), claims: [claim('b1', mount, { 'kubeocean.io/release': 'true' })] },
      true,
    ],
    ['while there is a pod', { pods: lentPods }, false],
  ])('goes %s: %j', (_case, change, goes) => {
    expect(run({ ...day, ...change }).removable).toEqual(goes ? closed : []);
  });

  it('is open again when the tenant may', () => {
    expect(run({ records: closed, nodes: [node('node1')], now: at(60) }).open[0]?.status.phase).toBe('Active');
  });
});
