/**
 * The allocator: from what the worker cluster is at one moment to the LeasedNodes that should exist. Pure; whoever calls
 * it must hold complete lists, for what is missing counts as gone.
 */
import { Label } from '../api/constants.ts';
import type { LeasedNode, LeasedNodeClosedReason, LeasedNodeSpec, LeasedNodeStatus } from '../api/leased-node.ts';
import { claimName, labelValue, leasedNodeName } from '../api/names.ts';
import type { ResourceLeasingPolicy, ResourceLeasingPolicySpec } from '../api/policy.ts';
import type { KubeObject } from '../kube/types.ts';
import { type Account, keepAccount } from './account.ts';
import { ceilingOf, shortage } from './ceiling.ts';
import { type Claim, type ClaimVerdict, holdersOf, judgeClaims, readClaim, type Tenant } from './claims.ts';
import { closing, endedStatus, isRemovable, removalAt } from './closing.ts';
import { lentShare } from './limits.ts';
import { type JudgedPolicy, judgePolicy, olderPolicyFirst } from './policies.ts';
import { minQuantity, type Quantity, Zero } from './quantity.ts';
import { DefaultReclaimTiming, nextReclaimChange, type ReclaimTiming } from './reclaim.ts';
import { closingOf, frozenStatus, isLendable, isOpen, openStatus, WindowClosed, type WorkerNode } from './record.ts';
import { accumulate, parseResources, type Resources, remaining, safeResources } from './resources.ts';
import type { PodForRequests } from './requests.ts';
import { matchesNode } from './selector.ts';
import { shareOut, type Stake } from './sharing.ts';
import { countPods, groupName, PodUsage } from './usage.ts';
import { factsOf, groupOfRecord, lazyGroups, type View } from './view.ts';

export interface AllocationInput {
  nodes: readonly WorkerNode[];
  /** Pods with a node, of every namespace; or what {@link countPods} made of them. */
  pods: readonly PodForRequests[] | PodUsage;
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
  /** UIDs of claims whose computing cluster has read what records say. Default: all that are not stale. */
  readers?: ReadonlySet<string>;
  /** Default {@link DefaultReclaimTiming}. */
  timing?: ReclaimTiming;
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
  /** Where the nodes' resources go to, by resource. */
  account: Map<string, Account>;
  /** By node of these that takes no new pods: the status of its record. */
  closing: Map<string, LeasedNodeStatus>;
  /** By node on which pods hold more than is lent by now: what, in words. */
  shrunk: Map<string, string>;
  /** Nodes both selectors match but an older policy of the same binding lends: that policy's name by node. */
  passedOver: Map<string, string>;
}

export interface ClosedRecord {
  record: LeasedNode;
  /** Why it would be closed now; its status keeps the first reason. */
  reason: LeasedNodeClosedReason;
  status: LeasedNodeStatus;
}

