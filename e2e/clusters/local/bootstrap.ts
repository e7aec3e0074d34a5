/** The objects every cluster starts with: DNS, the rights of its own processes, the computing cluster's two ways in. */

import type { Api } from './api.ts';
import type { ClusterPlan } from './plan.ts';

const rbac = 'rbac.authorization.k8s.io';

interface Port {
  name: string;
  port: number;
  target: number;
  protocol: 'TCP' | 'UDP';
}

const dnsPorts: Port[] = [
  { name: 'dns', port: 53, target: 53, protocol: 'UDP' },
  { name: 'dns-tcp', port: 53, target: 53, protocol: 'TCP' },
];

async function binding(api: Api, name: string, role: string, user: string): Promise<void> {
  await api.apply(`/apis/${rbac}/v1/clusterrolebindings/${name}`, {
    apiVersion: `${rbac}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: role },
    subjects: [{ apiGroup: rbac, kind: 'User', name: user }],
  });
}

async function rights(api: Api): Promise<void> {
  await api.apply(`/apis/${rbac}/v1/clusterroles/coredns`, {
    apiVersion: `${rbac}/v1`,
    kind: 'ClusterRole',
    metadata: { name: 'coredns' },
    rules: [
      { apiGroups: [''], resources: ['endpoints', 'services', 'pods', 'namespaces'], verbs: ['list', 'watch'] },
      { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
    ],
  });
  await binding(api, 'coredns', 'coredns', 'coredns');
  // What the API server may ask of kubelets. Named as kubeadm names it.
  await binding(api, 'kube-apiserver-kubelet-client', 'system:kubelet-api-admin', 'kube-apiserver-kubelet-client');
}

/** A Service without selector, and the one address behind it. */
async function service(
  api: Api,
  place: { namespace: string; name: string },
  spec: object,
  ports: Port[],
  address: string,
): Promise<void> {
  const { namespace, name } = place;
  await api.apply(`/api/v1/namespaces/${namespace}/services/${name}`, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: {
      ...spec,
      ports: ports.map(({ target, ...port }) => ({ ...port, targetPort: target })),
    },
  });
  const slice = `${name}-node`;
  await api.apply(`/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices/${slice}`, {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: slice, namespace, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: ports.map((port) => ({ name: port.name, port: port.target, protocol: port.protocol })),
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
  });
}

async function loadBalancer(
  api: Api,
  namespace: string,
  name: string,
  ports: Port[],
  cluster: ClusterPlan,
): Promise<void> {
  await service(
    api,
    { namespace, name },
    { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false },
    ports,
    cluster.address,
  );
  await api.apply(`/api/v1/namespaces/${namespace}/services/${name}/status`, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    status: { loadBalancer: { ingress: [{ ip: cluster.loadBalancer }] } },
  });
}

/** Applies all of them; objects that are there already are brought to what they should be. */
export async function applyBootstrap(api: Api, cluster: ClusterPlan): Promise<void> {
  await rights(api);
  const dns = { clusterIP: cluster.dnsService, clusterIPs: [cluster.dnsService] };
  await service(api, { namespace: 'kube-system', name: 'kube-dns' }, dns, dnsPorts, cluster.address);
  if (!cluster.loadBalancer) return;
  const https: Port[] = [
    { name: 'https', port: 443, target: 6443, protocol: 'TCP' },
    { name: 'https-6443', port: 6443, target: 6443, protocol: 'TCP' },
  ];
  await loadBalancer(api, 'default', 'kubernetes-intranet', https, cluster);
  await loadBalancer(api, 'kube-system', 'kube-dns-intranet', dnsPorts, cluster);
}
