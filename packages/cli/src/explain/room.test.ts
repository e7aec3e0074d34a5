/** Why not more, held against what the allocator makes of the same clusters. */
import { claimName, Label, type LeasedNode, type ResourceLeasingPolicySpec } from '@kubeocean/shared/api';
import { allocate, type PodForRequests } from '@kubeocean/shared/lease';
import { describe, expect, test } from 'vitest';
import { explainNode } from './node.ts';
import { lease, mount, node, now, policy, record, role, worker } from './samples.ts';

const tenants = [{ namespace: mount, serviceAccount: 's', bindings: ['*'] }];

interface Lender extends Partial<ResourceLeasingPolicySpec> {
  cluster: string;
  reclaimed?: boolean;
}

/** Policies in the order of their age, each for the binding of its name. */
function explained(lenders: Lender[], pods: PodForRequests[], more: LeasedNode[] = []) {
  const policies = lenders.map(({ cluster, reclaimed, ...spec }, index) => {
    const made = policy(cluster, { cluster, nodeSelector: role, ...spec }, `2026-0${index + 1}-01T00:00:00Z`);
    if (reclaimed) made.metadata.annotations = { 'kubeocean.io/reclaim': 'now' };
    return made;
  });
  const claims = lenders.map(({ cluster }) => {
    const claim = lease(claimName(cluster), 5);
    return { ...claim, metadata: { ...claim.metadata, uid: cluster, creationTimestamp: '2026-01-01T00:00:00Z' } };
  });
  const { open } = allocate({
    nodes: [node('n1')],
    pods,
    policies,
    claims,
    records: [],
    tenants,
    now,
    defaultTimeZone: 'UTC',
  });
  const records = open.map(
    ({ namespace, name, spec, status }): LeasedNode => ({ metadata: { namespace, name }, spec, status }),
  );
  return explainNode('n1', {
    now,
    worker: worker({
      policies: { value: policies },
      records: { value: [...records, ...more] },
      leases: { value: [...claims, lease('kubeocean-agent', 5)] },
      podsOnNode: { value: pods },
    }),
  });
}

function pod(namespace: string, cpu: string, binding?: string): PodForRequests {
  return {
    metadata: { namespace, name: 'x', ...(binding && { labels: { [Label.clusterBinding]: binding } }) },
    spec: { nodeName: 'n1', containers: [{ name: 'c', resources: { requests: { cpu } } }] },
    status: { phase: 'Running' },
  };
}

function cpuOf(cluster: string, lenders: Lender[], pods: PodForRequests[]): string | undefined {
  return explained(lenders, pods)?.why.find((line) => new RegExp(`^cpu: \\S+ lent to ${cluster};`).test(line));
}

const NIGHT = { timeWindows: [{ start: '20:00', end: '06:00' }] };

describe('several bindings on a node', () => {
  test('one whose window is closed keeps nothing', () => {
    expect(cpuOf('day', [{ cluster: 'night', ...NIGHT }, { cluster: 'day' }], [pod('a', '2')])).toBe(
      'cpu: 6 lent to day; the node can give 8; its own pods ask for 2, which leaves 6.',
    );
  });

  test('but what its pods hold', () => {
    const pods = [pod(mount, '3', 'night')];
    expect(cpuOf('day', [{ cluster: 'night', ...NIGHT }, { cluster: 'day' }], pods)).toBe(
      'cpu: 5 lent to day; the node can give 8; its own pods ask for 0, which leaves 8; pods of night hold 3.',
    );
  });

  test('an older one comes first, a younger one takes nothing', () => {
    const lenders = [{ cluster: 'old', resourceLimits: [{ resource: 'cpu', quantity: '3' }] }, { cluster: 'young' }];
    expect(cpuOf('young', lenders, [])).toContain('; 3 lent to old.');
    expect(cpuOf('old', lenders, [])).toBe(
      'cpu: 3 lent to old; the node can give 8; its own pods ask for 0, which leaves 8; the policy caps it at quantity 3.',
    );
  });

  test('one that its owner takes back keeps all of it', () => {
    const resourceLimits = [{ resource: 'cpu', quantity: '3' }];
    const lenders = [{ cluster: 'back', reclaimed: true, resourceLimits }, { cluster: 'next' }];
    expect(cpuOf('next', lenders, [])).toContain('; 3 kept for the owner, who takes it back from back.');
  });

  test('one that nothing lends any more only keeps what its pods hold, also before that is certain', () => {
    const nowhere = {
      nodeSelectorTerms: [{ matchExpressions: [{ key: 'role', operator: 'In' as const, values: ['no'] }] }],
    };
    const ending = record({ phase: 'Closing', reason: 'NotSelected', policy: 'old', allocatable: { cpu: '8' } });
    const old = { ...ending, spec: { ...ending.spec, cluster: 'old', policy: 'old' } };
    const lenders = [{ cluster: 'old', nodeSelector: nowhere }, { cluster: 'young' }];
    const lines = explained(lenders, [pod(mount, '3', 'old')], [old])?.why;
    expect(lines?.find((line) => line.startsWith('cpu: 5 lent to young;'))).toMatch(
      /which leaves 8; pods of old hold 3\.$/,
    );
  });

  test('what comes next names its binding', () => {
    expect(explained([{ cluster: 'night', ...NIGHT }, { cluster: 'day' }], [])?.next).toEqual([
      'night: Running lent pods may stay (no forceReclaim).',
      'night: It opens again Fri 2026-11-20 20:00 +00:00, in 8 h.',
      'day: No window closes: it stays lent until the policy, the node or the claim changes.',
    ]);
  });
});

test.each([
  ['of nobody', undefined, `pods without a binding in ${mount}, which are left alone or deleted, hold 4`],
  ['of a lease that is over', 'gone', `pods of gone in ${mount}, whose lease here is over, hold 4`],
])('pods %s are named as what takes the rest', (_, binding, words) => {
  expect(cpuOf('b', [{ cluster: 'b' }], [pod(mount, '4', binding)])).toBe(
    `cpu: 4 lent to b; the node can give 8; its own pods ask for 0, which leaves 8; ${words}.`,
  );
});
