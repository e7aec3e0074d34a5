/** Home's network and the worker's each speak of a vnode: they must not take turns for ever. */
import type { Taint } from '@kubeocean/shared/api';
import type { Condition, KubeObject } from '@kubeocean/shared/kube';
import { expect, test } from 'vitest';
import { applyPlan, created, desired, later, taintsOf } from './plan-fixtures.ts';
import { planVnode } from './plan.ts';

const ready: Condition = { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'ready' };
const unschedulable = 'kubeocean.io/physical-node-unschedulable';

function network(status: Condition['status'], reason: string): Condition {
  return { type: 'NetworkUnavailable', status, reason, message: `${reason} on this node` };
}

function ofWorker(...conditions: Condition[]) {
  return desired({ node: { conditions: [ready, ...conditions] } });
}

/** As Cilium's operator does it to every Node of its cluster that does not say so. */
function ciliumIsUp(node: KubeObject): KubeObject {
  const plan = { statusPatch: { status: { conditions: [network('False', 'CiliumIsUp')] } } };
  return applyPlan(node, plan);
}

function shown(node: KubeObject): Condition | undefined {
  const { conditions = [] } = node['status'] as { conditions?: Condition[] };
  return conditions.find(({ type }) => type === 'NetworkUnavailable');
}

test("Cilium's operator at home and a vnode of a worker with another network do not write by turns", () => {
  const want = ofWorker(network('False', 'CalicoIsUp'));
  const node = created(want);
  expect(shown(node)).toMatchObject({ status: 'False', reason: 'CalicoIsUp' });
  expect(planVnode(ciliumIsUp(node), want, later)).toEqual({});
});

test('a worker node whose network is down takes no pods, whatever home says of its own', () => {
  const up = ofWorker(network('False', 'CalicoIsUp'));
  const down = ofWorker(network('True', 'CalicoIsDown'));
  let node = created(up);
  node = ciliumIsUp(applyPlan(node, planVnode(node, down, later)));
  expect(taintsOf(node).map(({ key }) => key)).toEqual(['kubeocean.io/vnode', unschedulable]);
  expect(planVnode(node, down, later)).toEqual({});
  node = applyPlan(node, planVnode(node, up, later));
  expect(taintsOf(node).map(({ key }) => key)).toEqual(['kubeocean.io/vnode']);
  expect(shown(node)).toMatchObject({ status: 'False', reason: 'CiliumIsUp' });
});

test('what home says of the network that is not so, is put right', () => {
  const want = ofWorker(network('False', 'CalicoIsUp'));
  const plan = { statusPatch: { status: { conditions: [network('True', 'NoRouteCreated')] } } };
  const node = applyPlan(created(want), plan);
  expect(shown(applyPlan(node, planVnode(node, want, later)))).toMatchObject({ status: 'False', reason: 'CalicoIsUp' });
});

test.each<[Taint['effect'], string[]]>([
  ['NoSchedule', [unschedulable]],
  ['NoExecute', [unschedulable]],
  ['PreferNoSchedule', []],
])("a taint of the worker's Cilium (%s) is not shown, as home's would take it off at once", (effect, expected) => {
  const node = created(desired({ taints: [{ key: 'node.cilium.io/agent-not-ready', effect }] }));
  expect(taintsOf(node).map(({ key, effect: shownEffect }) => `${key}:${shownEffect}`)).toEqual(
    ['kubeocean.io/vnode', ...expected].map((key) => `${key}:NoSchedule`),
  );
});
