/** What a policy says of itself: valid or not, open or not, how many nodes it lends, and why not more. Pure. */
import {
  type PolicyPhase,
  PolicyCondition,
  type PolicyResource,
  type ResourceLeasingPolicyStatus,
} from '@kubeocean/shared/api';
import { type Condition, printable, withCondition } from '@kubeocean/shared/kube';
import { formatForPeople, type PolicyOutcome, rfc3339 } from '@kubeocean/shared/lease';
import { type NodeWords, nodeWords } from './node-words.ts';

/** Nodes, policies or kinds of closings that a message tells one by one. */
const MOST_NAMED = 5;
/** Characters of a message. */
const LONGEST = 4000;

/** What is wrong with the cluster as a whole, for the policies that lend. */
export interface Remarks {
  /** Why nothing new is lent: the admission policies that hold tenants to it are not in force. */
  unguarded?: string | undefined;
  /** Pods here have addresses that computing clusters use too. */
  overlap?: string | undefined;
  /** Pods from before the chart that belong to nobody. */
  earlier?: string | undefined;
  /** Why nothing can be told of what it lends: the namespace of its tenant may not be read. */
  frozen?: string | undefined;
  /** A node of the cluster by its name. */
  nodeOf?: (name: string) => NodeWords | undefined;
}

/** The status a policy should have; equal to the one it has when nothing changed. */
export function policyStatus(
  outcome: PolicyOutcome,
  now: Date,
  { unguarded, overlap, earlier, frozen, nodeOf = () => undefined }: Remarks = {},
): ResourceLeasingPolicyStatus {
  const { policy, inside, closesAt, opensAt, nodes } = outcome;
  const previous = policy.status;
  const generation = policy.metadata.generation;
  const phase = phaseOf(outcome);
  const leased =
    frozen === undefined
      ? alsoSaying(leasedCondition(outcome, unguarded), nodeWords(outcome, nodeOf))
      : frozenCondition(frozen);
  const steady = previous?.phase === phase && previous.activeTimeWindow === inside;
  const lastAppliedTime = steady && previous.lastAppliedTime ? previous.lastAppliedTime : rfc3339(now);
  return {
    phase,
    activeTimeWindow: inside,
    lastAppliedTime,
    ...(generation !== undefined && { observedGeneration: generation }),
    ...(closesAt && { closesAt: rfc3339(closesAt) }),
    ...(opensAt && { opensAt: rfc3339(opensAt) }),
    // What is lent there stays as it was, so what was told of it does.
    nodes: frozen === undefined ? nodes.length - outcome.closing.size : (previous?.nodes ?? 0),
    resources: frozen === undefined ? resourcesOf(outcome) : (previous?.resources ?? []),
    ...(outcome.problem !== undefined && outcome.spec && { lastValidSpec: outcome.spec }),
    ...(leased.reason && { reason: outcome.problem === undefined ? leased.reason : 'ValidationError' }),
    conditions: [
      validCondition(outcome),
      activeCondition(outcome),
      leased,
      ...(frozen === undefined ? [fitsCondition(outcome)] : []),
      ...remarkCondition(PolicyCondition.networkOverlap, 'RangesOverlap', overlap),
      ...remarkCondition(PolicyCondition.foreignState, 'EarlierPods', earlier),
    ].reduce<Condition[]>(
      (list, condition) =>
        withCondition(
          list,
          { ...shortened(condition), ...(generation !== undefined && { observedGeneration: generation }) },
          now,
        ),
      (previous?.conditions ?? []).filter(
        ({ type }) =>
          (overlap !== undefined || type !== PolicyCondition.networkOverlap) &&
          (earlier !== undefined || type !== PolicyCondition.foreignState),
      ),
    ),
  };
}

function phaseOf({ problem, claim, inside }: PolicyOutcome): PolicyPhase {
  if (problem !== undefined) return 'Failed';
  if (!claim.served) return 'Pending';
  return inside ? 'Active' : 'Inactive';
}

