/** The binding as the subject of an event. */
import { type ClusterBinding, ClusterBindings } from '@kubeocean/shared/api';
import { apiVersionOf, type EventSubject } from '@kubeocean/shared/kube';

export function bindingSubject({ metadata: { name, uid } }: ClusterBinding): EventSubject {
  return {
    apiVersion: apiVersionOf(ClusterBindings),
    kind: ClusterBindings.kind,
    metadata: { name, ...(uid && { uid }) },
  };
}
