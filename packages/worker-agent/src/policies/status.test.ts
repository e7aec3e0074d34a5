import type { LeasedNodeStatus, ResourceLeasingPolicy } from '@kubeocean/shared/api';
import { type Account, type Claim, parseQuantity, type PolicyOutcome } from '@kubeocean/shared/lease';
import { describe, expect, it } from 'vitest';
import { policyStatus } from './status.ts';
import { planPolicy } from './writer.ts';

const now = new Date('2026-11-20T12:00:00.500Z');
const later = new Date('2026-11-20T13:00:00Z');
const policy: ResourceLeasingPolicy = { metadata: { name: 'p', generation: 3 }, spec: { cluster: 'b' } };
const served: Claim = { name: 'kubeocean-claim.b', namespace: 'w', uid: 'c', createdAt: '', released: false };

function outcome(change: Partial<PolicyOutcome> = {}): PolicyOutcome {
  return {
    policy,
    spec: policy.spec,
    inside: true,
    claim: { served },
    nodes: ['n1'],
    account: new Map(),
    closing: new Map(),
    shrunk: new Map(),
    passedOver: new Map(),
    ...change,
  };
}

function withoutSpec(change: Partial<PolicyOutcome>): PolicyOutcome {
  const { spec: _, ...rest } = outcome(change);
  return rest;
}

function brief(given: PolicyOutcome) {
  const { phase, nodes, conditions } = policyStatus(given, now);
  const lines = (conditions ?? []).map(
    ({ type, status, reason, message }) => `${type}=${status} ${reason}: ${message}`,
  );
  return { phase, nodes, lines };
}

function account(
  ...[has, native, others, kept, lent, closed = '0']: [string, string, string, string, string, string?]
): Account {
  const of = (text: string) => parseQuantity(text);
  return { has: of(has), native: of(native), others: of(others), kept: of(kept), closed: of(closed), lent: of(lent) };
}

const windowClosed: LeasedNodeStatus = {
  phase: 'Closing',
  reason: 'WindowClosed',
  message: 'no time window of policy p is open',
};
const takenBack: LeasedNodeStatus = {
  phase: 'Closing',
  reason: 'ReclaimedByOwner',
  message: 'the owner takes it back',
  reclaimAt: '2026-11-20T12:00:00Z',
  reclaimDeadline: '2026-11-20T12:10:00Z',
  reclaimStage: 'Evicting',
};
const opensAt = new Date('2026-11-20T18:00:00Z');

