import { IANAZone } from 'luxon';
import { describe, expect, it, vi } from 'vitest';
import { policy } from './allocate-fixtures.ts';
import { judgePolicy, olderPolicyFirst, policyProblem, rememberedSpec } from './policies.ts';

/** What older kinds, or an API server without our checks, might let through. */
describe('a policy that is not valid', () => {
  it.each<[object, RegExp]>([
    [{ cluster: '' }, /^spec\.cluster is missing; name the ClusterBinding/],
    [{ gracefulReclaimPeriodSeconds: -1 }, /^gracefulReclaimPeriodSeconds must be a whole number from 0 to 31536000/],
    [{ gracefulReclaimPeriodSeconds: 1.5 }, /^gracefulReclaimPeriodSeconds/],
    [{ gracefulReclaimPeriodSeconds: 9e15 }, /^gracefulReclaimPeriodSeconds/],
    [{ resourceLimits: [{ resource: 'cpu', percent: 101 }] }, /^resourceLimits\[0\] \(cpu\): percent/],
    [{ resourceLimits: [{ resource: 'cpu', quantity: '-1' }] }, /quantity must not be negative/],
    [{ timeWindows: [{ start: '25:00', end: '08:00' }] }, /"25:00" is no time/],
    [{ timeZone: 'Mars/Olympus' }, /time zone "Mars\/Olympus" is not known/],
  ])('%j says so', (spec, expected) => {
    expect(policyProblem({ cluster: 'b', ...spec }, 'UTC')).toMatch(expected);
  });
  it('and one that is says nothing', () => {
    expect(policyProblem({ cluster: 'b', gracefulReclaimPeriodSeconds: 31_536_000 }, 'UTC')).toBeUndefined();
  });
});

describe('a last valid spec in a status', () => {
  const said = (lastValidSpec: unknown) =>
    rememberedSpec({ lastValidSpec } as { lastValidSpec: { cluster: string } }, 'UTC');

  it.each<unknown>([
    undefined,
    null,
    'nights',
    {},
    { cluster: 5 },
    { cluster: 'b', timeWindows: 'nights' },
    { cluster: 'b', timeWindows: ['18:00'] },
    { cluster: 'b', timeWindows: [{ days: 'Monday' }] },
    { cluster: 'b', timeWindows: [{ days: [1] }] },
    { cluster: 'b', resourceLimits: {} },
    { cluster: 'b', resourceLimits: [null] },
    { cluster: 'b', resourceLimits: [{ resource: 'cpu', quantity: {} }] },
    { cluster: 'b', nodeSelector: { nodeSelectorTerms: 'all' } },
    { cluster: 'b', timeZone: {} },
    { cluster: 'b', timeZone: 'Mars/Olympus' },
  ])('that somebody made by hand is not used, and stops nobody: %j', (made) => {
    expect(said(made)).toBeUndefined();
  });

  it('is used when it is one', () => {
    const spec = {
      cluster: 'b',
      timeWindows: [{ days: ['Monday'] }],
      resourceLimits: [{ resource: 'cpu', percent: 5 }],
    };
    expect(said(spec)).toEqual(spec);
  });
});

describe('a window', () => {
  const now = new Date('2026-11-20T12:00:00Z');
  it.each<[string | undefined, string, boolean, string | undefined]>([
    ['Asia/Tokyo', 'UTC', true, '2026-11-20T13:01:00.000Z'],
    [undefined, 'Asia/Tokyo', true, '2026-11-20T13:01:00.000Z'],
    ['UTC', 'Asia/Tokyo', false, '2026-11-20T22:01:00.000Z'],
  ])('is of the zone %s where the agent’s is %s', (timeZone, agents, inside, closesAt) => {
    const spec = { cluster: 'b', timeWindows: [{ start: '20:00', end: '22:00' }], ...(timeZone && { timeZone }) };
    const judged = judgePolicy({ metadata: { name: 'p' }, spec }, undefined, now, agents);
    expect({ inside: judged.inside, closesAt: judged.closesAt?.toISOString() }).toEqual({ inside, closesAt });
  });
});

describe('a policy that is judged again', () => {
  const spec = { cluster: 'b', timeWindows: [{ start: '20:00', end: '22:00' }] };
  const judged = (time: string, zone = 'Europe/Berlin', of = spec) =>
    judgePolicy({ metadata: { name: 'p' }, spec: of }, undefined, new Date(time), zone);

  it('does not cost another look at its zone before its windows change', () => {
    const first = judged('2026-11-20T12:00:00Z');
    const asked = vi.spyOn(IANAZone.prototype, 'offset');
    expect(judged('2026-11-20T18:59:59Z')).toEqual(first);
    expect(asked).not.toHaveBeenCalled();
    asked.mockRestore();
  });

  it('is judged as at first, whatever the clock and the zone do', () => {
    const hours = ['12:00', '18:59', '19:00', '12:00', '21:00', '21:01', '20:00', '23:00'];
    for (const at of hours.map((hour) => `2026-11-20T${hour}:00Z`)) {
      for (const zone of ['Europe/Berlin', 'Asia/Tokyo']) {
        expect(judged(at, zone)).toEqual(judged(at, zone, structuredClone(spec)));
      }
    }
  });
});

it('of policies of one second the first by name is the older, whatever their order', () => {
  const all = ['b', 'a', 'c'].map((name) => policy(name));
  for (const list of [all, all.toReversed()]) {
    expect(list.toSorted(olderPolicyFirst).map(({ metadata }) => metadata.name)).toEqual(['a', 'b', 'c']);
  }
  expect([policy('a', {}, '2026-02-01T00:00:00Z'), policy('b')].toSorted(olderPolicyFirst)[0]?.metadata.name).toBe('b');
});
