/**
 * One binding's credential in the computing cluster reaches no other binding, and the manager's gives nobody rights but
 * syncers and proxiers: what they could be misused for is tried with real tokens on a real API server that has the
 * chart's roles and policies. docs/security.md has the table of it.
 */
import { join } from 'node:path';
import { ClusterBindings, Label, proxierName, syncerName } from '@kubeocean/shared/api';
import {
  ApiError,
  ClusterRoleBindings,
  fixedCredentials,
  type Json,
  KubeClient,
  type KubeObject,
  Leases,
  Namespaces,
  Nodes,
  parseKubeconfig,
  Pods,
  type Resource,
  RoleBindings,
  Secrets,
  ServiceAccounts,
  Transport,
} from '@kubeocean/shared/kube';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from './clusters/local/run.ts';
import { checkout } from './clusters/paths.ts';
import { type ApiServer, kubectl, programPath, startApiServer, waitFor } from './harness/index.ts';

const SYSTEM = 'kubeocean-system';
const CSINodes: Resource = {
  group: 'storage.k8s.io',
  version: 'v1',
  plural: 'csinodes',
  kind: 'CSINode',
  namespaced: false,
};
const ClusterRoles: Resource = {
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  plural: 'clusterroles',
  kind: 'ClusterRole',
  namespaced: false,
};

let server: ApiServer;
let admin: KubeClient;
/** The syncer of the clusterID `a`; there is a binding `b` too. */
let syncer: KubeClient;
let manager: KubeClient;
const transports: Transport[] = [];

beforeAll(async () => {
  server = await startApiServer();
  admin = server.client();
  const { stdout } = await run([
    programPath('helm'),
    'template',
    '--kube-version=1.34.4',
    'kubeocean',
    join(checkout, 'charts/kubeocean'),
  ]);
  await waitFor('the chart applied', () =>
    kubectl(server.kubeconfig as `/${string}`, ['apply', '--server-side', '-f', '-'], { input: stdout }),
  );
  manager = await clientOf('kubeocean-manager');
  for (const clusterID of ['a', 'b']) {
    for (const name of [syncerName(clusterID), proxierName(clusterID)]) {
      await admin.create(ServiceAccounts, { metadata: { name, namespace: SYSTEM } });
    }
    await admin.create(ClusterBindings, {
      metadata: { name: `binding-${clusterID}` },
      spec: { clusterID, mountNamespace: 'kubeocean-worker', secretRef: { name: 'none', namespace: SYSTEM } },
    });
    await admin.create(Nodes, vnode(clusterID, 'node1'));
    await admin.create(Leases, { metadata: { name: `vnode-${clusterID}-node1`, namespace: 'kube-node-lease' } });
  }
  await admin.create(Nodes, { metadata: { name: 'real' } });
  // The manager gives the rights, as it does; that it may is part of what is shown.
  await give(syncerName('a'), 'kubeocean-syncer');
  for (const namespace of [SYSTEM, 'kube-node-lease']) {
    await manager.create(RoleBindings, roleBinding(syncerName('a'), 'kubeocean-syncer-leases', { namespace }));
  }
  syncer = await clientOf(syncerName('a'));
  for (const namespace of ['default', 'kube-system', SYSTEM]) {
    await waitFor('namespace', () => admin.get(Namespaces, '', namespace));
    if (namespace !== SYSTEM) {
      await admin.create(ServiceAccounts, { metadata: { name: 'user', namespace } });
    }
    const account = namespace === SYSTEM ? 'kubeocean-manager' : 'user';
    for (const node of ['vnode-a-node1', 'vnode-b-node1', 'real']) {
      await admin.create(Pods, pod(namespace, node, account));
    }
  }
  // Rights and policies take a moment to be in force; until then everything, or nothing, is refused.
  await waitFor(
    'the policies in force',
    async () => (await answer(() => syncer.patch(Nodes, '', 'real', LABEL))) === 'policy',
  );
  await waitFor(
    'the manager held',
    async () => (await answer(() => give('kubeocean-manager', 'kubeocean-syncer'))) === 'policy',
  );
}, 120_000);

