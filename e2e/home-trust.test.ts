/**
 * One binding's credential in the computing cluster reaches no other binding, and the manager's gives nobody rights but
 * syncers and proxiers: what they could be misused for is tried with real tokens on a real API server that has the
 * chart's roles and policies. docs/security.md has the table of it.
 */
import { ClusterBindings, Label, proxierName, syncerName } from '@kubeocean/shared/api';
import { ClusterRoleBindings, CSINodes, Leases, Nodes, Pods, Secrets, ServiceAccounts } from '@kubeocean/shared/kube';
import { beforeAll, describe, expect, test } from 'vitest';
import { ClusterRoles } from './harness/index.ts';
import {
  admin,
  answer,
  give,
  LABEL,
  manager,
  pod,
  renew,
  roleBinding,
  setUp,
  status,
  syncer,
  SYSTEM,
  tokenFor,
  vnode,
} from './home-trust/rig.ts';

beforeAll(setUp);

describe('the syncer of one binding', () => {
  const may: Record<string, () => Promise<unknown>> = {
    'makes a vnode of its own': () => syncer.create(Nodes, vnode('a', 'node2')),
    'labels it': () => syncer.patch(Nodes, '', 'vnode-a-node1', LABEL),
    'writes its status': () =>
      syncer.patch(Nodes, '', 'vnode-a-node1', {}, { type: 'strategic', subresource: 'status' }),
    'puts back its label when somebody took it off': async () => {
      await admin.patch(Nodes, '', 'vnode-a-node1', { metadata: { labels: { [Label.physicalClusterID]: null } } });
      return syncer.patch(Nodes, '', 'vnode-a-node1', { metadata: { labels: { [Label.physicalClusterID]: 'a' } } });
    },
    'writes to one whose label somebody took off or changed': async () => {
      for (const label of [null, 'x']) {
        await admin.patch(Nodes, '', 'vnode-a-node4', { metadata: { labels: { [Label.physicalClusterID]: label } } });
        const status = { capacity: { cpu: label === null ? '1' : '2' } };
        await syncer.patch(Nodes, '', 'vnode-a-node4', { status }, { type: 'strategic', subresource: 'status' });
        await syncer.patch(Nodes, '', 'vnode-a-node4', LABEL);
        await syncer.patch(Nodes, '', 'vnode-a-node4', { metadata: { labels: { [Label.physicalClusterID]: 'a' } } });
      }
    },
    'renews its Lease': renew('vnode-a-node1'),
    leads: () => syncer.create(Leases, { metadata: { name: 'kubeocean-syncer-a', namespace: SYSTEM } }),
    'writes the status of a pod on it': status('vnode-a-node1'),
    'asks for a token bound to that pod': () => tokenFor('default', 'user', {}),
    'puts its finalizer on its binding': () =>
      syncer.patch(ClusterBindings, '', 'binding-a', { metadata: { finalizers: ['kubeocean.io/syncer'] } }),
    'writes the status of its binding': () =>
      syncer.patch(ClusterBindings, '', 'binding-a', { status: { phase: 'Ready' } }, { subresource: 'status' }),
    'takes away a pod on it': () => syncer.delete(Pods, 'default', 'on-vnode-a-node1', { gracePeriodSeconds: 0 }),
    'takes away its vnode': () => syncer.delete(Nodes, '', 'vnode-a-node2'),
  };
  // One after the other, in this order.
  const allowed = Object.entries(may);
  const tries: [string, 'policy' | 'rights', () => Promise<unknown>][] = [
    ['makes a Node that is no vnode', 'policy', () => syncer.create(Nodes, { metadata: { name: 'mine' } })],
    ['makes a vnode without its label', 'policy', () => syncer.create(Nodes, { metadata: { name: 'vnode-a-node3' } })],
    ["makes a vnode with another binding's label", 'policy', () => syncer.create(Nodes, vnode('a', 'node3', 'b'))],
    ['makes a vnode of another binding', 'policy', () => syncer.create(Nodes, vnode('b', 'node3'))],
    ['makes one under its own label', 'policy', () => syncer.create(Nodes, vnode('b', 'node3', 'a'))],
    ['labels a real Node', 'policy', () => syncer.patch(Nodes, '', 'real', LABEL)],
    [
      'labels a real Node as its own',
      'policy',
      () => syncer.patch(Nodes, '', 'real', { metadata: { labels: { [Label.physicalClusterID]: 'a' } } }),
    ],
    [
      'writes the status of a real Node',
      'policy',
      () =>
        syncer.patch(
          Nodes,
          '',
          'real',
          { status: { phase: 'Terminated' } },
          { type: 'strategic', subresource: 'status' },
        ),
    ],
    ['deletes a real Node', 'policy', () => syncer.delete(Nodes, '', 'real')],
    ["deletes another binding's vnode", 'policy', () => syncer.delete(Nodes, '', 'vnode-b-node1')],
    [
      "takes another binding's vnode by its label",
      'policy',
      () => syncer.patch(Nodes, '', 'vnode-b-node1', { metadata: { labels: { [Label.physicalClusterID]: 'a' } } }),
    ],
    [
      'takes the vnode of a cluster whose ID begins like its own',
      'policy',
      () => syncer.patch(Nodes, '', 'vnode-a-b-node1', { metadata: { labels: { [Label.physicalClusterID]: 'a' } } }),
    ],
    [
      'makes a vnode for the node of another cluster',
      'policy',
      () => syncer.create(Nodes, { ...vnode('a', 'node3'), spec: { providerID: 'kubeocean://b/node3' } }),
    ],
    [
      'takes the label off a vnode of its own',
      'policy',
      () => syncer.patch(Nodes, '', 'vnode-a-node4', { metadata: { labels: { [Label.physicalClusterID]: null } } }),
    ],
    ["renews another vnode's Lease", 'policy', renew('vnode-b-node1')],
    [
      "takes another syncer's leadership",
      'policy',
      () => syncer.create(Leases, { metadata: { name: 'kubeocean-syncer-b', namespace: SYSTEM } }),
    ],
    [
      "takes the manager's leadership",
      'policy',
      () => syncer.create(Leases, { metadata: { name: 'kubeocean-manager', namespace: SYSTEM } }),
    ],
    [
      'makes a CSINode',
      'rights',
      () => syncer.create(CSINodes, { metadata: { name: 'vnode-a-node1' }, spec: { drivers: [] } }),
    ],
    ['fails a pod on another vnode', 'policy', status('vnode-b-node1')],
    ['fails a pod on a real Node', 'policy', status('real')],
    [
      'deletes a pod on a real Node',
      'policy',
      () => syncer.delete(Pods, 'default', 'on-real', { gracePeriodSeconds: 0 }),
    ],
    ['labels a pod of its own', 'policy', () => syncer.patch(Pods, 'kube-system', 'on-vnode-a-node1', LABEL)],
    [
      'labels it with its status',
      'policy',
      () => syncer.patch(Pods, 'default', 'on-vnode-a-node1', LABEL, { type: 'strategic', subresource: 'status' }),
    ],
    [
      'changes the image of a pod of its own',
      'policy',
      () =>
        syncer.patch(
          Pods,
          'kube-system',
          'on-vnode-a-node1',
          { spec: { containers: [{ name: 'main', image: 'x:2' }] } },
          { type: 'strategic' },
        ),
    ],
    ['makes a pod', 'rights', () => syncer.create(Pods, pod('default', 'vnode-a-node9', 'user'))],
    ["asks for the manager's token", 'policy', () => tokenFor(SYSTEM, 'kubeocean-manager', {})],
    ['asks for a token of kube-system', 'policy', () => tokenFor('kube-system', 'user', {})],
    [
      'asks for a token bound to nothing',
      'policy',
      () =>
        syncer.create(
          ServiceAccounts,
          { metadata: { name: 'user', namespace: 'default' }, spec: {} },
          { subresource: 'token' },
        ),
    ],
    [
      'asks for a token bound to a Secret',
      'policy',
      () =>
        syncer.create(
          ServiceAccounts,
          {
            metadata: { name: 'user', namespace: 'default' },
            spec: { boundObjectRef: { apiVersion: 'v1', kind: 'Secret', name: 's' } },
          },
          { subresource: 'token' },
        ),
    ],
    // Where one of an hour is given, as below.
    ['asks for a token of two hours', 'policy', () => tokenFor('default', 'user', { expirationSeconds: 7200 })],
    [
      'changes the spec of its binding',
      'policy',
      () => syncer.patch(ClusterBindings, '', 'binding-a', { spec: { serviceNamespaces: ['all'] } }),
    ],
    [
      "writes another binding's status",
      'policy',
      () => syncer.patch(ClusterBindings, '', 'binding-b', { status: { phase: 'Failed' } }, { subresource: 'status' }),
    ],
    ['writes a Secret', 'rights', () => syncer.create(Secrets, { metadata: { name: 'x', namespace: 'default' } })],
    ['gives itself a role', 'rights', () => syncer.create(ClusterRoleBindings, roleBinding('more', 'cluster-admin'))],
  ];

  test.each(tries)('%s: refused by %s', async (_, by, call) => {
    expect(await answer(call)).toBe(by);
  });

  test.each(allowed)('%s', async (_, call) => {
    expect(await answer(call)).toBe('done');
  });
});

