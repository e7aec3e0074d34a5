/**
 * The computing cluster as its chart leaves it, on an API server of its own, with the credentials that may fall into wrong
 * hands: a syncer's and the manager's.
 */
import { ClusterBindings, Label, providerID, proxierName, syncerName } from '@kubeocean/shared/api';
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
  RoleBindings,
  ServiceAccounts,
  Transport,
} from '@kubeocean/shared/kube';
import { type ApiServer, applyChart, cleanup, startApiServer, waitFor } from '../harness/index.ts';

export const SYSTEM = 'kubeocean-system';

let server: ApiServer;
export let admin: KubeClient;
/** The syncer of the clusterID `a`; there is a binding `b` too. */
export let syncer: KubeClient;
export let manager: KubeClient;

/** The chart on an API server of its own, bindings `a` and `b`, and pods on their vnodes and on a real Node. */
export async function setUp(): Promise<void> {
  server = await startApiServer();
  admin = server.client();
  await applyChart(server, 'kubeocean');
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
  await admin.create(Nodes, standingFor('a', 'node4'));
  await admin.create(Nodes, { ...standingFor('a-b', 'node1'), metadata: { name: 'vnode-a-b-node1' } });
  // The manager gives the rights, as it does; that it may is part of what is shown.
  await inForce(() => give(syncerName('a'), 'kubeocean-syncer'));
  for (const namespace of [SYSTEM, 'kube-node-lease']) {
    const leases = roleBinding(syncerName('a'), 'kubeocean-syncer-leases', { namespace });
    await inForce(() => manager.create(RoleBindings, leases));
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
}

/** Makes the call once the manager's own rights, which have just been made, count. */
async function inForce(call: () => Promise<unknown>): Promise<void> {
  await waitFor("the manager's rights", async () => {
    const said = await answer(call);
    if (said !== 'done') throw new Error(said);
    return true;
  });
}

export const LABEL = { metadata: { labels: { changed: 'yes' } } };
export const STATUS = { status: { phase: 'Failed' } };

export function vnode(clusterID: string, node: string, labelled = clusterID): KubeObject {
  return { metadata: { name: `vnode-${clusterID}-${node}`, labels: { [Label.physicalClusterID]: labelled } } };
}

/** A vnode as syncers make it: it says, and nobody can change, which worker node it stands for. */
export function standingFor(clusterID: string, node: string): KubeObject {
  return { ...vnode(clusterID, node), spec: { providerID: providerID(clusterID, node) } };
}

export function pod(namespace: string, nodeName: string, serviceAccountName: string): KubeObject {
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

export function roleBinding(account: string, role: string, place: Json = {}, subject: Json = {}): KubeObject {
  return {
    metadata: { name: account, ...place },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [{ kind: 'ServiceAccount', name: account, namespace: SYSTEM, ...subject }],
  };
}

export const give = (account: string, role: string, subject: Json = {}) =>
  manager.create(ClusterRoleBindings, roleBinding(account, role, {}, subject));

async function clientOf(account: string): Promise<KubeClient> {
  const token = await admin.create<KubeObject & { status: { token: string } }>(
    ServiceAccounts,
    { metadata: { name: account, namespace: SYSTEM }, spec: { expirationSeconds: 3600 } },
    { subresource: 'token' },
  );
  const access = parseKubeconfig(server.kubeconfigFor({ token: token.status.token }), { trust: 'trusted' });
  const transport = new Transport(fixedCredentials(access), { userAgent: 'kubeocean-e2e' });
  cleanup(() => transport.close());
  return new KubeClient(transport);
}

/** How the API server takes a call: `done`, refused by `policy` or by `rights`, or the error's text. */
export async function answer(call: () => Promise<unknown>): Promise<string> {
  try {
    await call();
    return 'done';
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (/ValidatingAdmissionPolicy 'kubeocean-(syncers|manager)'/.test(error.message)) return 'policy';
    return error.code === 403 ? 'rights' : error.message;
  }
}

export async function tokenFor(namespace: string, account: string, more: Json): Promise<unknown> {
  const { metadata } = await admin.get(Pods, namespace, 'on-vnode-a-node1');
  const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name: metadata.name, uid: metadata.uid ?? '' };
  const spec = { expirationSeconds: 3600, boundObjectRef, ...more };
  const request = { metadata: { name: account, namespace }, spec } as KubeObject;
  return syncer.create(ServiceAccounts, request, { subresource: 'token' });
}

export const status = (node: string) => () =>
  syncer.patch(Pods, 'default', `on-${node}`, STATUS, { type: 'strategic', subresource: 'status' });
export const renew = (name: string) => () =>
  syncer.patch(Leases, 'kube-node-lease', name, { spec: { holderIdentity: 'a' } });
