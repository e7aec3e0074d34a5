/** What a policy says of itself: valid or not, open or not, how many nodes it lends, and why not more. Pure. */
import { type PolicyPhase, PolicyCondition, type ResourceLeasingPolicyStatus } from '@kubeocean/shared/api';
import { type Condition, withCondition } from '@kubeocean/shared/kube';
import { type PolicyOutcome, rfc3339 } from '@kubeocean/shared/lease';

/**
 * The status a policy should have; equal to the one it has when nothing changed. `unguarded` says why nothing new is
 * lent: the admission policies that hold tenants to it are not in force.
 */
export function policyStatus(outcome: PolicyOutcome, now: Date, unguarded?: string): ResourceLeasingPolicyStatus {
  const { policy, inside, closesAt, opensAt, nodes } = outcome;
  const previous = policy.status;
  const generation = policy.metadata.generation;
  const phase = phaseOf(outcome);
  const leased = leasedCondition(outcome, unguarded);
  const steady = previous?.phase === phase && previous.activeTimeWindow === inside;
  const lastAppliedTime = steady && previous.lastAppliedTime ? previous.lastAppliedTime : rfc3339(now);
  return {
    phase,
    activeTimeWindow: inside,
    lastAppliedTime,
    ...(generation !== undefined && { observedGeneration: generation }),
    ...(closesAt && { closesAt: rfc3339(closesAt) }),
    ...(opensAt && { opensAt: rfc3339(opensAt) }),
    nodes: nodes.length,
    ...(leased.reason && { reason: leased.reason }),
    conditions: [validCondition(outcome), activeCondition(outcome), leased].reduce<Condition[]>(
      (list, condition) =>
        withCondition(list, { ...condition, ...(generation !== undefined && { observedGeneration: generation }) }, now),
      previous?.conditions ?? [],
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

function leasedCondition(outcome: PolicyOutcome, unguarded: string | undefined): Condition {
  const type = PolicyCondition.leased;
  const { policy, spec, problem, claim, nodes, passedOver } = outcome;
  const cluster = (spec ?? policy.spec).cluster;
  const remark = claim.remark ? `; ${claim.remark}` : '';
  const older = [...new Set(passedOver.values())].sort().join(', ');
  const passed = passedOver.size > 0 ? `; ${count(passedOver.size)} lent by the older policy ${older}` : '';
  if (unguarded !== undefined && claim.served) {
    const stays = nodes.length > 0 ? `; what is lent already stays lent: ${count(nodes.length)}` : '';
    return {
      type,
      status: nodes.length > 0 ? 'True' : 'False',
      reason: 'NotGuarded',
      message: `nothing more is lent: ${unguarded}${stays}`,
    };
  }
  if (nodes.length > 0) {
    return {
      type,
      status: 'True',
      reason: 'NodesLent',
      message: `${count(nodes.length)} lent to ${cluster}${passed}${remark}`,
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

function count(nodes: number): string {
  return nodes === 1 ? '1 node' : `${nodes} nodes`;
}