function validCondition({ problem, spec, nodes }: PolicyOutcome): Condition {
  const type = PolicyCondition.valid;
  if (problem === undefined) return { type, status: 'True', reason: 'ValidationPassed', message: 'the spec is valid' };
  const applies = spec ? '; until it is corrected the last valid spec applies' : '';
  const stays = !spec && nodes.length > 0 ? '; what was lent before stays lent' : '';
  return { type, status: 'False', reason: 'ValidationError', message: `${problem}${applies}${stays}` };
}

function activeCondition({ spec, problem, inside, closesAt, opensAt }: PolicyOutcome): Condition {
  const type = PolicyCondition.active;
  if (!spec) return { type, status: 'False', reason: 'ValidationError', message: `the spec is not valid: ${problem}` };
  if (inside) {
    const until = closesAt ? `a time window is open until ${rfc3339(closesAt)}` : 'open at all times';
    return { type, status: 'True', reason: 'ActiveTimeWindow', message: until };
  }
  const next = opensAt ? `the next one opens at ${rfc3339(opensAt)}` : 'none will ever open';
  return { type, status: 'False', reason: 'InactiveTimeWindow', message: `no time window is open; ${next}` };
}

function alsoSaying(condition: Condition, words: string): Condition {
  return words === '' ? condition : { ...condition, message: `${condition.message}${words}` };
}

function frozenCondition(message: string): Condition {
  return { type: PolicyCondition.leased, status: 'Unknown', reason: 'TenantNotReadable', message };
}

function leasedCondition(outcome: PolicyOutcome, unguarded: string | undefined): Condition {
  const type = PolicyCondition.leased;
  const { policy, spec, problem, claim, nodes, passedOver } = outcome;
  const cluster = (spec ?? policy.spec).cluster;
  const remark = claim.remark ? `; ${claim.remark}` : '';
  const older = firstOf([...new Set(passedOver.values())].sort(), ', ', 'policies');
  const passed = passedOver.size > 0 ? `; ${count(passedOver.size)} lent by the older policy ${older}` : '';
  const open = nodes.length - outcome.closing.size;
  const closing = closingWords(outcome.closing);
  if (unguarded !== undefined && claim.served) {
    const stays = open > 0 ? `; what is lent already stays lent: ${count(open)}` : '';
    const shut = closing.length > 0 ? `; ${closing.join('; ')}` : '';
    return {
      type,
      status: open > 0 ? 'True' : 'False',
      reason: 'NotGuarded',
      message: `nothing more is lent: ${unguarded}${stays}${shut}`,
    };
  }
  if (open > 0) {
    const held = outcome.shrunk.size > 0 ? `; lent pods hold more than that on ${count(outcome.shrunk.size)}` : '';
    const invalid = problem === undefined ? '' : `; the spec is not valid: ${problem}`;
    const shut = closing.length > 0 ? `; ${closing.join('; ')}` : '';
    return {
      type,
      status: 'True',
      reason: 'NodesLent',
      message: `${count(open)} lent to ${cluster}${shut}${passed}${remark}${held}${invalid}${whyNotMore(resourcesOf(outcome))}`,
    };
  }
  if (nodes.length > 0) {
    const [first] = outcome.closing.values();
    return {
      type,
      status: 'False',
      reason: first?.reason ?? 'Closing',
      message: `${closing.join('; ')}${passed}${remark}`,
    };
  }
  if (!claim.served)
    return { type, status: 'False', reason: 'NotClaimed', message: claim.remark ?? 'nobody claims it' };
  if (!spec) return { type, status: 'False', reason: 'ValidationError', message: `the spec is not valid: ${problem}` };
  if (passedOver.size > 0) {
    const message = `every node it selects is lent to ${cluster} by the older policy ${older}${remark}`;
    return { type, status: 'False', reason: 'EarlierPolicy', message };
  }
  const message = `no node matches both its nodeSelector and that of the ClusterBinding ${cluster}${remark}`;
  return { type, status: 'False', reason: 'NoNodeMatches', message };
}

