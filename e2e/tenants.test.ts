/**
 * Two computing clusters on one worker cluster: namespaces, accounts and rights as the worker chart makes them from its
 * value `tenants`, credentials as scripts/kubeconfig.sh hands them out, the agent from source. Each gets its share of the
 * same node, and neither reads or touches anything of the other's.
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
  LeasedNodes,
  LeaseGuards,
  ResourceLeasingPolicies,
  type ResourceLeasingPolicy,
} from '@kubeocean/shared/api';
import {
  ApiError,
  ConfigMaps,
  Events,
  isNotFound,
  type KubeClient,
  type KubeObject,
  Leases,
  microTime,
  Nodes,
  Pods,
  type Resource,
  Secrets,
  ServiceAccounts,
} from '@kubeocean/shared/kube';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  cleanup,
  client,
  giveKubeconfig,
  kubeconfigOf,
  kubectl,
  rendered,
  type RunningProcess,
  startProcess,
  uniqueName,
  waitFor,
} from './harness/index.ts';
import { metric } from './worker-agent/plain.ts';

interface Tenant {
  namespace: string;
  serviceAccount: string;
  bindings: string[];
}

const id = uniqueName('tenants');
const owner = client('worker-1');
const a: Tenant = { namespace: `${id}-a`, serviceAccount: 'north', bindings: [`${id}-north`] };
const b: Tenant = { namespace: `${id}-b`, serviceAccount: 'south', bindings: [`${id}-south`] };
const tenants = [a, b];
const credentials = new Map<Tenant, KubeClient>();
let node: string;
let agent: RunningProcess;

function credential(tenant: Tenant): KubeClient {
  return credentials.get(tenant) as KubeClient;
}

function bindingOf(tenant: Tenant): string {
  return tenant.bindings[0] as string;
}

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tenants-'));
  cleanup(() => rmSync(folder, { recursive: true }));
  node = (await owner.list(Nodes)).items.map(({ metadata }) => metadata.name).toSorted()[0] as string;
  await install(folder);
  for (const tenant of tenants) {
    credentials.set(tenant, await credentialOf(tenant, folder));
    cleanup(() => owner.delete(ResourceLeasingPolicies, '', bindingOf(tenant)).catch(ignoreGone));
    const nodeSelector = {
      nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [node] }] }],
    };
    await owner.create(ResourceLeasingPolicies, {
      metadata: { name: bindingOf(tenant) },
      spec: {
        cluster: bindingOf(tenant),
        nodeSelector,
        resourceLimits: ['cpu', 'memory', 'pods'].map((resource) => ({ resource, percent: 50 })),
      },
    });
  }
  writeFileSync(join(folder, 'tenants.json'), JSON.stringify(tenants));
  agent = startProcess('worker-agent', [
    `--kubeconfig=${kubeconfigOf('worker-1')}`,
    `--tenants-file=${folder}/tenants.json`,
    '--leader-elect=false',
  ]);
  await agent.waitReady(60_000);
});

/** The chart's tenants and policies, the policies under names of this test's own beside those of the installed chart. */
async function install(folder: string): Promise<void> {
  const only = ['tenants', 'admission-pods', 'admission-objects'];
  const yaml = await rendered('kubeocean-worker', { only, values: { tenants } });
  const file = join(folder, 'tenants.yaml');
  writeFileSync(file, yaml.replaceAll('kubeocean-tenants', id));
  cleanup(() => kubectl('worker-1', ['delete', '--wait=false', '--ignore-not-found', '-f', file]));
  await kubectl('worker-1', ['apply', '-f', file]);
}

async function credentialOf({ namespace, serviceAccount }: Tenant, folder: string): Promise<KubeClient> {
  return client(await giveKubeconfig(serviceAccount, namespace, join(folder, namespace)));
}

function ignoreGone(error: unknown): void {
  if (!isNotFound(error)) throw error;
}

/** A claim as a syncer makes it; made again when an earlier try of the test left one. */
async function claim(tenant: Tenant, binding = bindingOf(tenant)): Promise<void> {
  const lease = {
    metadata: {
      namespace: tenant.namespace,
      name: claimName(binding),
      labels: { [Label.claim]: 'true', [Label.clusterBinding]: binding },
      annotations: { [Annotation.nodeSelector]: '' },
    },
    spec: { holderIdentity: `home/${tenant.namespace}`, leaseDurationSeconds: 40, renewTime: microTime(new Date()) },
  };
  await credential(tenant).delete(Leases, tenant.namespace, lease.metadata.name).catch(ignoreGone);
  await credential(tenant).create(Leases, lease);
}

function pod(tenant: Tenant, name: string, binding = bindingOf(tenant)): KubeObject {
  const matchFields = [{ key: 'metadata.name', operator: 'In', values: [node] }];
  return {
    metadata: { namespace: tenant.namespace, name, labels: { [Label.clusterBinding]: binding } },
    spec: {
      affinity: {
        nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchFields }] } },
      },
      automountServiceAccountToken: false,
      priorityClassName: ChartName.workerPriorityClass,
      terminationGracePeriodSeconds: 1,
      containers: [{ name: 'main', image: 'kubeocean.local/pause:1', imagePullPolicy: 'Never' }],
    },
  };
}

async function refused(attempt: Promise<unknown>, words: string): Promise<void> {
  const error = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error, 'the attempt succeeded').toBeInstanceOf(ApiError);
  expect((error as ApiError).code).toBe(403);
  expect((error as ApiError).message).toContain(words);
}

async function leased(name: string): Promise<string> {
  const { status } = await owner.get<ResourceLeasingPolicy>(ResourceLeasingPolicies, '', name);
  return status?.conditions?.find(({ type }) => type === 'Leased')?.message ?? '';
}

