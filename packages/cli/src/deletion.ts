/** That a policy is being deleted, in words. Pure. */
import type { ResourceLeasingPolicy } from '@kubeocean/shared/api';
import { Foreign } from './adopt/found.ts';

/** `is being deleted since …`, and what keeps it; only for one that is. */
export function deletionText({ metadata, spec }: ResourceLeasingPolicy): string {
  const { deletionTimestamp, finalizers = [] } = metadata;
  const named = finalizers.map((one) =>
    one === Foreign.policyFinalizer
      ? `${one} (of gocrane/kubeocean: "kubeocean adopt ${spec.cluster}" takes it off)`
      : one,
  );
  const kept = named.length > 0 ? `; these finalizers keep it: ${named.join(', ')}` : '';
  return `is being deleted since ${deletionTimestamp}, so it lends nothing any more${kept}`;
}
