/** Whose word holds on a vnode: home's node controller, the worker, or a user. */
import type { Taint } from '@kubeocean/shared/api';
import type { Condition, Json, KubeObject } from '@kubeocean/shared/kube';
import { describe, expect, test } from 'vitest';
import { APPLIED } from './applied.ts';
import { vnodeWithoutRecord } from './from-record.ts';
import { applyPlan, created, desired, later, taintsOf } from './plan-fixtures.ts';
import { planVnode } from './plan.ts';
import { sampleFacts } from './samples.ts';

describe('Ready = Unknown that home said while no syncer ran', () => {
  /** As home's node controller leaves it: nobody had written for a minute. */
  function lapsed(ready: Partial<Condition>): KubeObject {
    const node = created();
    const status = node['status'] as { conditions: Condition[] };
    const times = { lastHeartbeatTime: '2026-11-21T06:00:00Z', lastTransitionTime: '2026-11-21T06:01:00Z' };
    status.conditions = [{ type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown', ...times, ...ready }];
    return node;
  }
  const unknown = () => vnodeWithoutRecord('node1', sampleFacts());

  test('is taken back without a record, until the worker says something', () => {
    const node = lapsed({});
    const plan = planVnode(node, unknown(), later, true);
    expect(plan.statusPatch).toMatchObject({
      status: { conditions: [{ type: 'Ready', status: 'True', reason: 'WorkerAwaited' }] },
    });
    const next = applyPlan(node, plan);
    expect(planVnode(next, unknown(), later, true)).toEqual({});
    expect(planVnode(next, desired(), later, true).statusPatch).toMatchObject({
      status: { conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady' }] },
    });
  });

  test('and with a record that says nothing of conditions', () => {
    const { statusPatch } = planVnode(lapsed({}), desired({ node: { conditions: [] } }), later, true);
    expect(statusPatch).toMatchObject({ status: { conditions: [{ type: 'Ready', status: 'True' }] } });
  });

  test('is left to home with the annotation kubeocean.io/unreachable: evict', () => {
    expect(planVnode(lapsed({}), unknown(), later, false)).toEqual({});
  });

  test('stays when the worker itself said so, or somebody else', () => {
    const ofWorker = { lastHeartbeatTime: '2026-11-21T06:01:00Z', lastTransitionTime: '2026-11-21T06:00:40Z' };
    expect(planVnode(lapsed(ofWorker), unknown(), later, true)).toEqual({});
    expect(planVnode(lapsed({ reason: 'Mine' }), unknown(), later, true)).toEqual({});
    expect(planVnode(lapsed({ status: 'False' }), unknown(), later, true)).toEqual({});
  });

  test('is told from the worker’s also when its clock is ahead', () => {
    const said: Condition = { type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown' };
    const ahead = { ...said, lastTransitionTime: '2026-11-21T09:00:00Z' };
    const node = created(desired({ node: { conditions: [ahead] } }));
    const without = vnodeWithoutRecord('node1', sampleFacts());
    expect(planVnode(node, without, later, true).statusPatch).toBeUndefined();
  });
});

describe('a taint of a user with key and effect of one of the worker node', () => {
  const blue: Taint = { key: 'team', value: 'blue', effect: 'NoSchedule' };
  const red: Taint = { ...blue, value: 'red' };

  test.each([
    ['another value', red],
    ['the same value', blue],
  ])('stays while the worker node has it and after, with %s', (_, ofWorker) => {
    let node = created();
    (node['spec'] as Json)['taints'] = [...taintsOf(node), blue];
    for (const taints of [[ofWorker], []]) {
      node = applyPlan(node, planVnode(node, desired({ taints }), later));
      expect(taintsOf(node)).toContainEqual(blue);
      expect(taintsOf(node).filter(({ key }) => key === 'team')).toHaveLength(1);
      expect(planVnode(node, desired({ taints }), later)).toEqual({});
    }
  });

  test('once the user takes it off, the worker node’s shows, and goes with it', () => {
    let node = created();
    (node['spec'] as Json)['taints'] = [...taintsOf(node), blue];
    node = applyPlan(node, planVnode(node, desired({ taints: [red] }), later));
    (node['spec'] as Json)['taints'] = taintsOf(node).filter(({ key }) => key !== 'team');
    node = applyPlan(node, planVnode(node, desired({ taints: [red] }), later));
    expect(taintsOf(node)).toContainEqual(red);
    node = applyPlan(node, planVnode(node, desired(), later));
    expect(taintsOf(node).map(({ key }) => key)).toEqual(['kubeocean.io/vnode']);
  });

  test.each([
    ['adopted from gocrane/kubeocean', '{"labels":{},"taints":["kubeocean.io/vnode:NoSchedule"]}'],
    ['on which our memory was edited', 'x'],
  ])('is the worker node’s on a vnode %s, which goes with it, also when a record comes late', (_, memory) => {
    let node = created(desired({ taints: [red] }));
    node.metadata.annotations = { ...node.metadata.annotations, [APPLIED]: memory };
    const unknown = vnodeWithoutRecord('node1', sampleFacts());
    for (const want of [unknown, unknown, desired({ taints: [blue] }), unknown, desired()]) {
      node = applyPlan(node, planVnode(node, want, later));
      expect(planVnode(node, want, later)).toEqual({});
    }
    expect(taintsOf(node).map(({ key }) => key)).toEqual(['kubeocean.io/vnode']);
  });

  test('taints of the lease are never a user’s', () => {
    const window: Taint = { key: 'kubeocean.io/out-of-time-windows', value: 'true', effect: 'NoSchedule' };
    let node = created();
    (node['spec'] as Json)['taints'] = [...taintsOf(node), window];
    node = applyPlan(node, planVnode(node, desired({ taints: [window] }), later));
    node = applyPlan(node, planVnode(node, desired(), later));
    expect(taintsOf(node).map(({ key }) => key)).toEqual(['kubeocean.io/vnode']);
  });
});
