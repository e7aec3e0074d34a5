import type { LeasedNodeStatus } from '@kubeocean/shared/api';
import type { PolicyOutcome } from '@kubeocean/shared/lease';
import { describe, expect, it, test } from 'vitest';
import { type NodeWords, nodeWords } from './node-words.ts';
import { policyStatus } from './status.ts';

const reclaim = 'kubeocean.io/reclaim';

function node(name: string, change: { unschedulable?: boolean; reclaim?: string } = {}): NodeWords {
  return {
    metadata: { name, ...(change.reclaim !== undefined && { annotations: { [reclaim]: change.reclaim } }) },
    spec: { ...(change.unschedulable && { unschedulable: true }) },
  };
}

function words(nodes: NodeWords[], annotation?: string, closing = new Map<string, LeasedNodeStatus>()): string {
  const outcome = {
    policy: { metadata: { name: 'p', ...(annotation !== undefined && { annotations: { [reclaim]: annotation } }) } },
    nodes: nodes.map(({ metadata }) => metadata.name),
    closing,
  } as unknown as PolicyOutcome;
  return nodeWords(outcome, (name) => nodes.find(({ metadata }) => metadata.name === name));
}

describe('words on the nodes of a policy', () => {
  it('has none where there is nothing to say', () => {
    expect(words([node('n1'), node('n2', { reclaim: 'now' })], 'now')).toBe('');
  });

  it('names cordoned nodes that are lent, a few of them', () => {
    expect(words([node('n2', { unschedulable: true }), node('n1')])).toBe('; cordoned, so that no new pods come: n2');
    const many = Array.from({ length: 7 }, (_, at) => node(`n${7 - at}`, { unschedulable: true }));
    expect(words(many)).toBe('; cordoned, so that no new pods come: n1, n2, n3, n4, n5 and 2 more');
  });

  it('leaves out those that take no new pods anyway', () => {
    const closing = new Map<string, LeasedNodeStatus>([['n1', { phase: 'Closing' }]]);
    expect(words([node('n1', { unschedulable: true })], undefined, closing)).toBe('');
  });

  test.each(['true', '', 'Now', '2026-11-23T22:00:00Z'])('quotes %j, which takes nothing back', (value) => {
    const said = (what: string) =>
      `; the annotation ${reclaim} of ${what} says ${JSON.stringify(value)}, which does nothing: only "now" takes back`;
    expect(words([node('n1')], value)).toBe(said('this policy'));
    expect(words([node('n1', { reclaim: value }), node('n2', { reclaim: value })])).toBe(said('the node n1'));
  });

  it('says nothing of a node that is gone', () => {
    const outcome = {
      policy: { metadata: { name: 'p' } },
      nodes: ['gone'],
      closing: new Map(),
    } as unknown as PolicyOutcome;
    expect(nodeWords(outcome, () => undefined)).toBe('');
  });

  it('cuts what it quotes', () => {
    expect(words([], 'x'.repeat(10_000)).length).toBeLessThan(300);
  });
});

test('the condition Leased says them', () => {
  const policy = { metadata: { name: 'p' }, spec: { cluster: 'b' } };
  const served = { name: 'kubeocean-claim.b', namespace: 'w', uid: 'c', createdAt: '', released: false };
  const lists = { account: new Map(), closing: new Map(), shrunk: new Map(), passedOver: new Map() };
  const outcome: PolicyOutcome = {
    policy,
    spec: policy.spec,
    inside: true,
    claim: { served },
    nodes: ['n1'],
    ...lists,
  };
  const nodeOf = () => node('n1', { unschedulable: true });
  const { conditions } = policyStatus(outcome, new Date(0), { nodeOf });
  const leased = conditions?.find(({ type }) => type === 'Leased');
  expect(leased?.message).toBe('1 node lent to b; cordoned, so that no new pods come: n1');
});