export interface Allocation {
  /** Records of leases that run. */
  open: DesiredRecord[];
  /** Existing records that nothing lends: Closed, or Closing until it is certain. */
  closed: ClosedRecord[];
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

interface BidStake extends Stake {
  group: string;
  bid: Bid;
}

/** Decides what is lent. The same input in any order gives the same result. */
export function allocate(input: AllocationInput): Allocation {
  const claims = input.claims.map(readClaim).filter((claim) => claim !== undefined);
  const holders = holdersOf(input.records);
  const verdicts = new Map<string, ClaimVerdict>();
  function verdictOn(binding: string): ClaimVerdict {
    const facts = { staleSince: input.staleSince, holders: holders.get(binding) };
    const verdict = verdicts.get(binding) ?? judgeClaims(claims, input.tenants, binding, facts);
    verdicts.set(binding, verdict);
    return verdict;
  }

  const outcomes = input.policies
    .filter((policy) => policy.metadata.deletionTimestamp === undefined)
    .sort(olderPolicyFirst)
    .map((policy): PolicyOutcome => {
      const lastValid = input.lastValid?.get(policy.metadata.uid ?? '');
      const judged = judgePolicy(policy, lastValid, input.now, input.defaultTimeZone);
      const claim = verdictOn((judged.spec ?? policy.spec).cluster);
      return { ...judged, claim, ...nothingLent() };
    });

  const records = new Map(input.records.map((record) => [keyOf(record.metadata), record]));
  const { now } = input;
  const view: View = {
    usage: input.pods instanceof PodUsage ? input.pods : countPods(input.pods, input.tenants),
    timing: input.timing ?? DefaultReclaimTiming,
    staleSince: input.staleSince ?? new Map(),
    readers: input.readers,
    now,
  };
  const nodes = input.nodes.filter((node) => node.metadata.deletionTimestamp === undefined).sort(byName);
  const open = nodes.flatMap((node) => lend(node, outcomes, records, view));
  const nodesByName = new Map(nodes.map((node) => [node.metadata.name, node]));
  const openKeys = new Set(open.map(keyOf));

  const hasPods = lazyGroups(view.usage);
  const closed = input.records
    .filter((record) => !openKeys.has(keyOf(record.metadata)))
    .map((record): ClosedRecord => {
      const { cluster, nodeName } = record.spec;
      const group = groupOfRecord(record);
      const ending = closing(record, nodesByName, outcomes, verdictOn(cluster), () => hasPods(group));
      const facts = factsOf(nodeName, group, true, view);
      return { record, reason: ending.reason, status: endedStatus({ ...ending, record, facts, now }) };
    });
  const readers = new Map(claims.flatMap((claim) => (claim.released ? [] : [[keyOf(claim), claim]])));
  const removable = closed
    .filter(({ record, reason }) => {
      const { metadata, spec } = record;
      const reader = readers.get(keyOf({ namespace: metadata.namespace, name: claimName(spec.cluster) }));
      return isRemovable(record, reason, nodesByName, reader, view);
    })
    .map(({ record }) => record);
  const nextChange = earliest([
    ...outcomes.flatMap(({ closesAt, opensAt }) => [closesAt, opensAt]),
    ...open.map(({ status }) => nextReclaimChange(status, view.timing, now)),
    ...closed.map(({ status }) => nextReclaimChange(status, view.timing, now)),
    ...closed.map(({ status }) => removalAt(status)).filter((time) => time > now),
  ]);
  return { open, closed, removable, policies: outcomes, ...(nextChange && { nextChange }) };
}

function nothingLent(): Pick<PolicyOutcome, 'nodes' | 'account' | 'closing' | 'shrunk' | 'passedOver'> {
  return { nodes: [], account: new Map(), closing: new Map(), shrunk: new Map(), passedOver: new Map() };
}

/** The records of one node: per claim the oldest policy that selects it, served oldest first from what is left. */
function lend(
  node: WorkerNode,
  outcomes: PolicyOutcome[],
  records: ReadonlyMap<string, LeasedNode>,
  view: View,
): DesiredRecord[] {
  if (!isLendable(node)) return [];
  const bids = new Map<string, Bid>();
  for (const outcome of outcomes) {
    const bid = bidFor(node, outcome, records);
    if (!bid) continue;
    const group = groupOf(bid.claim.namespace, outcome);
    const winner = bids.get(group);
    if (winner) outcome.passedOver.set(node.metadata.name, winner.outcome.policy.metadata.name);
    else bids.set(group, bid);
  }

  const used = view.usage.on(node.metadata.name);
  const taken = new Map<string, Quantity>(used.native);
  // Lent pods whose lease on this node is over still take their place until they are gone.
  for (const [group, { requests }] of used.lent) if (!bids.has(group)) accumulate(taken, requests);
  const has = parseResources(node.status?.allocatable);
  const free = remaining(has, taken);
  const stakes = [...bids].map(([group, bid]) => stakeOf(node, group, bid, used.lent.get(group)?.requests));

  const lent: DesiredRecord[] = [];
  for (const { group, bid, held, within, share } of shareOut(free, stakes)) {
    const previous = bid.existing?.status;
    const { spec, policy } = bid.outcome;
    // A record under this name of a node that is gone must be closed and removed first.
    if (bid.existing && bid.existing.spec.nodeUID !== node.metadata.uid) {
      if (previous?.phase !== 'Closed') continue;
      bid.outcome.nodes.push(node.metadata.name);
      bid.outcome.closing.set(node.metadata.name, previous);
      continue;
    }
    const cluster = (spec ?? policy.spec).cluster;
    // Only while new pods may come does it matter what those that end still hold.
    const { leaving } = view.usage.group(node.metadata.name, group);
    const lentNow = bid.outcome.inside ? remaining(share, leaving) : share;
    const facts = factsOf(node.metadata.name, group, !view.staleSince.has(bid.claim.uid), view);
    const ceiling = ceilingOf(share, previous?.ceiling && safeResources(previous.ceiling), held);
    const short = shortage(share, held);
    if (short !== undefined) bid.outcome.shrunk.set(node.metadata.name, short);
    const terms = { share: lentNow, ceiling, ...(short !== undefined && { short }) };
    const status = spec
      ? openStatus(node, bid.outcome, terms, previous, facts, view.now)
      : frozenStatus(node, bid.outcome, terms, previous ?? {}, facts, view.now);
    const isClosing = status.phase === 'Closing';
    if (isClosing) bid.outcome.closing.set(node.metadata.name, status);
    keepAccount(bid.outcome.account, { has, free, within, share }, isClosing);
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
      status,
    });
  }
  return lent;
}