describe('two computing clusters', () => {
  test('are lent their shares of one node, which together are no more than it has', async () => {
    for (const tenant of tenants) await claim(tenant);
    const shares: number[] = [];
    for (const tenant of tenants) {
      const record = await waitFor(`the record of ${tenant.namespace}`, async () => {
        const { items } = await credential(tenant).list<LeasedNode>(LeasedNodes, { namespace: tenant.namespace });
        expect(items.map(({ spec, status }) => [spec.cluster, spec.nodeName, status?.phase])).toEqual([
          [bindingOf(tenant), node, 'Active'],
        ]);
        return items[0] as LeasedNode;
      });
      shares.push(Number(record.status?.allocatable?.['pods']));
    }
    const { status } = await owner.get<KubeObject & { status: { allocatable: { pods: string } } }>(Nodes, '', node);
    const [first = 0, second = 0] = shares;
    expect(first).toBeGreaterThan(second);
    expect(first + second).toBeLessThan(Number(status.allocatable.pods));
    expect(second).toBeGreaterThan(0);
  });

  test('run their own pods and keep their own copies', async () => {
    for (const tenant of tenants) {
      const { namespace } = tenant;
      const mine = credential(tenant);
      await owner.delete(Pods, namespace, 'mine').catch(ignoreGone);
      await waitFor('no pod of an earlier try', () => owner.get(Pods, namespace, 'mine').then(() => false, isNotFound));
      // The list of open nodes may be a moment behind the record.
      await waitFor('the pod accepted', () => mine.create(Pods, pod(tenant, 'mine')).then(() => true));
      for (const kind of [ConfigMaps, Secrets]) {
        await mine.delete(kind, namespace, 'mine').catch(ignoreGone);
        await mine.create(kind, { metadata: { namespace, name: 'mine' } });
      }
    }
    for (const tenant of tenants) {
      await waitFor(`the pod of ${tenant.namespace} running`, async () => {
        const { status } = await credential(tenant).get<KubeObject & { status: { phase: string } }>(
          Pods,
          tenant.namespace,
          'mine',
        );
        return status.phase === 'Running';
      });
    }
  });

  const kinds: Resource[] = [Pods, Secrets, ConfigMaps, LeasedNodes, Leases, LeaseGuards, ServiceAccounts, Events];
  describe.each([
    ['north', a, b],
    ['south', b, a],
  ])('%s', (_, mine, theirs) => {
    test.each(kinds.map((kind) => [kind.plural, kind] as const))(
      'reads and touches no %s of the other',
      async (plural, kind) => {
        const me = credential(mine);
        const name = kind === Leases ? claimName(bindingOf(theirs)) : 'mine';
        const object =
          kind === Pods ? pod(theirs, 'intruder') : { metadata: { namespace: theirs.namespace, name: 'intruder' } };
        const cannot = `User "system:serviceaccount:${mine.namespace}:${mine.serviceAccount}" cannot`;
        const where = `in the namespace "${theirs.namespace}"`;
        await refused(me.list(kind, { namespace: theirs.namespace }), `${cannot} list resource "${plural}"`);
        await refused(me.list(kind), `${cannot} list resource "${plural}"`);
        await refused(me.get(kind, theirs.namespace, name), where);
        await refused(me.create(kind, object), where);
        await refused(me.patch(kind, theirs.namespace, name, { metadata: { labels: { mine: 'now' } } }), where);
        await refused(me.delete(kind, theirs.namespace, name), where);
      },
    );

    test('opens no shell in the other’s pods, and takes no token of its account', async () => {
      const me = credential(mine);
      const where = `in the namespace "${theirs.namespace}"`;
      const options = { subresource: 'exec' };
      await refused(me.create(Pods, { metadata: { namespace: theirs.namespace, name: 'mine' } }, options), where);
      const request = {
        metadata: { namespace: theirs.namespace, name: theirs.serviceAccount },
        spec: { audiences: ['kubeocean-worker-agent'] },
      };
      await refused(me.create(ServiceAccounts, request, { subresource: 'token' }), where);
    });

    test('makes no pod for the other’s binding', async () => {
      await refused(
        credential(mine).create(Pods, pod(mine, 'disguised', bindingOf(theirs))),
        `is not open for pods of the binding "${bindingOf(theirs)}"`,
      );
    });

    test('gets nothing by claiming the other’s name', async () => {
      const looks = () => metric(agent, 'kubeocean_agent_allocations_total');
      const before = await looks();
      await claim(mine, bindingOf(theirs));
      await waitFor('the agent’s look at it', async () => (await looks()) > before);
      const { nodes } =
        (await owner.get<ResourceLeasingPolicy>(ResourceLeasingPolicies, '', bindingOf(theirs))).status ?? {};
      expect(nodes).toBe(1);
      const { items } = await credential(mine).list<LeasedNode>(LeasedNodes, { namespace: mine.namespace });
      expect(items.map(({ spec }) => spec.cluster)).toEqual([bindingOf(mine)]);
      await credential(mine).delete(Leases, mine.namespace, claimName(bindingOf(theirs)));
      expect(await leased(bindingOf(theirs))).toMatch(/^1 node lent/);
    });
  });

  test('the owner reads on each policy who has what', async () => {
    // Between the two it says that a claim is not renewed, when that is so for 40 s.
    expect(await leased(bindingOf(a))).toMatch(
      new RegExp(`^1 node lent to ${bindingOf(a)};.* cpu \\S+ of \\S+: .*resourceLimits keep`),
    );
    expect(await leased(bindingOf(b))).toMatch(/other bindings \S+, resourceLimits keep/);
    const { stdout } = await kubectl('worker-1', ['get', 'rlp', bindingOf(b), '-owide']);
    expect(stdout).toMatch(/Active +true +1 /);
  });
});
