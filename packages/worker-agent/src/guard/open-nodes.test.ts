import type { LeasedNodeStatus, LeaseGuard } from '@kubeocean/shared/api';
import type { DesiredRecord } from '@kubeocean/shared/lease';
import { describe, expect, it } from 'vitest';
import { openNodes, planGuards } from './open-nodes.ts';

function record(node: string, binding: string, phase: LeasedNodeStatus['phase'], namespace = 'w'): DesiredRecord {
  return {
    namespace,
    name: `${binding}.${node}`,
    labels: { 'kubeocean.io/cluster-binding': binding },
    spec: { cluster: binding, nodeName: node, nodeUID: 'u', policy: 'p' },
    status: { ...(phase && { phase }) },
  };
}

function guard(open: LeaseGuard['spec']['open']): LeaseGuard {
  return { metadata: { namespace: 'w', name: 'kubeocean-lease', uid: 'g' }, spec: { open } };
}

describe('nodes that are open for new pods', () => {
  it('are those of Active records of that namespace, with all their bindings', () => {
    const records = [
      record('n1', 'b', 'Active'),
      record('n1', 'a', 'Active'),
      record('n2', 'a', 'Closing'),
      record('n3', 'a', 'Closed'),
      record('n4', 'a', undefined),
      record('n5', 'a', 'Active', 'other'),
    ];
    expect(openNodes(records, 'w')).toEqual({ n1: ['a', 'b'] });
  });
});

describe('writes of guards', () => {
  it('none when it says so already', () => {
    expect(planGuards(['w'], [record('n1', 'a', 'Active')], () => guard({ n1: ['a'] }))).toEqual([]);
    expect(planGuards(['w'], [], () => guard({}))).toEqual([]);
  });

  it('one where it is missing, also when nothing is lent', () => {
    expect(planGuards(['w'], [], () => undefined)).toMatchObject([
      { kind: 'create', guard: { metadata: { namespace: 'w', name: 'kubeocean-lease' }, spec: { open: {} } } },
    ]);
  });

  it('of many tenants go over what is lent once, not for each', () => {
    let looks = 0;
    const tenants = Array.from({ length: 50 }, (_, at) => `t${at}`);
    const open = tenants.map((namespace) =>
      Object.defineProperty(record('n1', 'a', 'Active'), 'namespace', {
        get() {
          looks++;
          return namespace;
        },
      }),
    );
    expect(planGuards(tenants, open, () => undefined)).toHaveLength(tenants.length);
    expect(looks).toBeLessThan(5 * tenants.length);
  });

  it('just the nodes that changed', () => {
    const now = [record('n1', 'a', 'Active'), record('n2', 'a', 'Closing'), record('n3', 'a', 'Active')];
    expect(planGuards(['w'], now, () => guard({ n1: ['a'], n2: ['a'] }))).toMatchObject([
      { kind: 'patch', patch: { spec: { open: { n2: null, n3: ['a'] } } } },
    ]);
  });
});
