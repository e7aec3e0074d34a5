/** The worker cluster as the agent judges it: policies by age with their claims, and whether the agent is alive. Pure. */
import { ChartName, type LeasedNode, leasedNodeName, Seconds } from '@kubeocean/shared/api';
import type { KubeObject } from '@kubeocean/shared/kube';
import {
  type Claim,
  type ClaimVerdict,
  judgeClaims,
  type JudgedPolicy,
  judgePolicy,
  olderPolicyFirst,
  readClaim,
  type Tenant,
  type WorkerNode,
} from '@kubeocean/shared/lease';
import { duration } from '../times.ts';
import { valueOr, type WorkerFacts } from './facts.ts';

export interface PolicyView extends JudgedPolicy {
  cluster: string;
  claim: ClaimVerdict;
}

export interface World {
  now: Date;
  /** Of policies that name none. */
  zone: string;
  policies: PolicyView[];
  claims: Claim[];
  nodes: WorkerNode[];
  records: LeasedNode[];
  tenants: Tenant[];
  leases: KubeObject[];
}

/** What is not known counts as empty; whoever says "none" asks first whether the list was read. */
export function worldOf(worker: WorkerFacts, now: Date): World {
  const leases = valueOr(worker.leases, []);
  const claims = leases.map(readClaim).filter((claim) => claim !== undefined);
  // Without the agent's list every namespace with a claim counts as a tenant.
  const anyone = [...new Set(claims.map(({ namespace }) => namespace))].map((namespace) => ({
    namespace,
    serviceAccount: ChartName.workerServiceAccount,
    bindings: ['*'],
  }));
  const tenants = valueOr(worker.tenants, anyone);
  const zone = valueOr(worker.timeZone, 'UTC');
  const policies = [...valueOr(worker.policies, [])].sort(olderPolicyFirst).map((policy): PolicyView => {
    const { cluster } = policy.spec;
    const lastValid = policy.status?.lastValidSpec;
    return { ...judgePolicy(policy, lastValid, now, zone), cluster, claim: judgeClaims(claims, tenants, cluster) };
  });
  const nodes = valueOr(worker.nodes, []);
  return { now, zone, policies, claims, nodes, records: valueOr(worker.records, []), tenants, leases };
}

export function zoneOf(view: PolicyView, world: World): string {
  return (view.spec ?? view.policy.spec).timeZone ?? world.zone;
}

/** The record of a binding and node, where the claim is served or else wherever there is one. */
export function recordOf(world: World, cluster: string, node: string, namespace?: string): LeasedNode | undefined {
  const name = leasedNodeName(cluster, node);
  const named = world.records.filter(({ metadata }) => metadata.name === name);
  return named.find(({ metadata }) => metadata.namespace === namespace) ?? (namespace ? undefined : named[0]);
}

/** In words, that the agent gives no sign of life in a mount namespace; undefined when it does. */
export function agentSilence(world: World, namespace: string): string | undefined {
  const heartbeat = world.leases.find(
    ({ metadata }) => metadata.namespace === namespace && metadata.name === ChartName.agent,
  );
  const look = `look at the Deployment ${ChartName.agent} in namespace ${ChartName.agent} of the worker cluster`;
  if (!heartbeat) return `no worker agent has shown life in the namespace ${namespace}: ${look}`;
  const silence = silenceOf(heartbeat, world.now);
  if (silence === undefined) return undefined;
  return `the worker agent is silent since ${silence} (by the clock of this machine): what is told here may be out of date, and nothing is changed until it runs again; ${look}`;
}

/** In words, that nobody renews the claim; what is lent stays, so this is a remark only. */
export function claimSilence(world: World, claim: Claim): string | undefined {
  const lease = world.leases.find(
    ({ metadata }) => metadata.namespace === claim.namespace && metadata.name === claim.name,
  );
  const silence = lease && silenceOf(lease, world.now);
  if (silence === undefined) return undefined;
  return `the computing cluster has not renewed its claim ${claim.namespace}/${claim.name} since ${silence} (by the clock of this machine); what is lent stays lent`;
}

function silenceOf(lease: KubeObject, now: Date): string | undefined {
  const renewed = (lease['spec'] as { renewTime?: string } | undefined)?.renewTime;
  if (renewed === undefined) return undefined;
  const silent = now.getTime() - Date.parse(renewed);
  return silent > Seconds.staleAfter * 1000 ? `${renewed} (${duration(silent)})` : undefined;
}
