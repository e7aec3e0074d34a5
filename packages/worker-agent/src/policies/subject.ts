import { ApiGroup, ApiVersion, type ResourceLeasingPolicy } from '@kubeocean/shared/api';
import type { EventSubject } from '@kubeocean/shared/kube';

/** A policy as what an event is about. */
export function policySubject({ metadata }: ResourceLeasingPolicy): EventSubject {
  return { apiVersion: `${ApiGroup}/${ApiVersion}`, kind: 'ResourceLeasingPolicy', metadata };
}
