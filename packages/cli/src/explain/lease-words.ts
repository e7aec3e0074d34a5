/** Leases in words: what a record says, why a policy does not lend a node, what comes next. Pure. */
import {
  Annotation,
  type LeasedNode,
  type LeasedNodeStatus,
  type NodeSelector,
  type ResourceLeasingPolicySpec,
} from '@kubeocean/shared/api';
import {
  formatForPeople,
  isLendable,
  isOpen,
  isSettling,
  isTakenBack,
  matchesNode,
  ownLabel,
  parseQuantity,
  QuantityError,
  Shrunk,
  type WorkerNode,
} from '@kubeocean/shared/lease';
import { duration, whenFrom } from '../times.ts';
import { agentSilence, isGoing, type PolicyView, recordOf, type World, zoneOf } from './world.ts';

/** `cpu 4, memory 27Gi, pods 80`. */
export function amounts(resources: Record<string, string> | undefined): string {
  const listed = Object.entries(resources ?? {}).filter(([, amount]) => amount !== '0');
  if (listed.length === 0) return 'nothing (every amount is zero)';
  return listed.map(([name, amount]) => `${name} ${forPeople(name, amount)}`).join(', ');
}

/** An amount as it is read: bytes in whole mebis where they are many. */
export function forPeople(resource: string, amount: string): string {
  try {
    const quantity = parseQuantity(amount);
    const bytes = /^(memory|ephemeral-storage|hugepages-.+)$/.test(resource);
    return formatForPeople(bytes ? { ...quantity, format: 'BinarySI' } : quantity);
  } catch (error) {
    if (error instanceof QuantityError) return amount;
    throw error;
  }
}

/** What a record says of itself. */
export function recordText({ spec, status = {} }: LeasedNode): string {
  const policy = status.policy ?? spec.policy;
  const why = status.message ?? status.reason ?? 'no reason is given';
  switch (status.phase) {
    case 'Active': {
      const lent = `lent to ${spec.cluster} under policy ${policy}: ${amounts(status.allocatable)}`;
      return status.reason === Shrunk ? `${lent}; ${why}` : lent;
    }
    case 'Closing':
      return status.reclaimStage === 'Done'
        ? `closed to ${spec.cluster} under policy ${policy}, and nothing lent runs there: ${why}`
        : `closing to ${spec.cluster} under policy ${policy}, so it takes no new pods: ${why}`;
    case 'Closed':
      return `not lent to ${spec.cluster} any more (${status.reason ?? 'Closed'}): ${why}`;
    case undefined:
      return `a record for ${spec.cluster} was just made and says nothing yet`;
  }
}

/** What time, or the owner, will do to a record. */
export function recordNext(
  { status = {} }: LeasedNode,
  policy: ResourceLeasingPolicySpec | undefined,
  zone: string,
  now: Date,
): string[] {
  const at = (time: string): string => whenFrom(now, new Date(time), zone);
  const { window = {} } = status;
  if (status.phase === 'Active') {
    if (!window.closesAt) return ['No window closes: it stays lent until the policy, the node or the claim changes.'];
    const closes = `The window closes ${at(window.closesAt)}: from then on no new pods.`;
    if (!policy) return [closes];
    const seconds = policy.gracefulReclaimPeriodSeconds ?? 0;
    const grace = seconds === 0 ? 'at once then' : `${duration(seconds * 1000)} after that`;
    const then = policy.forceReclaim
      ? `Running lent pods are evicted ${grace} (forceReclaim), unless a window opens again first.`
      : 'Running lent pods may stay (no forceReclaim).';
    return [closes, then, ...opensAgain(window.opensAt, at)];
  }
  if (isSettling(status)) {
    return ['Unless that changes within seconds, the computing cluster drains and removes its vnode.'];
  }
  if (status.phase === 'Closing') {
    const reopens =
      status.reason === 'ReclaimedByOwner'
        ? [`It is lent again once the annotation ${Annotation.reclaim} is taken off.`]
        : opensAgain(window.opensAt, at);
    return [...reclaimText(status, at), ...reopens];
  }
  if (status.phase === 'Closed') return ['The computing cluster drains and removes its vnode.'];
  return [];
}

function opensAgain(opensAt: string | undefined, at: (time: string) => string): string[] {
  return [opensAt ? `It opens again ${at(opensAt)}.` : 'No window opens after that.'];
}

function reclaimText(status: LeasedNodeStatus, at: (time: string) => string): string[] {
  const { reclaimAt, reclaimDeadline, reclaimStage } = status;
  if (!reclaimAt) return ['Running lent pods may stay (no forceReclaim).'];
  const deadline = reclaimDeadline
    ? [`Those left are deleted past every disruption budget ${at(reclaimDeadline)}.`]
    : [];
  switch (reclaimStage) {
    case 'Notice':
    case undefined:
      return [`Running lent pods have notice: evicted ${at(reclaimAt)}.`, ...deadline];
    case 'Syncer':
      return [
        'Lent pods are being evicted by the computing cluster now; the agent follows with what is left.',
        ...deadline,
      ];
    case 'Evicting':
      return ['The agent is evicting the lent pods now.', ...deadline];
    case 'Deleting':
      return ['The deadline is over: what is left of the lent pods is being deleted.'];
    case 'Done':
      return ['Nothing lent runs there any more.'];
  }
}

export interface NodeVerdict {
  /** Whether the policy lends the node: yes; not to new pods any more; not at all; what would say so cannot be read. */
  lent: 'open' | 'closing' | 'no' | 'unseen';
  /** Why, in one word, where the policy does not want the node at all. */
  reason?: 'NotSelected';
  text: string;
}

