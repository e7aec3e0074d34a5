/**
 * What one tenant, or one pod of anybody, could do to all others: an agent with just the rights of the chart, on an API server
 * where nodes and pods are plain objects.
 */
import type { LeasedNode } from '@kubeocean/shared/api';
import { Namespaces, RoleBindings } from '@kubeocean/shared/kube';
import { beforeAll, expect, test } from 'vitest';
import type { RunningProcess } from './harness/index.ts';
import { becomes, mount, PlainCluster } from './worker-agent/plain.ts';

const cluster = new PlainCluster();
const south = 'lend-south';
let agent: RunningProcess;

/** What is lent of the node. */
function lends(node: string, allocatable: NonNullable<LeasedNode['status']>['allocatable']): Promise<number> {
  return becomes(() => cluster.record(node), { status: { phase: 'Active', allocatable } });
}

beforeAll(async () => {
  const tenants = [mount, south].flatMap((namespace, at) => [
    `tenants[${at}].namespace=${namespace}`,
    `tenants[${at}].serviceAccount=kubeocean-syncer`,
    `tenants[${at}].bindings[0]=*`,
  ]);
  await cluster.setUp(...tenants);
  cluster.otherMounts = [south];
  await cluster.createPolicy('example-policy');
  await cluster.createClaim();
});

test('a tenant that cannot be read is waited for; once its namespace is deleted, the others are not left alone', async () => {
  // As the namespace's deletion does it, before whatever holds the namespace itself.
  await cluster.client.delete(RoleBindings, south, 'kubeocean-agent');
  agent = await cluster.launchAgent('agent');
  await agent.waitLog('records that cannot be read', (line) => line['kind'] === `records in ${south}`);
  const unready = await fetch(`${await agent.health()}/readyz`);
  expect(unready.status).toBe(503);
  expect(await unready.text()).toContain(`records in ${south}`);
  expect((await cluster.versions()).filter((record) => record.startsWith('example-cluster.'))).toEqual([]);
  await cluster.client.delete(Namespaces, '', south);
  await agent.waitLog('the end of the tenant', (line) =>
    String(line['msg']).startsWith('the namespace of a tenant was deleted'),
  );
  await agent.waitReady(90_000);
  await lends('node1', { cpu: '8', memory: '32Gi', pods: '110' });
});

test('a pod that requests more than any cluster holds takes its node, and nothing else', async () => {
  await cluster.createPod('default', 'absurd', 'node1', '1e66');
  await lends('node1', { cpu: '0', memory: '31Gi', pods: '109' });
  await cluster.createPod('default', 'usual', 'node2', '2');
  await lends('node2', { cpu: '6', memory: '31Gi', pods: '109' });
  await cluster.deletePod('default', 'absurd');
  await lends('node1', { cpu: '8', memory: '32Gi', pods: '110' });
});
