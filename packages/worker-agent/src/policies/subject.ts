import { ResourceLeasingPolicies, type ResourceLeasingPolicy } from '@kubeocean/shared/api';
import { apiVersionOf, type EventSubject } from '@kubeocean/shared/kube';

/** A policy as what an event is about. */
export function policySubject({ metadata }: ResourceLeasingPolicy): EventSubject {
  return { apiVersion: apiVersionOf(ResourceLeasingPolicies), kind: ResourceLeasingPolicies.kind, metadata };
}
