/**
 * The agent lends nothing new while the admission policies that hold tenants to it are not in force. On an API server of
 * its own, with the worker chart's kinds, policies and rights.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  claimName,
  Label,
  LeasedNodes,
  ResourceLeasingPolicies,
  type ResourceLeasingPolicy,
} from '@kubeocean/shared/api';
import {
  type KubeClient,
  type KubeObject,
  Leases,
  Nodes,
  ServiceAccounts,
  ValidatingAdmissionPolicyBindings,
} from '@kubeocean/shared/kube';
import { beforeAll, describe, expect, it } from 'vitest';
import { type ApiServer, applyChart, startApiServer, startProcess, waitFor } from './harness/index.ts';

const mount = 'kubeocean-worker';
const binding = 'example-cluster';
const guard = 'kubeocean-tenants';

let server: ApiServer;
let client: KubeClient;

beforeAll(async () => {
  server = await startApiServer();
  client = server.client();
  await applyChart(server, 'kubeocean-worker');
  await createNode('node1');
  await client.create(ResourceLeasingPolicies, { metadata: { name: 'all' }, spec: { cluster: binding } });
  await client.create(Leases, {
    metadata: { namespace: mount, name: claimName(binding), labels: { [Label.claim]: 'true' } },
    spec: { holderIdentity: 'home/binding', leaseDurationSeconds: 40 },
  });
  await startAgent();
});

async function startAgent(): Promise<void> {
  const metadata = { namespace: 'kubeocean-agent', name: 'kubeocean-agent' };
  const answer = await client.create<KubeObject & { status: { token: string } }>(
    ServiceAccounts,
    { metadata, spec: { expirationSeconds: 3600 } },
    { subresource: 'token' },
  );
  const folder = join(server.folder, 'agent');
  mkdirSync(folder);
  writeFileSync(join(folder, 'kubeconfig'), server.kubeconfigFor({ token: answer.status.token }));
  const tenants = [{ namespace: mount, serviceAccount: 'kubeocean-syncer', bindings: ['*'] }];
  writeFileSync(join(folder, 'tenants.json'), JSON.stringify(tenants));
  const flags = [`--kubeconfig=${folder}/kubeconfig`, `--tenants-file=${folder}/tenants.json`, '--leader-elect=false'];
  await startProcess('worker-agent', flags).waitReady();
}

async function createNode(name: string): Promise<void> {
  const allocatable = { cpu: '8', memory: '32Gi', pods: '110' };
  await client.create(Nodes, { metadata: { name }, spec: {}, status: { allocatable } });
}

async function records(): Promise<string[]> {
  return (await client.list(LeasedNodes, { namespace: mount })).items.map(({ metadata }) => metadata.name).toSorted();
}

/** The agent writes records and policies side by side: what the policy says may come first. */
async function lends(...nodes: string[]): Promise<void> {
  await waitFor(`records of ${nodes.join(' and ')}`, async () => {
    expect(await records()).toEqual(nodes.map((node) => `${binding}.${node}`));
    return true;
  });
}

async function leased(): Promise<string> {
  const { status } = await client.get<ResourceLeasingPolicy>(ResourceLeasingPolicies, '', 'all');
  const condition = status?.conditions?.find(({ type }) => type === 'Leased');
  return `${status?.nodes} ${condition?.reason}: ${condition?.message}`;
}

async function says(pattern: RegExp): Promise<void> {
  await waitFor(`the policy saying ${pattern}`, async () => {
    expect(await leased()).toMatch(pattern);
    return true;
  });
}

describe('the agent', () => {
  it('lends while the policies are in force', async () => {
    await says(/^1 NodesLent/);
    await lends('node1');
  });

  it('lends no further node once they are not, keeps what is lent, and says why on the policy', async () => {
    await client.delete(ValidatingAdmissionPolicyBindings, '', guard);
    await says(/^1 NotGuarded: nothing more is lent: no ValidatingAdmissionPolicyBinding kubeocean-tenants .*install/);
    await createNode('node2');
    // A label of node1 shows after node2 was seen.
    await client.patch(Nodes, '', 'node1', { metadata: { labels: { marker: 'x' } } });
    await waitFor('the label in the record', async () => {
      const record = await client.get(LeasedNodes, mount, `${binding}.node1`);
      expect(record).toMatchObject({ status: { phase: 'Active', node: { labels: { marker: 'x' } } } });
      return true;
    });
    expect(await records()).toEqual([`${binding}.node1`]);
  });

  it('lends it when they are back', async () => {
    await applyChart(server, 'kubeocean-worker');
    await says(/^2 NodesLent/);
    await lends('node1', 'node2');
  });
});
