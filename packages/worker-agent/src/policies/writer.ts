/** Writes policy statuses that changed, and tells what is new in them as Events on the policy. */
import {
  PolicyCondition,
  type PolicyConditionType,
  ResourceLeasingPolicies,
  type ResourceLeasingPolicy,
  type ResourceLeasingPolicyStatus,
} from '@kubeocean/shared/api';
import {
  type Condition,
  type EventRecorder,
  isNotFound,
  type Json,
  type KubeClient,
  replacePatch,
} from '@kubeocean/shared/kube';
import { policySubject } from './subject.ts';

export interface PolicyWrite {
  policy: ResourceLeasingPolicy;
  status: ResourceLeasingPolicyStatus;
  patch: Json;
}

/** The write that gives a policy this status; undefined when it has it. */
export function planPolicy(
  policy: ResourceLeasingPolicy,
  status: ResourceLeasingPolicyStatus,
): PolicyWrite | undefined {
  const patch = replacePatch(policy.status as Json | undefined, status as Json);
  return patch && { policy, status, patch };
}

/** @returns false when the policy is gone. @throws ApiError | ConnectionError */
export async function writePolicy(
  client: KubeClient,
  { policy, patch }: PolicyWrite,
  signal: AbortSignal,
): Promise<boolean> {
  const { name, uid } = policy.metadata;
  try {
    await client.patch(
      ResourceLeasingPolicies,
      '',
      name,
      { metadata: { uid }, status: patch },
      { subresource: 'status', signal },
    );
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

/** What a status that was written says that the one before did not. */
export function tellPolicy({ policy, status }: PolicyWrite, events: EventRecorder): void {
  const subject = policySubject(policy);
  const fits = conditionOf(status, PolicyCondition.fits);
  const fitted = conditionOf(policy.status, PolicyCondition.fits)?.status !== 'False';
  if (fits && (fits.status === 'True') !== fitted) {
    events.event(subject, fitted ? 'Warning' : 'Normal', fits.reason ?? 'Fits', fits.message ?? '');
  }
  for (const type of [PolicyCondition.networkOverlap, PolicyCondition.foreignState]) {
    const remark = conditionOf(status, type);
    if (remark && !conditionOf(policy.status, type)) events.event(subject, 'Warning', type, remark.message ?? '');
  }
  if (policy.status?.phase === status.phase) return;
  const about = status.phase === 'Failed' ? 'valid' : status.phase === 'Pending' ? 'leased' : 'active';
  const condition = conditionOf(status, PolicyCondition[about]);
  events.event(
    subject,
    status.phase === 'Failed' ? 'Warning' : 'Normal',
    condition?.reason ?? 'PhaseChanged',
    `${status.phase}: ${condition?.message ?? ''}`,
  );
}

function conditionOf(
  status: ResourceLeasingPolicyStatus | undefined,
  type: PolicyConditionType,
): Condition | undefined {
  return status?.conditions?.find((condition) => condition.type === type);
}
