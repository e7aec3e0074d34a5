import type { LeasedNode, LeasedNodeStatus } from '@kubeocean/shared/api';
import type { Allocation, PodForRequests } from '@kubeocean/shared/lease';
import { describe, expect, it } from 'vitest';
import { tellPods, tellShrunk, tellStages, type Written } from './tell.ts';

const reclaimAt = '2026-11-20T12:00:00Z';
const closing: LeasedNodeStatus = {
  phase: 'Closing',
  policy: 'p',
  message: 'no window is open',
  reclaimAt,
  reclaimDeadline: '2026-11-20T12:10:00Z',
  reclaimStage: 'Evicting',
};

function written(node: string, status = closing, before: LeasedNodeStatus = { phase: 'Active' }): Written {
  const spec = { cluster: 'b', nodeName: node, nodeUID: 'u', policy: 'p' };
  const record: LeasedNode = { metadata: { namespace: 'w', name: `b.${node}`, uid: node }, spec, status: before };
  return { record, status };
}

function accounts() {
  return {
    account: new Map(),
    closing: new Map(),
    shrunk: new Map<string, string>(),
    passedOver: new Map<string, string>(),
  };
}

/** Of the policies p and q. */
function allocation(...statuses: LeasedNodeStatus[]): Allocation {
  const open = statuses.map((status, index) => ({
    ...written(`n${index}`).record.metadata,
    labels: {},
    spec: written('n').record.spec,
    status,
  }));
  const policies = ['p', 'q'].map((name) => {
    const policy = { metadata: { name, uid: name }, spec: { cluster: 'b' } };
    return { policy, inside: false, claim: {}, nodes: [], ...accounts() };
  });
  return { open, closed: [], removable: [], policies };
}

describe('events on the policy', () => {
  it('are one per stage, whatever the number of nodes', () => {
    const told = tellStages([written('n2'), written('n1')], allocation(closing, closing));
    expect(told.map(({ reason, message }) => `${reason}: ${message}`)).toEqual([
      'ReclaimEvicting: evicting the lent pods on n1, n2; those left by 2026-11-20T12:10:00Z are deleted: no window is open',
    ]);
  });

  it('name five nodes and count the rest', () => {
    const [told] = tellStages(
      Array.from({ length: 7 }, (_, i) => written(`n${i}`)),
      allocation(closing),
    );
    expect(told?.message).toContain('n0, n1, n2, n3, n4 and 2 more;');
  });

  it('are none when the stage is the one before', () => {
    expect(tellStages([written('n', closing, closing)], allocation(closing))).toEqual([]);
  });

  it.each<[string, LeasedNodeStatus, LeasedNodeStatus, string[]]>([
    ['a lease that runs', { phase: 'Active', policy: 'p' }, { phase: 'Active' }, []],
    ['a policy that is gone', { ...closing, policy: 'gone' }, { phase: 'Active' }, []],
    [
      'notice',
      { ...closing, reclaimStage: 'Notice' },
      { phase: 'Active' },
      ['Normal ReclaimNotice: lent pods on n have n'],
    ],
    [
      'notice that is given anew',
      { ...closing, reclaimStage: 'Notice' },
      { ...closing, reclaimStage: 'Notice', reclaimAt: '2026-11-19T12:00:00Z' },
      ['Normal ReclaimNotice: lent pods on n have n'],
    ],
    [
      'the head start of the computing cluster',
      { ...closing, reclaimStage: 'Syncer' },
      { ...closing, reclaimStage: 'Notice' },
      ['Normal ReclaimBegun: the computing cluster'],
    ],
    [
      'the deadline',
      { ...closing, reclaimStage: 'Deleting' },
      closing,
      ['Warning ReclaimDeadline: deadline: deleting th'],
    ],
  ])('tell of %s', (_, status, before, expected) => {
    const told = tellStages([written('n', status, before)], allocation(status));
    expect(told.map(({ type, reason, message }) => `${type} ${reason}: ${message.slice(0, 21)}`)).toEqual(expected);
  });

  it('are one for each policy', () => {
    const of = (policy: string): LeasedNodeStatus => ({ ...closing, policy });
    const told = tellStages([written('n', of('p')), written('m', of('q'))], allocation(of('p'), of('q')));
    expect(told.map(({ subject, message }) => `${subject.metadata.name} ${message.slice(0, 27)}`)).toEqual([
      'p evicting the lent pods on n',
      'q evicting the lent pods on m',
    ]);
  });

  it('tell the end though nodes of another policy are not empty yet', () => {
    const done: LeasedNodeStatus = { ...closing, reclaimStage: 'Done' };
    const told = tellStages([written('n', done)], allocation(done, { ...closing, policy: 'q' }));
    expect(told).toMatchObject([{ reason: 'ReclaimDone' }]);
  });

  it('tell the end when the last node is empty', () => {
    const done: LeasedNodeStatus = { ...closing, reclaimStage: 'Done' };
    expect(tellStages([written('n', done)], allocation(done, closing))).toEqual([]);
    expect(tellStages([written('n', done)], allocation(done, done))).toMatchObject([{ reason: 'ReclaimDone' }]);
  });
});

