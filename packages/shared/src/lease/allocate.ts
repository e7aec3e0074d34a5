/**
 * The allocator: from what the worker cluster is at one moment to the LeasedNodes that should exist. Pure; whoever calls
 * it must hold complete lists, for what is missing counts as gone.
 */
import { Label } from '../api/constants.ts';
import type { LeasedNode, LeasedNodeClosedReason, LeasedNodeSpec, LeasedNodeStatus } from '../api/leased-node.ts';
import { labelValue, leasedNodeName } from '../api/names.ts';
import type { ResourceLeasingPolicy, ResourceLeasingPolicySpec } from '../api/policy.ts';
import type { KubeObject } from '../kube/types.ts';
import { type Claim, type ClaimVerdict, judgeClaims, readClaim, type Tenant } from './claims.ts';
import { lentShare } from './limits.ts';
import { type JudgedPolicy, judgePolicy, olderPolicyFirst } from './policies.ts';
import { minQuantity, type Quantity, QuantityError, Zero } from './quantity.ts';
import { frozenStatus, isLendable, isOpen, openStatus, type WorkerNode } from './record.ts';
import { accumulate, parseResources, type Resources, remaining } from './resources.ts';
import { type PodForRequests, podRequests } from './requests.ts';
import { matchesNode } from './selector.ts';

export interface AllocationInput {
  nodes: readonly WorkerNode[];
  /** Pods with a node, of every namespace. */
  pods: readonly PodForRequests[];
  policies: readonly ResourceLeasingPolicy[];
  /** Leases of the mount namespaces; those that are no claims are passed over. */
  claims: readonly KubeObject[];
  /** LeasedNodes that exist. */
  records: readonly LeasedNode[];
  tenants: readonly Tenant[];
  now: Date;
  /** IANA zone of policies that name none. */
  defaultTimeZone: string;
  /** Last valid spec by policy UID, for policies that are not valid now. */
  lastValid?: ReadonlyMap<string, ResourceLeasingPolicySpec>;
  /** By claim UID, since when it was not seen to be renewed. Told in the policies' status; what is lent stays. */
  staleSince?: ReadonlyMap<string, Date>;
}

/** A record that should exist with just this spec and status. */
export interface DesiredRecord {
  namespace: string;
  name: string;
  labels: Record<string, string>;
  spec: LeasedNodeSpec;
  status: LeasedNodeStatus;
}

/** What became of one policy. */
export interface PolicyOutcome extends JudgedPolicy {
  claim: ClaimVerdict;
  /** Names of the nodes lent under it. */
  nodes: string[];
  /** Nodes both selectors match but an older policy of the same binding lends: that policy's name by node. */
  passedOver: Map<string, string>;
}

export interface Allocation {
  /** Records of leases that run. */
  open: DesiredRecord[];
  /** Existing records that must say Closed (and may say so already). */
  closed: { record: LeasedNode; reason: LeasedNodeClosedReason; message: string }[];
  /** Existing Closed records that serve nobody any more. */
  removable: LeasedNode[];
  policies: PolicyOutcome[];
  /** When time alone changes the result next. */
  nextChange?: Date;
}

interface Bid {
  outcome: PolicyOutcome;
  claim: Claim;
  existing: LeasedNode | undefined;
}

/** Decides what is lent. The same input in any order gives the same result. */
export function allocate(input: AllocationInput): Allocation {
  const claims = input.claims.map(readClaim).filter((claim) => claim !== undefined);
  const verdicts = new Map<string, ClaimVerdict>();
  function verdictOn(binding: string): ClaimVerdict {
    const verdict = verdicts.get(binding) ?? judgeClaims(claims, input.tenants, binding, input.staleSince);
    verdicts.set(binding, verdict);
    return verdict;
  }

  const outcomes = input.policies
    .filter((policy) => policy.metadata.deletionTimestamp === undefined)
    .sort(olderPolicyFirst)
    .map((policy): PolicyOutcome => {
      const lastValid = input.lastValid?.get(policy.metadata.uid ?? '');
      const judged = judgePolicy(policy, lastValid, input.now, input.defaultTimeZone);
      return { ...judged, claim: verdictOn((judged.spec ?? policy.spec).cluster), nodes: [], passedOver: new Map() };
    });

  const records = new Map(input.records.map((record) => [keyOf(record.metadata), record]));
  const usage = countPods(input.pods, input.tenants);
  const nodes = input.nodes.filter((node) => node.metadata.deletionTimestamp === undefined).sort(byName);
  const open = nodes.flatMap((node) => lend(node, outcomes, records, usage, input.now));
  const openKeys = new Set(open.map(keyOf));

  const closed = input.records
    .filter((record) => !openKeys.has(keyOf(record.metadata)))
    .map((record) => ({ record, ...closing(record, nodes, outcomes, verdictOn(record.spec.cluster)) }));
  const removable = closed
    .filter(({ record, reason }) => isRemovable(record, reason, nodes, usage))
    .map(({ record }) => record);
  const nextChange = earliest(outcomes.flatMap(({ closesAt, opensAt }) => [closesAt, opensAt]));
  return { open, closed, removable, policies: outcomes, ...(nextChange && { nextChange }) };
}

