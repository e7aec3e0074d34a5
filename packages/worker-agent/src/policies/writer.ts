/** Writes policy statuses that changed, and tells phase changes as Events on the policy. */
import {
  ApiGroup,
  ApiVersion,
  ResourceLeasingPolicies,
  type ResourceLeasingPolicy,
  type ResourceLeasingPolicyStatus,
} from '@kubeocean/shared/api';
import { type EventRecorder, isNotFound, type Json, type KubeClient, replacePatch } from '@kubeocean/shared/kube';

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

/** @throws ApiError | ConnectionError; a policy that is gone is no error */
export async function writePolicy(
  client: KubeClient,
  write: PolicyWrite,
  events: EventRecorder,
  signal: AbortSignal,
): Promise<void> {
  const { policy, status, patch } = write;
  const { name, uid } = policy.metadata;
  try {
    await client.patch(
      ResourceLeasingPolicies,
      '',
      name,
      { metadata: { uid }, status: patch },
      { subresource: 'status', signal },
    );
  } catch (error) {
    if (isNotFound(error)) return;
    throw error;
  }
  if (policy.status?.phase === status.phase) return;
  const subject = { apiVersion: `${ApiGroup}/${ApiVersion}`, kind: 'ResourceLeasingPolicy', metadata: policy.metadata };
  const about = status.phase === 'Failed' ? 'Valid' : status.phase === 'Pending' ? 'Leased' : 'Active';
  const condition = status.conditions?.find(({ type }) => type === about);
  events.event(
    subject,
    status.phase === 'Failed' ? 'Warning' : 'Normal',
    condition?.reason ?? 'PhaseChanged',
    `${status.phase}: ${condition?.message ?? ''}`,
  );
}
