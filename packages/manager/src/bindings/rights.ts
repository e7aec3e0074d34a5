/**
 * What the credential of a binding must be allowed to do in its mount namespace of the worker cluster: the one Role
 * that the worker chart makes (charts/kubeocean-worker/templates/tenants.yaml). What is missing is listed for people.
 */
import { type KubeClient, type KubeObject, SelfSubjectAccessReviews } from '@kubeocean/shared/kube';

export interface Right {
  group: string;
  resource: string;
  subresource?: string;
  verb: string;
}

const COPIED = ['get', 'list', 'watch', 'create', 'patch', 'delete'];
const READ = ['get', 'list', 'watch'];
const LEASES = 'coordination.k8s.io';
const OURS = 'cloud.tencent.com';

/** Group, resource with its subresource, verbs. */
const RULES: readonly (readonly [string, string, readonly string[]])[] = [
  ['', 'pods', COPIED],
  ['', 'pods/log', ['get']],
  ['', 'pods/exec', ['create', 'get']],
  ['', 'pods/attach', ['create', 'get']],
  ['', 'pods/portforward', ['create', 'get']],
  ['', 'pods/ephemeralcontainers', ['patch']],
  ['', 'pods/resize', ['patch']],
  ['', 'configmaps', COPIED],
  ['', 'secrets', COPIED],
  ['', 'persistentvolumeclaims', COPIED],
  ['', 'events', READ],
  [LEASES, 'leases', ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete']],
  [OURS, 'leasednodes', READ],
];

export const REQUIRED_RIGHTS: readonly Right[] = RULES.flatMap(([group, path, verbs]) => {
  const [resource = '', subresource] = path.split('/');
  return verbs.map((verb) => ({ group, resource, ...(subresource && { subresource }), verb }));
});

/** Reviews in flight at once: a worker's API server is not ours to flood. */
const AT_ONCE = 8;

interface AccessReview extends KubeObject {
  status?: { allowed?: boolean };
}

/**
 * Asks the server about each right in the namespace.
 * @returns those that are refused, in the order of {@link REQUIRED_RIGHTS}.
 * @throws ApiError, ConnectionError
 */
export async function missingRights(client: KubeClient, namespace: string, timeoutMs: number): Promise<Right[]> {
  const refused = new Set<Right>();
  const waiting = [...REQUIRED_RIGHTS];
  async function ask(): Promise<void> {
    for (let right = waiting.shift(); right; right = waiting.shift()) {
      const review = await client.create<AccessReview>(
        SelfSubjectAccessReviews,
        { metadata: {}, spec: { resourceAttributes: { namespace, ...right } } },
        { timeoutMs },
      );
      if (review.status?.allowed !== true) refused.add(right);
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, () => ask()));
  return REQUIRED_RIGHTS.filter((right) => refused.has(right));
}

/** `pods (create, delete), pods/log (get)` */
export function describeRights(rights: readonly Right[]): string {
  const verbs = new Map<string, string[]>();
  for (const { group, resource, subresource, verb } of rights) {
    const name = `${resource}${group ? `.${group}` : ''}${subresource ? `/${subresource}` : ''}`;
    verbs.set(name, [...(verbs.get(name) ?? []), verb]);
  }
  return [...verbs].map(([name, list]) => `${name} (${list.join(', ')})`).join(', ');
}
