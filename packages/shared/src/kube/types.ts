/**
 * The shapes every Kubernetes object shares, as raw JSON. Objects are kept as the server sent them, so fields newer
 * than this program survive a copy; only what is read is typed.
 */

/** A JSON object of unknown content. */
export type Json = Record<string, unknown>;

/** Reference to the object that owns another (metav1.OwnerReference). */
export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** metav1.ObjectMeta; times are RFC 3339 strings in UTC. */
export interface ObjectMeta {
  name: string;
  namespace?: string;
  generateName?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
  managedFields?: unknown;
  [field: string]: unknown;
}

/** Any Kubernetes object. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  [field: string]: unknown;
}

/** A list as the server sends it. */
export interface KubeList<T extends KubeObject = KubeObject> {
  metadata: { resourceVersion: string; continue?: string; remainingItemCount?: number };
  items: T[];
}

/** metav1.Condition, and the older condition shapes of nodes and pods that lack some of its fields. */
export interface Condition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
  observedGeneration?: number;
  [field: string]: unknown;
}

/** Names one kind on the wire: `/api/v1/...` when group is empty, `/apis/<group>/<version>/...` otherwise. */
export interface Resource {
  group: string;
  version: string;
  /** Plural, as in the URL. */
  plural: string;
  kind: string;
  namespaced: boolean;
  /**
   * API servers keep it in no cache by default, so that its watches have no bookmarks: silence says nothing of the
   * connection there, and a revision that nothing came after is forgotten by the server in a few minutes
   * (https://github.com/kubernetes/kubernetes/issues/120348).
   */
  uncached?: true;
}

/** Key of an object within its kind: `namespace/name`, or `name` for cluster-scoped kinds. */
export function keyOf(object: { metadata: { name: string; namespace?: string } }): string {
  const { namespace, name } = object.metadata;
  return namespace ? `${namespace}/${name}` : name;
}

/** The namespace and name in a key made by {@link keyOf}. */
export function splitKey(key: string): { namespace: string; name: string } {
  const slash = key.indexOf('/');
  return slash < 0 ? { namespace: '', name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** Who an object is and which version of it, without the rest: for stores of kinds of which that is all one needs. */
export function bareMetadata({ name, namespace, uid, resourceVersion }: ObjectMeta): ObjectMeta {
  return { name, ...(namespace && { namespace }), ...(uid && { uid }), ...(resourceVersion && { resourceVersion }) };
}

/** `apiVersion` of a resource: `v1`, `apps/v1`. */
export function apiVersionOf(resource: Resource): string {
  return resource.group ? `${resource.group}/${resource.version}` : resource.version;
}
