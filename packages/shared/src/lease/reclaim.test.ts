import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LeasedNodeStatus } from '../api/leased-node.ts';
import { claim, lent, mount, node, now, pod, policy, run, written } from './allocate-fixtures.ts';
import { reclaimStage, type ReclaimFacts } from './reclaim.ts';

const reclaimAt = '2026-11-20T12:00:00Z';
const start = Date.parse(reclaimAt);
const timing = { deadlineSeconds: 600, noticeSeconds: 300 };
const label = { 'kubeocean.io/cluster-binding': 'b1' };

function facts(change: Partial<ReclaimFacts> = {}): ReclaimFacts {
  return { unfinished: 1, unsynced: 0, syncerFirst: true, timing, ...change };
}

function at(seconds: number): Date {
  return new Date(start + seconds * 1000);
}

describe('the stage of a taking back', () => {
  const short = { deadlineSeconds: 20, noticeSeconds: 0 };
  it.each([
    ['before reclaimAt', -1, {}, 'Notice'],
    ['before reclaimAt with nothing to take back', -1, { unfinished: 0 }, 'Notice'],
    ['the syncer goes first', 0, {}, 'Syncer'],
    ['for 30 s', 29, {}, 'Syncer'],
    ['then the agent', 30, {}, 'Evicting'],
    ['or for half the time to a near deadline', 9, { timing: short }, 'Syncer'],
    ['and no longer', 10, { timing: short }, 'Evicting'],
    ['a silent syncer has no head start', 0, { syncerFirst: false }, 'Evicting'],
    ['up to the deadline', 599, {}, 'Evicting'],
    ['at the deadline', 600, {}, 'Deleting'],
    ['nothing left', 1, { unfinished: 0 }, 'Done'],
    ['nothing left after the deadline', 900, { unfinished: 0 }, 'Done'],
    ['an end that home has not shown', 100, { unfinished: 0, unsynced: 1 }, 'Evicting'],
    ['waits for home no longer than the deadline', 600, { unfinished: 0, unsynced: 1 }, 'Done'],
  ] as const)('%s', (_, seconds, change, stage) => {
    expect(reclaimStage(reclaimAt, facts(change), at(seconds))).toBe(stage);
  });

  it('never goes back while time goes on, and never evicts early', () => {
    const order = ['Notice', 'Syncer', 'Evicting', 'Deleting'];
    const seconds = fc.integer({ min: -1000, max: 2000 });
    fc.assert(
      fc.property(seconds, seconds, fc.integer({ min: 0, max: 1000 }), fc.boolean(), (a, b, deadlineSeconds, alive) => {
        const given = facts({ syncerFirst: alive, timing: { deadlineSeconds, noticeSeconds: 0 } });
        const [early, late] = [Math.min(a, b), Math.max(a, b)].map((time) => reclaimStage(reclaimAt, given, at(time)));
        expect(order.indexOf(early as string)).toBeLessThanOrEqual(order.indexOf(late as string));
        if (Math.max(a, b) < 0) expect(late).toBe('Notice');
        if (Math.min(a, b) >= deadlineSeconds) expect(early).toBe('Deleting');
      }),
    );
  });
});

