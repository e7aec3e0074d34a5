/** The kinds of Kubernetes itself that Kubeocean talks to. Its own kinds are in `api/`. */
import type { Resource } from './types.ts';

function core(plural: string, kind: string, namespaced: boolean): Resource {
  return { group: '', version: 'v1', plural, kind, namespaced };
}

function grouped(group: string, version: string, plural: string, kind: string, namespaced: boolean): Resource {
  return { group, version, plural, kind, namespaced };
}

export const Pods = core('pods', 'Pod', true);
export const Nodes = core('nodes', 'Node', false);
export const ConfigMaps = core('configmaps', 'ConfigMap', true);
export const Secrets = core('secrets', 'Secret', true);
export const Services = core('services', 'Service', true);
export const ServiceAccounts = core('serviceaccounts', 'ServiceAccount', true);
export const Namespaces = core('namespaces', 'Namespace', false);
export const Events: Resource = { ...core('events', 'Event', true), uncached: true };
export const PersistentVolumeClaims = core('persistentvolumeclaims', 'PersistentVolumeClaim', true);
export const PersistentVolumes = core('persistentvolumes', 'PersistentVolume', false);
export const Deployments = grouped('apps', 'v1', 'deployments', 'Deployment', true);
export const CSINodes = grouped('storage.k8s.io', 'v1', 'csinodes', 'CSINode', false);
export const PriorityClasses = grouped('scheduling.k8s.io', 'v1', 'priorityclasses', 'PriorityClass', false);
export const StorageClasses = grouped('storage.k8s.io', 'v1', 'storageclasses', 'StorageClass', false);
export const Leases = grouped('coordination.k8s.io', 'v1', 'leases', 'Lease', true);
export const NetworkPolicies = grouped('networking.k8s.io', 'v1', 'networkpolicies', 'NetworkPolicy', true);
export const EndpointSlices = grouped('discovery.k8s.io', 'v1', 'endpointslices', 'EndpointSlice', true);
export const ClusterRoleBindings = grouped(
  'rbac.authorization.k8s.io',
  'v1',
  'clusterrolebindings',
  'ClusterRoleBinding',
  false,
);
export const RoleBindings = grouped('rbac.authorization.k8s.io', 'v1', 'rolebindings', 'RoleBinding', true);
export const CertificateSigningRequests = grouped(
  'certificates.k8s.io',
  'v1',
  'certificatesigningrequests',
  'CertificateSigningRequest',
  false,
);
export const SubjectAccessReviews = grouped(
  'authorization.k8s.io',
  'v1',
  'subjectaccessreviews',
  'SubjectAccessReview',
  false,
);
export const SelfSubjectAccessReviews = grouped(
  'authorization.k8s.io',
  'v1',
  'selfsubjectaccessreviews',
  'SelfSubjectAccessReview',
  false,
);
export const ValidatingAdmissionPolicies = grouped(
  'admissionregistration.k8s.io',
  'v1',
  'validatingadmissionpolicies',
  'ValidatingAdmissionPolicy',
  false,
);
export const ValidatingAdmissionPolicyBindings = grouped(
  'admissionregistration.k8s.io',
  'v1',
  'validatingadmissionpolicybindings',
  'ValidatingAdmissionPolicyBinding',
  false,
);
export const SelfSubjectReviews = grouped(
  'authentication.k8s.io',
  'v1',
  'selfsubjectreviews',
  'SelfSubjectReview',
  false,
);
export const TokenReviews = grouped('authentication.k8s.io', 'v1', 'tokenreviews', 'TokenReview', false);
