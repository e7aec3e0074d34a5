import type { LeasedNode, LeasedNodeStatus } from '@kubeocean/shared/api';
import type { Allocation, DesiredRecord } from '@kubeocean/shared/lease';
import { describe, expect, it } from 'vitest';
import { planRecords } from './plan.ts';

const labels = { 'kubeocean.io/cluster-binding': 'b' };
const spec = { cluster: 'b', nodeName: 'n', nodeUID: 'u', policy: 'p' };
const active: LeasedNodeStatus = {
  phase: 'Active',
  policy: 'p',
  allocatable: { cpu: '4', memory: '1Gi' },
  taints: [],
  unschedulable: true,
  node: { labels: { a: '1', b: '2' } },
};

function record(status: LeasedNodeStatus | undefined = active): LeasedNode {
  return { metadata: { namespace: 'w', name: 'b.n', uid: 'r', labels }, spec, ...(status && { status }) };
}

function plan(existing: LeasedNode | undefined, change: Partial<Allocation>) {
  const allocation: Allocation = { open: [], closed: [], removable: [], policies: [], ...change };
  return planRecords(allocation, () => existing);
}

function wanted(status: LeasedNodeStatus): DesiredRecord {
  return { namespace: 'w', name: 'b.n', labels, spec, status };
}

describe('writes of records', () => {
  it('none for a record that is as wanted', () => {
    expect(plan(record(), { open: [wanted(structuredClone(active))] })).toEqual([]);
  });

  it('what differs of the node, however often it was found equal before', () => {
    const existing = record();
    const same = structuredClone(active);
    for (let look = 0; look < 2; look++) expect(plan(existing, { open: [wanted(same)] })).toEqual([]);
    const other = { ...active, node: { labels: { a: '1', b: '3' } } };
    const write = { kind: 'status', patch: { node: { labels: { b: '3' } } } };
    for (let look = 0; look < 2; look++) expect(plan(existing, { open: [wanted(other)] })).toMatchObject([write]);
    const { node: _, ...without } = active;
    expect(plan(existing, { open: [wanted(without)] })).toMatchObject([{ kind: 'status', patch: { node: null } }]);
    expect(plan(existing, { open: [wanted({ ...same, phase: 'Closing' })] })).toMatchObject([
      { kind: 'status', patch: { phase: 'Closing' } },
    ]);
  });

  it('a creation for a record that is missing', () => {
    expect(plan(undefined, { open: [wanted(active)] })).toEqual([{ kind: 'create', record: wanted(active) }]);
  });

  it('just what differs, and null for what must go', () => {
    const { unschedulable: _, ...open } = active;
    const status = { ...open, allocatable: { cpu: '3', memory: '1Gi' }, node: { labels: { a: '1' } } };
    expect(plan(record(), { open: [wanted(status)] })).toMatchObject([
      { kind: 'status', patch: { allocatable: { cpu: '3' }, unschedulable: null, node: { labels: { b: null } } } },
    ]);
  });

  it('the whole status for a record whose maker died before writing it', () => {
    const half: LeasedNode = { metadata: record().metadata, spec };
    expect(plan(half, { open: [wanted(active)] })).toMatchObject([{ kind: 'status', patch: active }]);
  });

  it('the label that somebody took away', () => {
    const bare = record();
    bare.metadata = { ...bare.metadata, labels: {} };
    expect(plan(bare, { open: [wanted(active)] })).toMatchObject([{ kind: 'labels', patch: { labels } }]);
  });

  it('what a closed record must say, and nothing when it says so', () => {
    const status: LeasedNodeStatus = { phase: 'Closed', reason: 'NodeGone', message: 'node n is gone' };
    const entry = { reason: 'NodeGone' as const, status };
    expect(plan(record(), { closed: [{ record: record(), ...entry }] })).toMatchObject([
      { kind: 'status', patch: { ...status, allocatable: null } },
    ]);
    const done = record(status);
    expect(plan(done, { closed: [{ record: done, ...entry }] })).toEqual([]);
  });

  it('only the removal of a record that is removable', () => {
    const done = record({ phase: 'Closed', reason: 'Released' });
    const closed = [{ record: done, reason: 'Released' as const, status: { phase: 'Closed' as const } }];
    expect(plan(done, { closed, removable: [done] })).toEqual([{ kind: 'remove', record: done, released: true }]);
    const gone = [{ ...closed[0]!, reason: 'NodeGone' as const }];
    expect(plan(done, { closed: gone, removable: [done] })).toMatchObject([{ kind: 'remove', released: false }]);
  });
});