describe('a closing window', () => {
  const closed = { timeWindows: [{ start: '18:00', end: '08:00' }], gracefulReclaimPeriodSeconds: 60 };
  const force = policy('p1', { ...closed, forceReclaim: true });
  const records = written(run({ policies: [force] }).open);
  const pods = [pod('lent', 'node1', '1', mount, label)];

  function later(seconds: number, input: Parameters<typeof run>[0] = {}): LeasedNodeStatus {
    return run({ policies: [force], records, pods, now: at(seconds), ...input }).open[0]?.status ?? {};
  }

  it('tells the whole plan at once', () => {
    expect(records[0]?.status).toMatchObject({
      reclaimAt: '2026-11-20T12:01:00Z',
      reclaimDeadline: '2026-11-20T12:11:00Z',
      reclaimStage: 'Notice',
    });
  });

  it('has the deadline that the agent was told', () => {
    const told = { deadlineSeconds: 20, noticeSeconds: 0 };
    expect(later(0, { timing: told }).reclaimDeadline).toBe('2026-11-20T12:01:20Z');
    expect(later(70, { timing: told }).reclaimStage).toBe('Evicting');
  });

  it('takes nothing back without forceReclaim', () => {
    const status = later(5000, { policies: [policy('p1', closed)] });
    expect(status).toMatchObject({ phase: 'Closing', taints: [{ effect: 'NoSchedule' }] });
    expect(status.reclaimAt).toBeUndefined();
    expect(status.reclaimStage).toBeUndefined();
  });

  it.each([
    [0, 'Notice', 'NoSchedule'],
    [60, 'Syncer', 'NoSchedule'],
    [90, 'Evicting', 'NoSchedule'],
    [660, 'Deleting', 'NoExecute'],
  ])('after %i s: %s, taint %s while a pod is left', (seconds, reclaimStage, effect) => {
    expect(later(seconds)).toMatchObject({ reclaimStage, taints: [{ effect }] });
  });

  it('has the taint NoExecute once nothing is left', () => {
    expect(later(61, { pods: [] })).toMatchObject({ reclaimStage: 'Done', taints: [{ effect: 'NoExecute' }] });
  });

  it('keeps a pod whose end home has not shown from NoExecute', () => {
    const ended = pod('lent', 'node1', '1', mount, label, 'Succeeded');
    ended.metadata.finalizers = ['kubeocean.io/home-sync'];
    expect(later(100, { pods: [ended] }).taints?.[0]?.effect).toBe('NoSchedule');
  });

  it.each([
    ['by a clock a month ahead', 30 * 86_400, 20, force, 80],
    [
      'under a longer grace',
      0,
      10,
      policy('p1', { ...closed, forceReclaim: true, gracefulReclaimPeriodSeconds: 5 }),
      15,
    ],
  ])('never leaves more than the grace to a notice that was announced %s', (_, told, seconds, asked, reclaimed) => {
    const announced = written(run({ policies: [force], pods, now: at(told) }).open);
    const { reclaimAt: due } = later(seconds, { records: announced, policies: [asked] });
    expect(Date.parse(due ?? '')).toBe(at(reclaimed).getTime());
    expect(later(seconds + 1, { records: announced, policies: [asked] }).reclaimStage).toBe('Notice');
  });

  it('gives no more notice than was left when the grace is made longer, or the agent is started anew', () => {
    const longer = policy('p1', { ...closed, forceReclaim: true, gracefulReclaimPeriodSeconds: 600 });
    expect(later(30, { policies: [longer] }).reclaimAt).toBe('2026-11-20T12:01:00Z');
    expect(later(30).reclaimAt).toBe('2026-11-20T12:01:00Z');
  });

  it('gives a silent computing cluster no head start', () => {
    const staleSince = new Map([[`${mount}-b1`, now]]);
    expect(later(60, { staleSince }).reclaimStage).toBe('Evicting');
  });

  it('looks again when the next step begins', () => {
    const next = (seconds: number) => run({ policies: [force], records, pods, now: at(seconds) }).nextChange;
    expect(next(0)).toEqual(at(60));
    expect(next(60)).toEqual(at(90));
    expect(next(90)).toEqual(at(660));
  });

  it('gives notice before it, once, where pods will be evicted', () => {
    const open = { timeWindows: [{ start: '08:00', end: '12:01' }] };
    const soon = policy('p1', { ...open, forceReclaim: true });
    const noticed = run({ policies: [soon] });
    expect(noticed.open[0]?.status).toMatchObject({ phase: 'Active', noticedAt: reclaimAt });
    const again = run({ policies: [soon], records: written(noticed.open), now: at(60) });
    expect(again.open[0]?.status.noticedAt).toBe(reclaimAt);
    expect(run({ policies: [policy('p1', open)] }).open[0]?.status.noticedAt).toBeUndefined();
    const always = policy('p1', { forceReclaim: true });
    expect(run({ policies: [always] }).open[0]?.status.noticedAt).toBeUndefined();
    const early = run({ policies: [soon], now: at(-600) });
    expect(early.open[0]?.status.noticedAt).toBeUndefined();
    expect(early.nextChange).toEqual(at(120 - 300));
  });
});