const cases: [string, PolicyOutcome, object][] = [
  [
    'open at all times',
    outcome(),
    {
      phase: 'Active',
      nodes: 1,
      lines: [
        'Valid=True ValidationPassed: the spec is valid',
        'Active=True ActiveTimeWindow: open at all times',
        'Leased=True NodesLent: 1 node lent to b',
        'Fits=True PodsFit: lent pods hold no more than is lent',
      ],
    },
  ],
  [
    'sharing with others',
    outcome({
      account: new Map([
        ['pods', account('110', '10', '0', '0', '100')],
        ['cpu', account('8', '2', '1', '1', '4')],
        ['memory', account('32Gi', '0', '0', '0', '32Gi')],
      ]),
      shrunk: new Map([['n1', 'cpu 5 of 4']]),
    }),
    {
      lines: expect.arrayContaining([
        "Leased=True NodesLent: 1 node lent to b; lent pods hold more than that on 1 node; cpu 4 of 8: the nodes' own pods take 2, other bindings 1, resourceLimits keep 1; pods 100 of 110: the nodes' own pods take 10",
        'Fits=False Shrunk: lent pods hold more than is lent by now on n1 (cpu 5 of 4); they stay, and none fits there until some have gone',
      ]),
    },
  ],
  [
    'outside its windows',
    outcome({ inside: false, opensAt }),
    {
      phase: 'Inactive',
      lines: expect.arrayContaining([
        'Active=False InactiveTimeWindow: no time window is open; the next one opens at 2026-11-20T18:00:00Z',
      ]),
    },
  ],
  [
    'closed, pods may stay',
    outcome({
      inside: false,
      opensAt,
      nodes: ['n1', 'n2'],
      closing: new Map([
        ['n1', windowClosed],
        ['n2', windowClosed],
      ]),
      account: new Map([['cpu', account('8', '2', '0', '0', '0', '6')]]),
    }),
    {
      phase: 'Inactive',
      nodes: 0,
      lines: expect.arrayContaining([
        'Leased=False WindowClosed: 2 nodes closed to new pods: no time window of policy p is open; running pods may stay',
      ]),
    },
  ],
  [
    'taken back by its owner',
    outcome({ closing: new Map([['n1', takenBack]]) }),
    {
      phase: 'Active',
      nodes: 0,
      lines: expect.arrayContaining([
        'Leased=False ReclaimedByOwner: 1 node closed to new pods: the owner takes it back; running pods are evicted from 2026-11-20T12:00:00Z and deleted at 2026-11-20T12:10:00Z',
      ]),
    },
  ],
  [
    'taken back on one node, where nothing is left',
    outcome({
      nodes: ['n1', 'n2'],
      closing: new Map([['n1', { ...takenBack, reclaimStage: 'Done' }]]),
      account: new Map([['cpu', account('16', '0', '0', '0', '8', '8')]]),
    }),
    {
      nodes: 1,
      lines: expect.arrayContaining([
        'Leased=True NodesLent: 1 node lent to b; 1 node closed to new pods: the owner takes it back; nothing lent runs there any more; cpu 8 of 16: closed to new pods 8',
      ]),
    },
  ],
  [
    'not claimed',
    outcome({ nodes: [], claim: { remark: 'no computing cluster claims "b"' } }),
    {
      phase: 'Pending',
      lines: expect.arrayContaining(['Leased=False NotClaimed: no computing cluster claims "b"']),
    },
  ],
  [
    'without nodes',
    outcome({ nodes: [] }),
    {
      phase: 'Active',
      lines: expect.arrayContaining([
        'Leased=False NoNodeMatches: no node matches both its nodeSelector and that of the ClusterBinding b',
      ]),
    },
  ],
  [
    'behind an older one',
    outcome({
      nodes: [],
      passedOver: new Map([
        ['n1', 'old'],
        ['n2', 'old'],
      ]),
    }),
    {
      lines: expect.arrayContaining([
        'Leased=False EarlierPolicy: every node it selects is lent to b by the older policy old',
      ]),
    },
  ],
  [
    'partly behind an older one',
    outcome({ nodes: ['n1', 'n3'], passedOver: new Map([['n2', 'old']]) }),
    {
      lines: expect.arrayContaining(['Leased=True NodesLent: 2 nodes lent to b; 1 node lent by the older policy old']),
    },
  ],
  [
    'not valid, with a valid spec remembered',
    outcome({ problem: 'bad zone' }),
    {
      phase: 'Failed',
      lines: expect.arrayContaining([
        'Valid=False ValidationError: bad zone; until it is corrected the last valid spec applies',
        'Leased=True NodesLent: 1 node lent to b; the spec is not valid: bad zone',
      ]),
    },
  ],
  [
    'not valid, with something lent before',
    withoutSpec({ problem: 'bad zone', inside: false }),
    {
      phase: 'Failed',
      lines: expect.arrayContaining(['Valid=False ValidationError: bad zone; what was lent before stays lent']),
    },
  ],
];

