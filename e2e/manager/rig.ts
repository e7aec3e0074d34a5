/**
 * The manager against two real clusters, run from source with the rights of its own ServiceAccount, and what its tests
 * make and look at. Pods of its Deployments never start (the image does not exist), so the syncer's word is written by
 * the test where it is needed.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ClusterBinding, ClusterBindings } from '@kubeocean/shared/api';
import {
  ClusterRoleBindings,
  type Condition,
  Deployments,
  isNotFound,
  type KubeObject,
  parseKubeconfig,
  type Resource,
  RoleBindings,
  ServiceAccounts,
  Services,
} from '@kubeocean/shared/kube';
import {
  cleanup,
  client,
  type Heart,
  heartOf,
  kubeconfigOf,
  kubectl,
  type RunningProcess,
  startProcess,
  uniqueName,
  waitFor,
} from '../harness/index.ts';

export const SYSTEM = 'kubeocean-system';
export const WORKER = 'kubeocean-worker';
export const IMAGE = 'kubeocean.local/nothing-is-here:v0';
export const home = client('computing');
export const worker = client('worker-1');
let managerKubeconfig = '';

interface Access {
  server: string;
  ca: string;
  user: Record<string, unknown>;
  cluster?: Record<string, unknown>;
}

export function kubeconfig({ server, ca, user, cluster = {} }: Access): string {
  return JSON.stringify({
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    clusters: [{ name: 'c', cluster: { server, 'certificate-authority-data': base64(ca), ...cluster } }],
    users: [{ name: 'u', user }],
  });
}

export const base64 = (text: string) => Buffer.from(text).toString('base64');
export const admin = (cluster: 'computing' | 'worker-1') =>
  parseKubeconfig(readFileSync(kubeconfigOf(cluster), 'utf8'), { trust: 'trusted' });

export async function tokenOf(cluster: 'computing' | 'worker-1', namespace: string, account: string): Promise<string> {
  return (await kubectl(cluster, ['-n', namespace, 'create', 'token', account, '--duration=2h'])).stdout.trim();
}

/** The tenant's kubeconfig, or one of another account, server, CA or user. */
export async function workerKubeconfig(change: Partial<Access> = {}): Promise<string> {
  const { server, ca = '' } = admin('worker-1');
  const user = change.user ?? { token: await tokenOf('worker-1', WORKER, 'kubeocean-syncer') };
  return kubeconfig({ server, ca, ...change, user });
}

/** Starts a manager and waits until it is ready; silence counts as soon as the options allow it. */
export async function startManager(syncerImage = IMAGE): Promise<RunningProcess> {
  managerKubeconfig ||= await writeManagerKubeconfig();
  const manager = startProcess('manager', [
    `--kubeconfig=${managerKubeconfig}`,
    '--leader-elect=false',
    '--serving-certificate=csr',
    '--image-pull-policy=Never',
    '--agent-stale-after=12',
    '--abandon-after=3',
    `--syncer-image=${syncerImage}`,
    `--proxier-image=${IMAGE}`,
  ]);
  await manager.waitReady();
  return manager;
}

async function writeManagerKubeconfig(): Promise<string> {
  const { server, ca = '' } = admin('computing');
  const file = join(tmpdir(), uniqueName('manager-kubeconfig'));
  cleanup(() => {
    managerKubeconfig = '';
    rmSync(file, { force: true });
  });
  const token = await tokenOf('computing', SYSTEM, 'kubeocean-manager');
  writeFileSync(file, kubeconfig({ server, ca, user: { token } }), { mode: 0o600 });
  return file;
}

export async function putSecret(name: string, data: Record<string, string>): Promise<void> {
  const encoded = Object.fromEntries(Object.entries(data).map(([key, text]) => [key, base64(text)]));
  await kubectl('computing', ['apply', '-f', '-'], {
    input: JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: SYSTEM }, data: encoded }),
  });
  cleanup(() => kubectl('computing', ['-n', SYSTEM, 'delete', 'secret', name, '--ignore-not-found']));
}

export interface Made {
  name: string;
  clusterID: string;
  secret: string;
}