/** A policy's bid for a node, when its claim is served and both selectors want it. */
function bidFor(node: WorkerNode, outcome: PolicyOutcome, records: ReadonlyMap<string, LeasedNode>): Bid | undefined {
  const claim = outcome.claim.served;
  const { spec, policy } = outcome;
  // Of many policies most mean other nodes.
  if (!claim || (spec && !matchesNode(spec.nodeSelector, node))) return undefined;
  const name = leasedNodeName((spec ?? policy.spec).cluster, node.metadata.name);
  const existing = records.get(keyOf({ namespace: claim.namespace, name }));
  const bid = { outcome, claim, existing };
  const running = isOpen(existing) && existing.spec.nodeUID === node.metadata.uid;
  // Not valid and nothing remembered: what runs under it stays, nothing new comes.
  if (!spec)
    return running && (existing.status?.policy ?? existing.spec.policy) === policy.metadata.name ? bid : undefined;
  if (claim.problem !== undefined) return running ? bid : undefined;
  return matchesNode(claim.nodeSelector, node) ? bid : undefined;
}

/** A lease whose window is closed keeps nothing from younger policies but what its pods still hold. */
function stakeOf(node: WorkerNode, group: string, bid: Bid, held: Resources = new Map()): BidStake {
  const { outcome, existing } = bid;
  const { spec } = outcome;
  if (!spec) return { group, bid, held, due: (left) => atMost(left, existing?.status?.allocatable), keeps: true };
  const keeps = closingOf(node, outcome)?.reason !== WindowClosed;
  return { group, bid, held, due: (left) => lentShare(left, spec.resourceLimits), keeps };
}

/** `listed` resources of `left`, none above what is left; those not listed are zero. */
function atMost(left: Resources, listed: Record<string, string> | undefined): Map<string, Quantity> {
  const limits = safeResources(listed);
  return new Map([...left].map(([name, amount]) => [name, minQuantity(limits.get(name) ?? Zero, amount)]));
}

function groupOf(namespace: string, { spec, policy }: PolicyOutcome): string {
  return groupName(namespace, labelValue((spec ?? policy.spec).cluster));
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
