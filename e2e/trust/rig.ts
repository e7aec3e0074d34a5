/**
 * The credential of a computing cluster in an attacker's hands, on the worker's real API server. Rights, Pod Security and
 * policies are the chart's, with tenants of the test's own; the agent runs from source. docs/security.md has the table of it.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Annotation,
  ChartName,
  claimName,
  Label,
  type LeasedNode,
  type LeaseGuard,
  LeaseGuards,
  LeasedNodes,
  ResourceLeasingPolicies,
  type ResourceLeasingPolicySpec,
} from '@kubeocean/shared/api';
import { ApiError, type Json, type KubeClient, type KubeObject, Leases, Nodes, Pods } from '@kubeocean/shared/kube';
import { expect } from 'vitest';
import { toWorkerPod } from '../../packages/syncer/src/pods/translation/to-worker.ts';
import {
  cleanup,
  client,
  giveKubeconfig,
  kubeconfigOf,
  kubectl,
  merged,
  rendered,
  type RunningProcess,
  startProcess,
  uniqueName,
  waitFor,
} from '../harness/index.ts';

/** Of everything that these tests make, the binding's name included. */
export let id = '';
/** The mount namespace that is attacked from, another tenant's, and one that the owner made without Pod Security. */
export let mount = '';
export let others = '';
export let bare = '';
export const account = 'borrower';
/** Who refused, by the message. */
export let POLICY = '';
export let OBJECTS = '';
export let RIGHTS = '';
export const POD_SECURITY = 'violates PodSecurity "baseline:latest"';

export const owner = client('worker-1');
export let borrower: KubeClient;
export let fromBare: KubeClient;
export let agent: RunningProcess;
export let tenantsFile: string;
/** Nodes of the cluster: lent and open, and lent outside its time window. */
export let open: string;
export let shut: string;

/** Other names for each file of a process: what the last one made may still be on its way out. */
function nameAnew(): void {
  id = uniqueName('trust');
  [mount, others, bare] = [`${id}-a`, `${id}-b`, `${id}-c`];
  POLICY = `ValidatingAdmissionPolicy '${id}' with binding '${id}' denied request`;
  OBJECTS = `ValidatingAdmissionPolicy '${id}-objects' with binding '${id}-objects' denied request`;
  RIGHTS = `User "system:serviceaccount:${mount}:${account}" cannot `;
}
// The files' tables are written with them, before any test runs.
nameAnew();

/** Everything up to a running agent. */
export async function setUp(): Promise<void> {
  cleanup(nameAnew);
  const folder = mkdtempSync(join(tmpdir(), 'trust-'));
  cleanup(() => rmSync(folder, { recursive: true }));
  const tenants = [mount, others, bare].map((namespace) => ({ namespace, serviceAccount: account, bindings: ['*'] }));
  await installTenants(folder, tenants);
  const nodes = await owner.list(Nodes);
  [open, shut] = nodes.items.map(({ metadata }) => metadata.name).toSorted() as [string, string];
  await lend(`${id}-open`, open, {});
  await lend(`${id}-shut`, shut, { timeWindows: [windowFarFromNow()] });
  [borrower, fromBare] = await Promise.all([credentialOf(mount, folder), credentialOf(bare, folder)]);

  writeFileSync(join(folder, 'tenants.json'), JSON.stringify(tenants));
  agent = startProcess('worker-agent', [
    `--kubeconfig=${kubeconfigOf('worker-1')}`,
    `--tenants-file=${folder}/tenants.json`,
    `--leader-election-id=${id}`,
    `--leader-election-namespace=${others}`,
  ]);
  await agent.waitReady();
}

/** The chart's tenants and policies; the policies under names of this test's own beside those of the installed chart. */
async function installTenants(folder: string, tenants: { namespace: string }[]): Promise<void> {
  const only = ['tenants', 'admission-pods', 'admission-objects'];
  const yaml = await rendered('kubeocean-worker', { only, values: { tenants } });
  tenantsFile = join(folder, 'tenants.yaml');
  writeFileSync(tenantsFile, yaml.replaceAll('kubeocean-tenants', id));
  cleanup(() => kubectl('worker-1', ['delete', '--wait=false', '--ignore-not-found', '-f', tenantsFile]));
  cleanup(() => freePods());
  await kubectl('worker-1', ['apply', '-f', tenantsFile]);
  await kubectl('worker-1', ['label', 'namespace', bare, 'pod-security.kubernetes.io/enforce-']);
}

/** Takes the finalizers off, for which no syncer runs. */
async function freePods(): Promise<void> {
  for (const namespace of [mount, bare]) {
    for (const { metadata } of (await owner.list(Pods, { namespace })).items) {
      await owner.delete(Pods, namespace, metadata.name, { gracePeriodSeconds: 0 });
      await owner.patch(Pods, namespace, metadata.name, { metadata: { finalizers: null } }).catch(gone);
    }
  }
}

export function gone(error: unknown): void {
  if (!(error instanceof ApiError && error.code === 404)) throw error;
}

async function lend(name: string, node: string, spec: Partial<ResourceLeasingPolicySpec>): Promise<void> {
  cleanup(() => owner.delete(ResourceLeasingPolicies, '', name).catch(gone));
  const matchExpressions = [{ key: 'kubernetes.io/hostname', operator: 'In' as const, values: [node] }];
  await owner.create(ResourceLeasingPolicies, {
    metadata: { name },
    spec: { cluster: id, nodeSelector: { nodeSelectorTerms: [{ matchExpressions }] }, ...spec },
  });
}