/** Creates a binding; it is taken away after the file, and Kubernetes collects what was made for it. */
export async function bind(change: Partial<ClusterBinding['spec']> = {}, name = uniqueName('mgr')): Promise<Made> {
  const spec = {
    clusterID: name,
    mountNamespace: WORKER,
    secretRef: { name: `${name}-kubeconfig`, namespace: SYSTEM },
    ...change,
  };
  await home.create<ClusterBinding>(ClusterBindings, { metadata: { name }, spec });
  cleanup(() => drop(name));
  return { name, clusterID: spec.clusterID, secret: spec.secretRef.name };
}

export async function unbind(name: string): Promise<void> {
  await kubectl('computing', ['delete', 'clusterbinding', name, '--timeout=90s']);
}

async function drop(name: string): Promise<void> {
  await kubectl('computing', ['delete', 'clusterbinding', name, '--wait=false', '--ignore-not-found']);
  const found = await get(ClusterBindings, '', name);
  if (found) await home.patch(ClusterBindings, '', name, { metadata: { finalizers: [] } }).catch(() => undefined);
}

export async function get<T extends KubeObject>(
  resource: Resource,
  namespace: string,
  name: string,
): Promise<T | undefined> {
  try {
    return await home.get<T>(resource, namespace, name);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

export async function conditionOf(name: string, type: string): Promise<Condition | undefined> {
  const found = await get<ClusterBinding>(ClusterBindings, '', name);
  return found?.status?.conditions?.find((condition) => condition.type === type);
}

/** Waits for Ready to be False with the reason, and gives its message. */
export async function notReady(name: string, reason: string, timeoutMs = 60_000): Promise<string> {
  const ready = await waitFor(
    `${name} Ready=False/${reason}`,
    async () => {
      const condition = await conditionOf(name, 'Ready');
      if (condition?.status === 'False' && condition.reason === reason) return condition;
      throw new Error(`${condition?.reason}: ${condition?.message}`);
    },
    { timeoutMs },
  );
  return ready.message ?? '';
}

export async function phaseOf(name: string): Promise<string | undefined> {
  return (await get<ClusterBinding>(ClusterBindings, '', name))?.status?.phase;
}

let heart: Heart | undefined;

/** From now on an agent seems to live; at the end of the file it is gone. */
export async function agentLives(): Promise<void> {
  if (heart) return;
  heart = heartOf(worker, WORKER);
  cleanup(noAgent);
  await heart.start();
}

/** From now on it is silent. */
export function agentFallsSilent(): void {
  heart?.stop();
  heart = undefined;
}

/** There never was one. */
export async function noAgent(): Promise<void> {
  const last = heart;
  agentFallsSilent();
  await last?.over();
  await kubectl('worker-1', ['-n', WORKER, 'delete', 'lease', 'kubeocean-agent', '--ignore-not-found']);
}

/** Everything that is made for a binding, by kind and key. */
export async function madeFor(clusterID: string): Promise<Map<string, KubeObject>> {
  const found = new Map<string, KubeObject>();
  for (const [resource, namespace, names] of [
    [Deployments, SYSTEM, ['syncer', 'proxier']],
    [ServiceAccounts, SYSTEM, ['syncer', 'proxier']],
    [Services, SYSTEM, ['proxier']],
    [ClusterRoleBindings, '', ['syncer', 'proxier']],
    [RoleBindings, SYSTEM, ['syncer']],
    [RoleBindings, 'kube-node-lease', ['syncer']],
  ] as const) {
    for (const component of names) {
      const object = await get(resource, namespace, `kubeocean-${component}-${clusterID}`);
      if (object) found.set(`${resource.kind} ${namespace} ${component}`, object);
    }
  }
  return found;
}
export const ALL_MADE = 9;

/** A binding that lacks nothing, with everything made for it. */
export async function good(...wanted: Parameters<typeof bind>): Promise<Made> {
  const made = await bind(...wanted);
  await putSecret(made.secret, { kubeconfig: await workerKubeconfig() });
  await agentLives();
  await waitFor('everything made', async () => (await madeFor(made.clusterID)).size === ALL_MADE, {
    timeoutMs: 60_000,
  });
  return made;
}
