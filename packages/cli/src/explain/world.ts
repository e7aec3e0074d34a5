/** The worker cluster as the agent judges it: policies by age with their claims, and whether the agent is alive. Pure. */
import { ChartName, type LeasedNode, leasedNodeName, type ResourceLeasingPolicy, Seconds } from '@kubeocean/shared/api';
import type { KubeObject } from '@kubeocean/shared/kube';
import {
  type Claim,
  type ClaimVerdict,
  holdersOf,
  judgeClaims,
  type JudgedPolicy,
  judgePolicy,
  olderPolicyFirst,
  readClaim,
  rememberedSpec,
  type Tenant,
  windowsProblem,
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
  /** By age. Those that are being deleted are among them: they lend nothing, and stand in nobody's way. */
  policies: PolicyView[];
  claims: Claim[];
  nodes: WorkerNode[];
  records: LeasedNode[];
  tenants: Tenant[];
  leases: KubeObject[];
  /** Which of these could be read; the others are empty here, and say nothing. */
  seen: { nodes: boolean; policies: boolean; records: boolean; leases: boolean };
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
  const zone = usableZone(valueOr(worker.timeZone, 'UTC'));
  const records = valueOr(worker.records, []);
  const holders = holdersOf(records);
  const policies = [...valueOr(worker.policies, [])].sort(olderPolicyFirst).map((policy): PolicyView => {
    const judged = judge(policy, now, zone);
    const { cluster } = judged.spec ?? policy.spec;
    return { ...judged, cluster, claim: judgeClaims(claims, tenants, cluster, { holders: holders.get(cluster) }) };
  });
  const nodes = valueOr(worker.nodes, []);
  const seen = {
    nodes: 'value' in worker.nodes,
    policies: 'value' in worker.policies,
    records: 'value' in worker.records,
    leases: 'value' in worker.leases,
  };
  return { now, zone, policies, claims, nodes, records, tenants, leases, seen };
}

/** A policy as the agent judges it: while its spec is not valid, by the last valid one that its status remembers. */
export function judge(policy: ResourceLeasingPolicy, now: Date, zone: string): JudgedPolicy {
  return judgePolicy(policy, rememberedSpec(policy.status, zone), now, zone);
}

/** The zone of the spec that applies; that of one that is not valid may not exist. */
export function zoneOf(view: JudgedPolicy, world: Pick<World, 'zone'>): string {
  return view.spec?.timeZone ?? world.zone;
}

function usableZone(zone: string): string {
  return windowsProblem(undefined, zone) === undefined ? zone : 'UTC';
}

/** Whether the allocator takes no notice of a policy any more. */
export function isGoing({ policy }: JudgedPolicy): boolean {
  return policy.metadata.deletionTimestamp !== undefined;
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