describe('a policy that is not valid, and of which nobody knows the last valid spec', () => {
  const window = { timeWindows: [{ start: '08:00', end: '12:29' }] };
  const broken = policy('p1', { timeZone: 'Mars/Olympus' });
  const records = written(run({ policies: [policy('p1', window)], now: at(0) }).open);

  it('is looked at when its window closes as it was announced, whatever else happens', () => {
    const closesAt = at(30 * 60);
    expect(run({ policies: [broken], records, now: at(29 * 60) }).nextChange).toEqual(closesAt);
    const after = run({ policies: [broken], records, now: closesAt });
    expect(after.open[0]?.status).toMatchObject({ phase: 'Closing', reason: 'WindowClosed' });
    expect(after.nextChange).toBeUndefined();
  });
});

describe('take back now', () => {
  const annotations = { 'kubeocean.io/reclaim': 'now' };
  const mine = policy('p1', { gracefulReclaimPeriodSeconds: 600 });
  const taken = { ...mine, metadata: { ...mine.metadata, annotations } };
  const pods = [pod('lent', 'node1', '1', mount, label)];
  const expected = { phase: 'Closing', reason: 'ReclaimedByOwner', reclaimAt, reclaimStage: 'Syncer' };

  it('by the policy closes all its nodes without notice, without forceReclaim too', () => {
    expect(run({ policies: [taken], pods }).open[0]?.status).toMatchObject(expected);
  });

  it('by the node closes that one', () => {
    const nodes = [node('node1', { annotations }), node('node2')];
    const open = run({ policies: [mine], nodes, pods }).open.map(({ status }) => status);
    expect(open).toMatchObject([expected, { phase: 'Active' }]);
  });

  it('cuts a running notice short', () => {
    const closing = policy('p1', {
      timeWindows: [{ start: '18:00', end: '08:00' }],
      forceReclaim: true,
      gracefulReclaimPeriodSeconds: 600,
    });
    const records = written(run({ policies: [closing] }).open);
    const policies = [{ ...closing, metadata: { ...closing.metadata, annotations } }];
    expect(run({ policies, records, pods, now: at(5) }).open[0]?.status.reclaimAt).toBe('2026-11-20T12:00:05Z');
  });

  it.each([
    ['a policy', taken],
    ['a policy that is not valid', { ...taken, spec: { ...taken.spec, timeZone: 'Mars/Olympus' } }],
  ])('begins once: the next look at %s does not put it off', (_, asked) => {
    const valid = run({ policies: [taken], pods });
    const later = run({ policies: [asked], records: written(valid.open), pods, now: at(100) });
    expect(later.open[0]?.status).toMatchObject({ ...expected, reclaimStage: 'Evicting' });
  });

  it('taken off lends again, or gives the window its own notice', () => {
    const records = written(run({ policies: [taken] }).open);
    expect(run({ policies: [mine], records, now: at(9) }).open[0]?.status).toMatchObject({ phase: 'Active' });
    const closing = policy('p1', {
      timeWindows: [{ start: '18:00', end: '08:00' }],
      forceReclaim: true,
      gracefulReclaimPeriodSeconds: 600,
    });
    expect(run({ policies: [closing], records, now: at(9) }).open[0]?.status.reclaimAt).toBe('2026-11-20T12:10:09Z');
  });

  it('counts for a policy that is not valid too, and so does that it is called off', () => {
    const records = written(run({ policies: [mine] }).open);
    const broken = { ...mine, spec: { ...mine.spec, timeZone: 'Mars/Olympus' } };
    const asked = run({ policies: [{ ...broken, metadata: taken.metadata }], records, pods }).open;
    expect(asked[0]?.status).toMatchObject(expected);
    const off = run({ policies: [broken], records: written(asked), pods, now: at(9) }).open[0]?.status;
    expect([off?.phase, off?.reclaimAt]).toEqual(['Closing', undefined]);
  });
});

