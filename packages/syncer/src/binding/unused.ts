/** Fields of a binding that are accepted, for manifests of gocrane/kubeocean, and do nothing: a condition says so. */
import { BindingCondition } from '@kubeocean/shared/api';
import type { SyncerContext } from '../context.ts';

/** Says it while the field is set, and takes it back when it no longer is. */
export function reportUnused(context: Pick<SyncerContext, 'binding' | 'report'>): void {
  const { spec, status } = context.binding();
  const type = BindingCondition.serviceNamespacesUnused;
  if ((spec.serviceNamespaces?.length ?? 0) > 0) {
    const message =
      'spec.serviceNamespaces is accepted and not used: Services of every namespace reach pods on vnodes; take it out';
    context.report.condition({ type, status: 'True', reason: 'NotNeeded', message });
  } else if (status?.conditions?.some((condition) => condition.type === type && condition.status === 'True')) {
    context.report.condition({ type, status: 'False', reason: 'NotSet', message: 'spec.serviceNamespaces is not set' });
  }
}