/** The records of one node: per claim the oldest policy that selects it, served oldest first from what is left. */
function lend(
  node: WorkerNode,
  outcomes: PolicyOutcome[],
  records: ReadonlyMap<string, LeasedNode>,
  usage: PodUsage,
  now: Date,
): DesiredRecord[] {
  if (!isLendable(node)) return [];
  const bids = new Map<string, Bid>();
  for (const outcome of outcomes) {
    const bid = bidFor(node, outcome, records);
    if (!bid) continue;
    const winner = bids.get(groupOf(bid.claim.namespace, bid.outcome));
    if (winner) outcome.passedOver.set(node.metadata.name, winner.outcome.policy.metadata.name);
    else bids.set(groupOf(bid.claim.namespace, bid.outcome), bid);
  }

  const used = usage.on(node.metadata.name);
  const taken = new Map<string, Quantity>(used.native);
  // Lent pods whose lease on this node is over still take their place until they are gone.
  for (const [group, requests] of used.lent) if (!bids.has(group)) accumulate(taken, requests);
  let left: Resources = remaining(parseResources(node.status?.allocatable), taken);

  const lent: DesiredRecord[] = [];
  for (const bid of bids.values()) {
    const previous = bid.existing?.status;
    const { spec, policy } = bid.outcome;
    const share = spec ? lentShare(left, spec.resourceLimits) : atMost(left, previous?.allocatable);
    left = remaining(left, share);
    // A record under this name of a node that is gone must be closed and removed first.
    if (bid.existing && bid.existing.spec.nodeUID !== node.metadata.uid) continue;
    const cluster = (spec ?? policy.spec).cluster;
    bid.outcome.nodes.push(node.metadata.name);
    lent.push({
      namespace: bid.claim.namespace,
      name: leasedNodeName(cluster, node.metadata.name),
      labels: { [Label.clusterBinding]: labelValue(cluster) },
      spec: bid.existing?.spec ?? {
        cluster,
        nodeName: node.metadata.name,
        nodeUID: node.metadata.uid ?? '',
        policy: policy.metadata.name,
      },
      status: spec
        ? openStatus(node, bid.outcome, share, previous, now)
        : frozenStatus(node, previous ?? {}, share, now),
    });
  }
  return lent;
}

/** A policy's bid for a node, when its claim is served and both selectors want it. */
function bidFor(node: WorkerNode, outcome: PolicyOutcome, records: ReadonlyMap<string, LeasedNode>): Bid | undefined {
  const claim = outcome.claim.served;
  if (!claim) return undefined;
  const { spec, policy } = outcome;
  const name = leasedNodeName((spec ?? policy.spec).cluster, node.metadata.name);
  const existing = records.get(keyOf({ namespace: claim.namespace, name }));
  const bid = { outcome, claim, existing };
  const running = isOpen(existing) && existing.spec.nodeUID === node.metadata.uid;
  // Not valid and nothing remembered: what runs under it stays, nothing new comes.
  if (!spec)
    return running && (existing.status?.policy ?? existing.spec.policy) === policy.metadata.name ? bid : undefined;
  if (!matchesNode(spec.nodeSelector, node)) return undefined;
  if (claim.problem !== undefined) return running ? bid : undefined;
  return matchesNode(claim.nodeSelector, node) ? bid : undefined;
}

