/**
 * Accounts and rights of a binding's syncer and proxier, and the Service by which the proxier's replicas are found.
 * The roles are the chart's; the manager may bind those and no others.
 */
import {
  ChartName,
  type ClusterBinding,
  HealthPortName,
  Namespace,
  Port,
  proxierName,
  syncerName,
} from '@kubeocean/shared/api';
import { ClusterRoleBindings, type Json, RoleBindings, ServiceAccounts, Services } from '@kubeocean/shared/kube';
import { type ComponentName, type Made, made, selectorLabels } from './made.ts';

export function componentName(component: ComponentName, clusterID: string): string {
  return component === 'syncer' ? syncerName(clusterID) : proxierName(clusterID);
}

/** ServiceAccounts, ClusterRoleBindings, RoleBindings and the headless Service, in the order they are applied. */
export function accessObjects(binding: ClusterBinding): Made[] {
  const { clusterID } = binding.spec;
  const objects: Made[] = [];
  for (const [component, clusterRole] of [
    ['syncer', ChartName.syncerClusterRole],
    ['proxier', ChartName.proxierClusterRole],
  ] as const) {
    const name = componentName(component, clusterID);
    objects.push(
      made(binding, component, ServiceAccounts, { name, namespace: Namespace.system }, {}),
      made(binding, component, ClusterRoleBindings, { name }, roleBinding(name, clusterRole)),
    );
  }
  const syncer = syncerName(clusterID);
  for (const namespace of [Namespace.system, Namespace.nodeLease]) {
    const rights = roleBinding(syncer, ChartName.syncerLeasesClusterRole);
    objects.push(made(binding, 'syncer', RoleBindings, { name: syncer, namespace }, rights));
  }
  objects.push(
    made(
      binding,
      'proxier',
      Services,
      { name: proxierName(clusterID), namespace: Namespace.system },
      {
        spec: {
          // Without a cluster IP: the syncer reads the ready replicas from its EndpointSlices.
          clusterIP: 'None',
          selector: selectorLabels(binding, 'proxier'),
          ports: [{ name: HealthPortName, port: Port.health, targetPort: HealthPortName, protocol: 'TCP' }],
        },
      },
    ),
  );
  return objects;
}

function roleBinding(account: string, clusterRole: string): Json {
  return {
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: clusterRole },
    subjects: [{ kind: 'ServiceAccount', name: account, namespace: Namespace.system }],
  };
}