afterAll(() => {
  for (const transport of transports) transport.close();
});

const LABEL = { metadata: { labels: { changed: 'yes' } } };
const STATUS = { status: { phase: 'Failed' } };

function vnode(clusterID: string, node: string, labelled = clusterID): KubeObject {
  return { metadata: { name: `vnode-${clusterID}-${node}`, labels: { [Label.physicalClusterID]: labelled } } };
}

function pod(namespace: string, nodeName: string, serviceAccountName: string): KubeObject {
  return {
    metadata: { name: `on-${nodeName}`, namespace },
    spec: {
      nodeName,
      serviceAccountName,
      automountServiceAccountToken: false,
      tolerations: [{ operator: 'Exists' }],
      containers: [{ name: 'main', image: 'registry.example/none:1' }],
    },
  };
}

function roleBinding(account: string, role: string, place: Json = {}, subject: Json = {}): KubeObject {
  return {
    metadata: { name: account, ...place },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [{ kind: 'ServiceAccount', name: account, namespace: SYSTEM, ...subject }],
  };
}

const give = (account: string, role: string, subject: Json = {}) =>
  manager.create(ClusterRoleBindings, roleBinding(account, role, {}, subject));

async function clientOf(account: string): Promise<KubeClient> {
  const token = await admin.create<KubeObject & { status: { token: string } }>(
    ServiceAccounts,
    { metadata: { name: account, namespace: SYSTEM }, spec: { expirationSeconds: 3600 } },
    { subresource: 'token' },
  );
  const access = parseKubeconfig(server.kubeconfigFor({ token: token.status.token }), { trust: 'trusted' });
  const transport = new Transport(fixedCredentials(access), { userAgent: 'kubeocean-e2e' });
  transports.push(transport);
  return new KubeClient(transport);
}

/** How the API server takes a call: `done`, refused by `policy` or by `rights`, or the error's text. */
async function answer(call: () => Promise<unknown>): Promise<string> {
  try {
    await call();
    return 'done';
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (/ValidatingAdmissionPolicy 'kubeocean-(syncers|manager)'/.test(error.message)) return 'policy';
    return error.code === 403 ? 'rights' : error.message;
  }
}

async function tokenFor(namespace: string, account: string, more: Json): Promise<unknown> {
  const { metadata } = await admin.get(Pods, namespace, 'on-vnode-a-node1');
  const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name: metadata.name, uid: metadata.uid ?? '' };
  const spec = { expirationSeconds: 3600, boundObjectRef, ...more };
  const request = { metadata: { name: account, namespace }, spec } as KubeObject;
  return syncer.create(ServiceAccounts, request, { subresource: 'token' });
}

const status = (node: string) => () =>
  syncer.patch(Pods, 'default', `on-${node}`, STATUS, { type: 'strategic', subresource: 'status' });
const renew = (name: string) => () => syncer.patch(Leases, 'kube-node-lease', name, { spec: { holderIdentity: 'a' } });

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
    'renews its Lease': renew('vnode-a-node1'),
    leads: () => syncer.create(Leases, { metadata: { name: 'kubeocean-syncer-a', namespace: SYSTEM } }),
    'makes its CSINode': () => syncer.create(CSINodes, { metadata: { name: 'vnode-a-node1' }, spec: { drivers: [] } }),
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
    ['makes a vnode without its label', 'policy', () => syncer.create(Nodes, vnode('a', 'node3', 'b'))],
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
      "makes another vnode's CSINode",
      'policy',
      () => syncer.create(CSINodes, { metadata: { name: 'vnode-b-node1' }, spec: { drivers: [] } }),
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
    ['asks for a token of two hours', 'policy', () => tokenFor('kube-system', 'user', { expirationSeconds: 7200 })],
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
