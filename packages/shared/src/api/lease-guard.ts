/**
 * LeaseGuard: in the worker cluster, one object per mount namespace that says which nodes are open for new pods, and of
 * which bindings. It is the parameter of the admission policy `kubeocean-tenants`, so it is of a kind that tenants have
 * no right on. Not a ConfigMap: API servers up to at least 1.36 stop watching parameters of built-in kinds for good when
 * the last policy that uses them goes (kubernetes/kubernetes issue 130887), and then decide by what they saw last.
 */
import type { KubeObject, ObjectMeta, Resource } from '../kube/types.ts';

export const LeaseGuards: Resource = {
  group: 'cloud.tencent.com',
  version: 'v1beta1',
  plural: 'leaseguards',
  kind: 'LeaseGuard',
  namespaced: true,
};

export interface LeaseGuard extends KubeObject {
  metadata: ObjectMeta & { namespace: string };
  spec: {
    /** By node, the values of the label `kubeocean.io/cluster-binding` of the bindings it is open for. */
    open: Record<string, string[]>;
  };
}