/** What one policy means for one node, and why not more. */
export function verdictOn(view: PolicyView, node: WorkerNode, world: World): NodeVerdict {
  const { policy, claim, cluster, problem } = view;
  const { name } = policy.metadata;
  const record = recordOf(world, cluster, node.metadata.name, claim.served?.namespace);
  if (
    isOpen(record) &&
    record.spec.nodeUID === node.metadata.uid &&
    (record.status?.policy ?? record.spec.policy) === name
  ) {
    return { lent: record.status?.phase === 'Closing' ? 'closing' : 'open', text: recordText(record) };
  }
  const no = (text: string): NodeVerdict => ({ lent: 'no', text });
  if (isGoing(view)) return no('not lent by this policy: it is being deleted');
  const { nodeSelector } = view.spec ?? policy.spec;
  if (!isLendable(node)) return no('not lent: it is a virtual node itself');
  if (!matchesNode(nodeSelector, node)) {
    const text = `not lent: the policy's nodeSelector does not match it: ${mismatch(nodeSelector, node)}`;
    return { lent: 'no', reason: 'NotSelected', text };
  }
  if (!world.seen.leases) return unseen('the claims (Leases)', world);
  if (!claim.served) return no(`not lent: ${claim.remark}`);
  if (!view.spec) return no(`nothing new is lent: the policy is not valid: ${problem}`);
  if (claim.served.problem !== undefined) return no(`nothing new is lent: ${claim.remark}`);
  if (!matchesNode(claim.served.nodeSelector, node)) {
    const why = mismatch(claim.served.nodeSelector, node);
    return no(`not lent: the nodeSelector of the ClusterBinding ${cluster} does not match it: ${why}`);
  }
  const older = world.policies
    .slice(0, world.policies.indexOf(view))
    .find(
      (other) =>
        other.cluster === cluster && !isGoing(other) && other.spec && matchesNode(other.spec.nodeSelector, node),
    );
  if (older) return no(`not lent by this policy: ${precedence(older, world)}`);
  const guard = policy.status?.conditions?.find(({ type, reason }) => type === 'Leased' && reason === 'NotGuarded');
  if (guard) return no(`not lent: ${guard.message}`);
  const silence = agentSilence(world, claim.served.namespace);
  if (silence) return no(`not lent yet: ${silence}`);
  if (record) return no(recordText(record));
  if (!world.seen.records) return unseen('the LeasedNodes', world);
  return no('not lent yet, although everything matches: the agent has made no record; see its log');
}

/** Where it is lent there is a record: a list of them that could be read, and has none, still says that it is not. */
function unseen(what: string, { seen }: World): NodeVerdict {
  if (seen.records) return { lent: 'no', text: `not lent; why cannot be seen, for ${what} cannot be read` };
  return { lent: 'unseen', text: `whether it is lent cannot be seen, for ${what} cannot be read` };
}

/** Of policies for one binding the oldest decides, whether it is open or not. */
function precedence(older: PolicyView, world: World): string {
  const { name } = older.policy.metadata;
  if (older.inside && !isTakenBack(older.policy)) return `the older policy ${name} lends it to ${older.cluster}`;
  return `the older policy ${name} decides for ${older.cluster} here, and it ${windowText(older, world)}`;
}

/** Which condition of a selector fails, per term. */
export function mismatch(selector: NodeSelector | undefined, node: WorkerNode): string {
  const terms = selector?.nodeSelectorTerms ?? [];
  const reasons = terms.map((term) => {
    const wanted = [
      ...(term.matchExpressions ?? []).map((one) => ({ one, only: { matchExpressions: [one] } })),
      ...(term.matchFields ?? []).map((one) => ({ one, only: { matchFields: [one] } })),
    ];
    if (wanted.length === 0) return 'a term without conditions matches no node';
    const failing = wanted.find(({ only }) => !matchesNode({ nodeSelectorTerms: [only] }, node));
    if (!failing) return 'matches';
    const { key, operator, values } = failing.one;
    const value = key === 'metadata.name' ? node.metadata.name : ownLabel(node.metadata.labels ?? {}, key);
    const has = value === undefined ? 'the node has no such label' : `the node has "${value}"`;
    return `wants ${key} ${operator}${values?.length ? ` (${values.join(', ')})` : ''}, ${has}`;
  });
  return reasons.join('; or ');
}

/** That the owner takes something back, in words; undefined when not. */
export function takenBack(view: PolicyView, node: WorkerNode | undefined): string | undefined {
  const on = isTakenBack(view.policy)
    ? `the policy ${view.policy.metadata.name}`
    : node && isTakenBack(node)
      ? 'the node'
      : undefined;
  return on && `the owner takes it back: annotation ${Annotation.reclaim} on ${on}`;
}

/** Whether a policy is open and until when. */
export function windowText(view: PolicyView, world: World): string {
  if (isGoing(view)) return 'is being deleted';
  if (!view.spec) return 'is not valid';
  if (isTakenBack(view.policy)) return `is taken back by its owner (annotation ${Annotation.reclaim})`;
  if (view.problem === undefined) return openText(view, world);
  return `is not valid, and its last valid spec applies, which ${openText(view, world)}`;
}

function openText(view: PolicyView, world: World): string {
  const zone = zoneOf(view, world);
  const at = (time: Date): string => whenFrom(world.now, time, zone);
  if (view.inside) return view.closesAt ? `is open; closes ${at(view.closesAt)}` : 'is open at all times';
  return view.opensAt ? `is closed; opens ${at(view.opensAt)}` : 'is closed, and none of its windows ever opens';
}
