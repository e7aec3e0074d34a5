import type { LeasedNode, ResourceLeasingPolicy } from '@kubeocean/shared/api';
import { Registry } from '@kubeocean/shared/daemon';
import { expect, it } from 'vitest';
import { lentMetric, policiesMetric } from './metrics.ts';

function record(cluster: string, status: LeasedNode['status']): LeasedNode {
  return {
    metadata: { namespace: 'w', name: `${cluster}.n` },
    spec: { cluster, nodeName: 'n', nodeUID: 'n', policy: 'first' },
    ...(status && { status }),
  };
}

it('accounts have what is lent now, by binding and policy: closing nodes count no more, and no word of anybody breaks it', async () => {
  const registry = new Registry();
  let records: LeasedNode[] = [
    record('a', { phase: 'Active', policy: 'p', allocatable: { cpu: '1500m', memory: '1Gi' } }),
    record('a', { phase: 'Active', policy: 'p', allocatable: { cpu: '2', memory: 'much' } }),
    record('b', { phase: 'Active', allocatable: { cpu: '3' } }),
    record('b', { phase: 'Closing', allocatable: { cpu: '4' } }),
    record('c', { phase: 'Closed', allocatable: { cpu: '5' } }),
    record('c', undefined),
  ];
  lentMetric(registry, () => records);
  const told = async () => (await registry.metrics()).split('\n').filter((line) => /^[^#]/.test(line));
  expect(await told()).toEqual([
    'kubeocean_agent_lent{binding="a",policy="p",resource="cpu"} 3.5',
    'kubeocean_agent_lent{binding="a",policy="p",resource="memory"} 1073741824',
    'kubeocean_agent_lent{binding="b",policy="first",resource="cpu"} 3',
  ]);
  records = records.slice(2);
  expect(await told()).toEqual(['kubeocean_agent_lent{binding="b",policy="first",resource="cpu"} 3']);
});

it('policies are counted by what keeps them from lending, and nothing is left of what is over', async () => {
  const registry = new Registry();
  const saying = (reason?: string) =>
    ({
      metadata: { name: 'p' },
      spec: { cluster: 'b' },
      ...(reason && { status: { reason } }),
    }) as ResourceLeasingPolicy;
  let policies = [saying('NodesLent'), saying('NotGuarded'), saying('NotGuarded'), saying()];
  policiesMetric(registry, () => policies);
  const told = async () => (await registry.metrics()).split('\n').filter((line) => /^[^#]/.test(line));
  expect(await told()).toEqual([
    'kubeocean_agent_policies{reason="NodesLent"} 1',
    'kubeocean_agent_policies{reason="NotGuarded"} 2',
    'kubeocean_agent_policies{reason="Unknown"} 1',
  ]);
  policies = [saying('NodesLent')];
  expect(await told()).toEqual(['kubeocean_agent_policies{reason="NodesLent"} 1']);
});