/** Why an existing record's lease is over. */
function closing(
  record: LeasedNode,
  nodes: readonly WorkerNode[],
  outcomes: readonly PolicyOutcome[],
  verdict: ClaimVerdict,
): { reason: LeasedNodeClosedReason; message: string } {
  const { cluster, nodeName, nodeUID } = record.spec;
  if (verdict.served?.namespace !== record.metadata.namespace) {
    return {
      reason: 'Released',
      message: verdict.remark ?? `the claim in namespace ${verdict.served?.namespace} is served`,
    };
  }
  const node = nodes.find(({ metadata }) => metadata.name === nodeName);
  if (node?.metadata.uid !== nodeUID) {
    return {
      reason: 'NodeGone',
      message: `node ${nodeName} ${node ? 'was replaced by another of its name' : 'is gone'}`,
    };
  }
  if (!outcomes.some(({ spec }) => spec?.cluster === cluster)) {
    return { reason: 'PolicyGone', message: `no ResourceLeasingPolicy lends to ${cluster} any more` };
  }
  return {
    reason: 'NotSelected',
    message: `no policy's selector and the binding's selector match node ${nodeName} any more`,
  };
}

/**
 * A Closed record is the only statement that its vnode may be drained, so it stays while the claim is served, unless a
 * new node needs its name; and in any case until no pod is left under it.
 */
function isRemovable(
  record: LeasedNode,
  reason: LeasedNodeClosedReason,
  nodes: readonly WorkerNode[],
  usage: PodUsage,
): boolean {
  if (record.status?.phase !== 'Closed') return false;
  const { nodeName, cluster } = record.spec;
  if (usage.present.has(`${nodeName}/${record.metadata.namespace}/${labelValue(cluster)}`)) return false;
  return reason === 'Released' || (reason === 'NodeGone' && nodes.some(({ metadata }) => metadata.name === nodeName));
}

interface NodeUsage {
  native: Map<string, Quantity>;
  /** By mount namespace and binding label. */
  lent: Map<string, Map<string, Quantity>>;
}

interface PodUsage {
  on(node: string): NodeUsage;
  /** `node/namespace/binding label` of every lent pod, finished ones too. */
  present: ReadonlySet<string>;
}

/** Requests are a pure function of an object that is never changed in place. */
const requestsOf = new WeakMap<PodForRequests, Resources>();

function countPods(pods: readonly PodForRequests[], tenants: readonly Tenant[]): PodUsage {
  const mountNamespaces = new Set(tenants.map((tenant) => tenant.namespace));
  const usage = new Map<string, NodeUsage>();
  const present = new Set<string>();
  for (const pod of pods) {
    const node = pod.spec['nodeName'];
    if (typeof node !== 'string' || node === '') continue;
    const namespace = pod.metadata.namespace ?? '';
    const group = `${namespace}/${pod.metadata.labels?.[Label.clusterBinding] ?? ''}`;
    const lent = mountNamespaces.has(namespace);
    if (lent) present.add(`${node}/${group}`);
    const phase = pod.status?.['phase'];
    if (phase === 'Succeeded' || phase === 'Failed') continue;

    const requests = requestsOf.get(pod) ?? podRequests(pod);
    requestsOf.set(pod, requests);
    const entry = usage.get(node) ?? { native: new Map(), lent: new Map() };
    usage.set(node, entry);
    const total = lent ? (entry.lent.get(group) ?? new Map<string, Quantity>()) : entry.native;
    if (lent) entry.lent.set(group, total);
    accumulate(total, requests);
  }
  return { on: (node) => usage.get(node) ?? { native: new Map(), lent: new Map() }, present };
}

/** `listed` resources of `left`, none above what is left; those not listed are zero. */
function atMost(left: Resources, listed: Record<string, string> | undefined): Map<string, Quantity> {
  const limits = safeResources(listed);
  return new Map([...left].map(([name, amount]) => [name, minQuantity(limits.get(name) ?? Zero, amount)]));
}

function safeResources(listed: Record<string, string> | undefined): Resources {
  try {
    return parseResources(listed);
  } catch (error) {
    if (error instanceof QuantityError) return new Map();
    throw error;
  }
}

function groupOf(namespace: string, { spec, policy }: PolicyOutcome): string {
  return `${namespace}/${labelValue((spec ?? policy.spec).cluster)}`;
}

function keyOf({ namespace, name }: { namespace: string; name: string }): string {
  return `${namespace}/${name}`;
}

function byName(a: WorkerNode, b: WorkerNode): number {
  return a.metadata.name < b.metadata.name ? -1 : 1;
}

function earliest(dates: readonly (Date | undefined)[]): Date | undefined {
  const times = dates.filter((date) => date !== undefined).map((date) => date.getTime());
  return times.length > 0 ? new Date(Math.min(...times)) : undefined;
}