describe('events on pods', () => {
  const soon: LeasedNodeStatus = {
    phase: 'Active',
    policy: 'p',
    noticedAt: reclaimAt,
    window: { closesAt: '2026-11-20T12:05:00Z' },
  };
  const pod: PodForRequests = {
    metadata: { namespace: 'w', name: 'a', uid: 'a', labels: { 'kubeocean.io/cluster-binding': 'b' } },
    spec: { nodeName: 'n' },
  };

  it('name the time, once', () => {
    expect(tellPods([written('n', soon)], [pod])).toMatchObject([
      {
        reason: 'LeaseClosesSoon',
        message: expect.stringContaining('until 2026-11-20T12:05:00Z (policy p)') as string,
      },
    ]);
    const [told] = tellPods([written('n', soon)], [pod]);
    expect(told?.subject).toEqual({ apiVersion: 'v1', kind: 'Pod', metadata: { namespace: 'w', name: 'a', uid: 'a' } });
    expect(tellPods([written('n', { ...soon, noticedAt: '2026-11-20T12:00:01Z' }, soon)], [pod])).toHaveLength(1);
    expect(tellPods([written('n', soon, soon)], [pod])).toEqual([]);
    expect(tellPods([written('m', soon)], [pod])).toEqual([]);
  });
});

it('pods that have ended or end already are not told that their window closes', () => {
  const soon: LeasedNodeStatus = {
    phase: 'Active',
    policy: 'p',
    noticedAt: reclaimAt,
    window: { closesAt: reclaimAt },
  };
  const metadata = { namespace: 'w', name: 'a', uid: 'a', labels: { 'kubeocean.io/cluster-binding': 'b' } };
  const pods: PodForRequests[] = [
    { metadata: { ...metadata, deletionTimestamp: reclaimAt }, spec: { nodeName: 'n' } },
    { metadata, spec: { nodeName: 'n' }, status: { phase: 'Succeeded' } },
  ];
  expect(tellPods([written('n', soon)], pods)).toEqual([]);
});

describe('events on a record whose pods hold more than is lent by now', () => {
  const shrunk: LeasedNodeStatus = { phase: 'Active', reason: 'Shrunk', message: 'cpu 4 of 2' };
  it('are one when it begins', () => {
    expect(tellShrunk([written('n', shrunk)])).toMatchObject([
      {
        subject: { kind: 'LeasedNode', metadata: { namespace: 'w', name: 'b.n' } },
        type: 'Warning',
        reason: 'Shrunk',
        message: 'cpu 4 of 2',
      },
    ]);
  });
  it('are none while it goes on, nor for other reasons', () => {
    expect(tellShrunk([written('n', shrunk, { ...shrunk, message: 'cpu 5 of 2' })])).toEqual([]);
    expect(tellShrunk([written('n')])).toEqual([]);
  });
});