describe('the manager', () => {
  const tries: [string, 'policy' | 'rights', () => Promise<unknown>][] = [
    ["binds a syncer's role to itself", 'policy', () => give('kubeocean-manager', 'kubeocean-syncer')],
    ["binds a syncer's role to a proxier", 'policy', () => give(proxierName('b'), 'kubeocean-syncer')],
    [
      'binds it to an account elsewhere',
      'policy',
      () => give(syncerName('b'), 'kubeocean-syncer', { namespace: 'default' }),
    ],
    [
      'binds it to a user',
      'policy',
      () =>
        give(syncerName('b'), 'kubeocean-syncer', {
          kind: 'User',
          apiGroup: 'rbac.authorization.k8s.io',
          namespace: undefined as never,
        }),
    ],
    [
      'binds it under another name',
      'policy',
      () =>
        manager.create(ClusterRoleBindings, {
          ...roleBinding(syncerName('b'), 'kubeocean-syncer'),
          metadata: { name: 'kubeocean-other' },
        }),
    ],
    ['binds cluster-admin', 'rights', () => give(syncerName('b'), 'cluster-admin')],
    ['deletes a binding of somebody else', 'policy', () => manager.delete(ClusterRoleBindings, '', 'cluster-admin')],
    ['makes a role', 'rights', () => manager.create(ClusterRoles, { metadata: { name: 'x' }, rules: [] })],
  ];

  test.each(tries)('%s: refused by %s', async (_, by, call) => {
    expect(await answer(call)).toBe(by);
  });

  test('binds the roles of syncers and proxiers to those of a binding, and takes them back', async () => {
    expect(await answer(() => give(syncerName('b'), 'kubeocean-syncer'))).toBe('done');
    expect(await answer(() => give(proxierName('b'), 'kubeocean-proxier'))).toBe('done');
    expect(await answer(() => manager.delete(ClusterRoleBindings, '', syncerName('b')))).toBe('done');
    expect(await answer(() => manager.delete(ClusterRoleBindings, '', proxierName('b')))).toBe('done');
  });
});
