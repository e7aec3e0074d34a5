import { describe, expect, it } from 'vitest';
import { policyProblem } from './policies.ts';

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