/** Of the nodes that take no new pods: why, and what becomes of the pods that run, each that is said with its nodes. */
function closingWords(closing: PolicyOutcome['closing']): string[] {
  const counts = new Map<string, number>();
  for (const { message, reclaimAt, reclaimDeadline, reclaimStage } of closing.values()) {
    const then =
      reclaimAt === undefined
        ? 'running pods may stay'
        : reclaimStage === 'Done'
          ? 'nothing lent runs there any more'
          : `running pods are evicted from ${reclaimAt} and deleted at ${reclaimDeadline}`;
    const words = `${message ?? 'closing'}; ${then}`;
    counts.set(words, (counts.get(words) ?? 0) + 1);
  }
  const said = [...counts].map(([words, nodes]) => `${count(nodes)} closed to new pods: ${words}`);
  const rest = [...counts.values()].slice(MOST_NAMED).reduce((sum, nodes) => sum + nodes, 0);
  return rest === 0 ? said : [...said.slice(0, MOST_NAMED), `and ${count(rest, 'more ')} closed to new pods`];
}

/** The first few of a list in words, and how many more there are. */
function firstOf(list: readonly string[], separator: string, what: string): string {
  const more = list.length > MOST_NAMED ? ` and ${list.length - MOST_NAMED} more ${what}` : '';
  return `${list.slice(0, MOST_NAMED).join(separator)}${more}`;
}

/**
 * The API server takes 32,768 characters, and refuses the whole status for one more. Nobody reads as many. What a claim says is
 * quoted, which another cluster writes.
 */
function shortened(condition: Condition): Condition {
  const { message = '' } = condition;
  const text = message.length > LONGEST ? `${message.slice(0, LONGEST).toWellFormed()}…` : message;
  return { ...condition, message: printable(text) };
}

/** There only while there is something to say. */
function remarkCondition(type: string, reason: string, message: string | undefined): Condition[] {
  return message === undefined ? [] : [{ type, status: 'True', reason, message }];
}

/** Where the nodes' resources go to, those that everybody asks about first. */
function resourcesOf({ account }: PolicyOutcome): PolicyResource[] {
  const first = ['cpu', 'memory', 'pods'];
  const names = [...account.keys()].sort();
  return [...first.filter((name) => account.has(name)), ...names.filter((name) => !first.includes(name))].flatMap(
    (resource) => {
      const parts = account.get(resource);
      if (!parts) return [];
      const [has, native, others, kept, lent] = [parts.has, parts.native, parts.others, parts.kept, parts.lent].map(
        formatForPeople,
      ) as [string, string, string, string, string];
      const closed = parts.closed.nanos === 0n ? {} : { closed: formatForPeople(parts.closed) };
      return { resource, has, native, others, kept, ...closed, lent };
    },
  );
}

/** What keeps the first resources from being lent in full, in words. */
function whyNotMore(resources: readonly PolicyResource[]): string {
  const limited = resources.slice(0, 3).filter(({ has, lent }) => has !== lent);
  const words = limited.map(({ resource, has, lent, native, others, kept, closed }) => {
    const takers = [
      native === '0' ? [] : [`the nodes' own pods take ${native}`],
      others === '0' ? [] : [`other bindings ${others}`],
      kept === '0' ? [] : [`resourceLimits keep ${kept}`],
      closed === undefined ? [] : [`closed to new pods ${closed}`],
    ];
    return `; ${resource} ${lent} of ${has}: ${takers.flat().join(', ')}`;
  });
  return words.join('');
}

/** Whether what lent pods hold is no more than what is lent by now. */
function fitsCondition({ shrunk }: PolicyOutcome): Condition {
  const type = PolicyCondition.fits;
  if (shrunk.size === 0) {
    return { type, status: 'True', reason: 'PodsFit', message: 'lent pods hold no more than is lent' };
  }
  const nodes = [...shrunk].sort(([a], [b]) => (a < b ? -1 : 1)).map(([node, short]) => `${node} (${short})`);
  const message = `lent pods hold more than is lent by now on ${firstOf(nodes, '; ', 'nodes')}; they stay, and none fits there until some have gone`;
  return { type, status: 'False', reason: 'Shrunk', message };
}

function count(nodes: number, more = ''): string {
  return nodes === 1 ? `1 ${more}node` : `${nodes} ${more}nodes`;
}