export function windowFarFromNow(): { start: string; end: string } {
  const hour = new Date().getUTCHours();
  const clock = (offset: number) => `${String((hour + offset) % 24).padStart(2, '0')}:00`;
  return { start: clock(10), end: clock(11) };
}

/** A client with what scripts/kubeconfig.sh hands to the computing cluster. */
async function credentialOf(namespace: string, folder: string): Promise<KubeClient> {
  return client(await giveKubeconfig(account, namespace, join(folder, namespace)));
}

export function claimLease(name = claimName(id)): KubeObject & { metadata: { namespace: string } } {
  return {
    metadata: {
      namespace: mount,
      name,
      labels: { [Label.claim]: 'true', [Label.clusterBinding]: id },
      annotations: { [Annotation.nodeSelector]: '' },
    },
    spec: {
      holderIdentity: 'home/binding',
      leaseDurationSeconds: 40,
      renewTime: new Date().toISOString().replace('Z', '000Z'),
    },
  };
}

/** What the syncer makes of an ordinary home pod, with changes as a merge patch would make them. */
export function pod(changes: Json = {}, node = open, directScheduling = false): KubeObject {
  const home = {
    metadata: { namespace: 'shop', name: uniqueName('web'), uid: crypto.randomUUID(), labels: { app: 'web' } },
    spec: {
      nodeName: `vnode-${id}-${node}`,
      serviceAccountName: 'builder',
      containers: [
        {
          name: 'main',
          image: 'registry.example/none:1',
          imagePullPolicy: 'Never',
          resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { cpu: '20m', memory: '32Mi' } },
        },
      ],
      volumes: [
        { name: 'scratch', emptyDir: {} },
        {
          name: 'access',
          projected: {
            sources: [
              { serviceAccountToken: { path: 'token', expirationSeconds: 3607 } },
              { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
              { downwardAPI: { items: [{ path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } }] } },
            ],
          },
        },
      ],
    },
  };
  const facts = { bindingName: id, bindingUID: `uid-of-${id}`, mountNamespace: mount, node, directScheduling };
  return merged(toWorkerPod(home, facts), changes) as KubeObject;
}

export function guardOf(namespace: string): Promise<LeaseGuard> {
  return owner.get<LeaseGuard>(LeaseGuards, namespace, ChartName.leaseGuard);
}

export function container(changes: Json): Json {
  return { spec: { containers: [{ name: 'main', image: 'registry.example/none:1', ...changes }] } };
}

export function terms(...nodeSelectorTerms: Json[]): Json {
  const required = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } };
  return { spec: { affinity: { nodeAffinity: required } } };
}

export function nodeTerm(...values: string[]): Json {
  return { matchFields: [{ key: 'metadata.name', operator: 'In', values }] };
}

export function create(changes: Json, ...where: [node?: string]): Promise<KubeObject> {
  return borrower.create<KubeObject>(Pods, pod(changes, ...where));
}

export async function refused(attempt: Promise<unknown>, by: string, words: string, code = 403): Promise<void> {
  const error = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error, 'the attempt succeeded').toBeInstanceOf(ApiError);
  expect((error as ApiError).message).toContain(by);
  expect((error as ApiError).message).toContain(words);
  expect((error as ApiError).code).toBe(code);
}

export type Attack = [what: string, attempt: () => Promise<unknown>, by: string, words: string];

export function bindingLabel(value: string | null): Json {
  return { metadata: { labels: { [Label.clusterBinding]: value } } };
}
export function volume(source: Json): Json {
  return { spec: { volumes: [{ name: 'v', ...source }] } };
}
export function inNamespace(namespace: string): Promise<KubeObject> {
  return create({ metadata: { namespace } });
}

/** The claim with which the agent begins to lend; until the borrower's ordinary pod is accepted, and no other. */
export async function claim(): Promise<void> {
  await owner.delete(Leases, mount, claimName(id)).catch(gone);
  await borrower.create(Leases, claimLease());
  cleanup(() => owner.delete(Leases, mount, claimName(id)).catch(gone));
  await waitFor('the node open', async () => {
    expect((await guardOf(mount)).spec).toEqual({ open: { [open]: [id] } });
    return true;
  });
  await waitFor('both records', async () => {
    const records = await borrower.list<LeasedNode>(LeasedNodes, { namespace: mount });
    const phases = records.items.map(({ metadata, status }) => `${metadata.name}=${status?.phase}`);
    expect(phases.toSorted()).toEqual([`${id}.${open}=Active`, `${id}.${shut}=Closing`].toSorted());
    return true;
  });
  // The API server sees the new parameters a moment later.
  await waitFor('a pod accepted', () => borrower.create(Pods, pod(), { dryRun: true }));
  // So it does policies, without which everything would be accepted.
  await waitFor('the policies in force', async () => {
    await refused(borrower.create(Leases, claimLease('none'), { dryRun: true }), OBJECTS, 'are its claims');
    await refused(
      borrower.create(Pods, pod({ spec: { affinity: null } }), { dryRun: true }),
      POLICY,
      'exactly one node',
    );
    return true;
  });
}