describe('a closed lease', () => {
  const before = written(run({}).open);
  const settling = run({ records: before, policies: [], now: at(-10) }).closed[0]?.status;
  const records = before.map((record) => ({ ...record, ...(settling && { status: settling }) }));
  const pods = [pod('lent', 'node1', '1', mount, label)];

  it('takes back what runs, the draining computing cluster first', () => {
    const [closed] = run({ records, pods, policies: [] }).closed;
    expect(closed?.status).toMatchObject({ phase: 'Closed', reclaimAt, reclaimStage: 'Syncer', closedAt: reclaimAt });
    const after = [{ ...records[0], status: closed?.status } as (typeof records)[0]];
    const [later] = run({ records: after, pods, policies: [], now: at(30) }).closed;
    expect(later?.status).toMatchObject({ reclaimAt, reclaimStage: 'Evicting', closedAt: reclaimAt });
  });

  it('says why it was closed first, and since when, whatever ends it after that', () => {
    const [closed] = run({ records, policies: [] }).closed;
    const after = [{ ...records[0], status: closed?.status } as (typeof records)[0]];
    const [later] = run({ records: after, policies: [], nodes: [], now: at(60) }).closed;
    expect(later?.reason).toBe('NodeGone');
    expect(later?.status).toMatchObject({
      reason: 'PolicyGone',
      message: 'no ResourceLeasingPolicy lends to b1 any more',
      closedAt: reclaimAt,
    });
  });

  it('with a pod left is looked at again when the agent begins, and at the deadline', () => {
    const first = run({ records, pods, policies: [] });
    expect(first.nextChange).toEqual(at(30));
    const after = [{ ...records[0], status: first.closed[0]?.status } as (typeof records)[0]];
    expect(run({ records: after, pods, policies: [], now: at(30) }).nextChange).toEqual(at(600));
    expect(run({ records: after, pods, policies: [], now: at(600) }).nextChange).toEqual(at(86_400));
  });

  it('is kept for 24 h, and longer while nobody reads it or a pod is left', () => {
    const [closed] = run({ records, policies: [] }).closed;
    const after = [{ ...records[0], status: closed?.status } as (typeof records)[0]];
    const day = at(86_400);
    expect(run({ records: after, policies: [], now: at(86_399) }).removable).toEqual([]);
    expect(run({ records: after, policies: [], now: at(86_399) }).nextChange).toEqual(day);
    expect(run({ records: after, policies: [], now: day }).removable).toEqual(after);
    expect(run({ records: after, policies: [], now: day, pods }).removable).toEqual([]);
    const staleSince = new Map([[claim('b1').metadata.uid ?? '', now]]);
    expect(run({ records: after, policies: [], now: day, staleSince }).removable).toEqual([]);
    expect(run({ records: after, policies: [], now: day, readers: new Set() }).removable).toEqual([]);
  });
});

describe('a lent pod that ends', () => {
  it('is taken off what is lent once home has no such pod any more', () => {
    const ending = pod('lent', 'node1', '2', mount, label);
    ending.metadata.deletionTimestamp = reclaimAt;
    const held = { ...ending, metadata: { ...ending.metadata, finalizers: ['kubeocean.io/home-sync'] } };
    expect(lent(run({ pods: [held] }))['b1.node1']).toMatchObject({ cpu: '8', pods: '110' });
    expect(lent(run({ pods: [ending] }))['b1.node1']).toMatchObject({ cpu: '6', pods: '109' });
  });
});
