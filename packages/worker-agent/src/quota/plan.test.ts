import type { DesiredRecord, PodForRequests } from '@kubeocean/shared/lease';
import { describe, expect, it } from 'vitest';
import { planQuotas, podBounds } from './plan.ts';

const spec = { cluster: 'b', nodeName: 'n', nodeUID: 'u', policy: 'p' };

function lease(pods: string, phase: 'Active' | 'Closing' = 'Active'): DesiredRecord {
  return { namespace: 'w', name: 'b.n', labels: {}, spec, status: { phase, ceiling: { pods } } };
}

function pod(phase = 'Running', namespace = 'w'): PodForRequests {
  return { metadata: { namespace, name: 'a' }, spec: {}, status: { phase } };
}

describe('how many pods a mount namespace may have', () => {
  it.each<[string, DesiredRecord[], PodForRequests[], number]>([
    ['none while nothing is lent', [], [], 0],
    ['those that run while nothing is lent any more', [], [pod()], 50],
    ['twice what is lent, so that as many may come as end', [lease('110'), lease('110')], [], 450],
    ['and what runs there', [lease('100')], Array.from({ length: 51 }, () => pod()), 300],
    ['nothing for leases that close, beside what runs', [lease('110', 'Closing')], [pod(), pod()], 50],
    ['without those that ended and those elsewhere', [], [pod('Failed'), pod('Running', 'default')], 0],
  ])('%s', (_, open, pods, expected) => {
    expect(podBounds(['w', 'x'], open, pods)).toEqual(
      new Map([
        ['w', expected],
        ['x', 0],
      ]),
    );
  });
});

describe('writes of quotas', () => {
  const bounds = new Map([['w', 50]]);
  const quota = (pods: string) => ({ metadata: { namespace: 'w', name: 'kubeocean-lease' }, spec: { hard: { pods } } });
  it('are made where there is none, changed where it differs, and otherwise none', () => {
    expect(planQuotas(bounds, () => undefined)).toMatchObject([{ kind: 'create', quota: quota('50') }]);
    expect(planQuotas(bounds, () => quota('100'))).toMatchObject([{ kind: 'patch', hard: { pods: '50' } }]);
    expect(planQuotas(bounds, () => quota('50'))).toEqual([]);
  });
});