describe('the status of a policy', () => {
  it.each(cases)('%s', (_, given, expected) => expect(brief(given)).toMatchObject(expected));

  it('is not written again while nothing changes, whatever the time', () => {
    const status = policyStatus(outcome(), now);
    expect(status.lastAppliedTime).toBe('2026-11-20T12:00:00Z');
    const written = { ...policy, status };
    expect(planPolicy(written, policyStatus(outcome({ policy: written }), later))).toBeUndefined();
  });

  it('keeps the last valid spec while the present one is not', () => {
    const invalid = outcome({ problem: 'bad zone', spec: { cluster: 'b', forceReclaim: true } });
    expect(policyStatus(invalid, now).lastValidSpec).toEqual({ cluster: 'b', forceReclaim: true });
    expect(policyStatus(withoutSpec({ problem: 'bad zone' }), now).lastValidSpec).toBeUndefined();
    expect(policyStatus(outcome(), now).lastValidSpec).toBeUndefined();
  });

  it.each<[string, Partial<PolicyOutcome>]>([
    [
      'taken back one by one',
      {
        nodes: Array.from({ length: 300 }, (_, at) => `n${at}`),
        closing: new Map(
          Array.from({ length: 300 }, (_, at) => [
            `n${at}`,
            { ...takenBack, reclaimAt: new Date(now.getTime() + at * 1000).toISOString() },
          ]),
        ),
      },
    ],
    [
      'lent by others',
      { nodes: [], passedOver: new Map(Array.from({ length: 300 }, (_, at) => [`n${at}`, `${'p'.repeat(200)}${at}`])) },
    ],
    ['with a claim that says much', { claim: { served, remark: `\u009b${'x'.repeat(40_000)}` } }],
  ])('has messages that the API server takes (nodes %s)', (_, change) => {
    const { conditions } = policyStatus(outcome(change), now);
    for (const { message } of conditions ?? []) expect(message).toMatch(/^[^\u009b]{1,4100}$/);
  });

  it('counts the nodes that it does not tell one by one', () => {
    const closing = new Map(
      Array.from({ length: 7 }, (_, at): [string, LeasedNodeStatus] => [`n${at}`, { ...takenBack, message: `m${at}` }]),
    );
    const { conditions } = policyStatus(outcome({ nodes: [...closing.keys()], closing }), now);
    const told = conditions?.find(({ type }) => type === 'Leased')?.message;
    expect(told).toMatch(/m4; .*; and 2 more nodes closed to new pods$/);
    expect(told).not.toMatch(/m5/);
  });

  it('keeps the numbers of a policy whose tenant may not be read, and says why nothing changes', () => {
    const status = policyStatus(outcome({ account: new Map([['cpu', account('8', '2', '0', '0', '6')]]) }), now);
    const was = { ...policy, status };
    const frozen = policyStatus(outcome({ policy: was, nodes: ['n1', 'n2'] }), later, { frozen: 'not readable' });
    expect([frozen.nodes, frozen.resources]).toEqual([status.nodes, status.resources]);
    expect(frozen.conditions?.find(({ type }) => type === 'Leased')).toMatchObject({
      status: 'Unknown',
      reason: 'TenantNotReadable',
      message: 'not readable',
    });
  });

  it('lends nothing while nobody is held to it and its nodes are closed to new pods', () => {
    const closing = new Map([['n1', windowClosed]]);
    const { nodes, conditions } = policyStatus(outcome({ closing }), now, { unguarded: 'a guard is missing' });
    const leased = conditions?.find(({ type }) => type === 'Leased');
    expect([nodes, leased?.status]).toEqual([0, 'False']);
    expect(leased?.message).toMatch(
      /^nothing more is lent: a guard is missing; 1 node closed to new pods: no time window/,
    );
  });

  it('says that networks overlap while they do, and no longer', () => {
    const status = policyStatus(outcome(), now, { overlap: 'pods of both have 10.1.0.0/16' });
    expect(status.conditions?.at(-1)).toMatchObject({ type: 'NetworkOverlap', status: 'True' });
    const after = policyStatus(outcome({ policy: { ...policy, status } }), later);
    expect(after.conditions?.map(({ type }) => type)).toEqual(['Valid', 'Active', 'Leased', 'Fits']);
  });

  it('moves lastAppliedTime when phase or activity changes, and takes away times that no longer hold', () => {
    const status = policyStatus(outcome({ inside: false, opensAt }), now);
    const written = { ...policy, status };
    const { patch } = planPolicy(written, policyStatus(outcome({ policy: written }), later)) ?? {};
    expect(patch).toMatchObject({
      phase: 'Active',
      activeTimeWindow: true,
      lastAppliedTime: '2026-11-20T13:00:00Z',
      opensAt: null,
    });
  });
});
