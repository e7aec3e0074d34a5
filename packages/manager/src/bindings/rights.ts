/**
 * What the credential of a binding must be allowed to do in its mount namespace of the worker cluster: the one Role
 * that the worker chart makes (charts/kubeocean-worker/templates/tenants.yaml). What is missing is listed for people.
 */
import { Namespace } from '@kubeocean/shared/api';
import { type KubeClient, type KubeObject, SelfSubjectAccessReviews } from '@kubeocean/shared/kube';
import { StatsServiceName } from '@kubeocean/shared/stats';

export interface Right {
  /** Default: the mount namespace. */
  namespace?: string;
  /** Of the one object that it is about; default: all. */
  name?: string;
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

/**
 * What only metrics need: to ask the agent through its Service, with a token of our own for it. The worker chart gives
 * it in the agent's namespace (agent-stats.yaml).
 * @param user whom the worker knows us as.
 */
export function metricsRights(user: string): Right[] {
  const proxy = { group: '', resource: 'services', subresource: 'proxy', verb: 'get' };
  const [, namespace, account] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(user) ?? [];
  const token = { group: '', resource: 'serviceaccounts', subresource: 'token', verb: 'create' };
  return [
    { ...proxy, namespace: Namespace.agent, name: StatsServiceName },
    ...(namespace && account ? [{ ...token, namespace, name: account }] : []),
  ];
}

/** Reviews in flight at once: a worker's API server is not ours to flood. */
const AT_ONCE = 8;

interface AccessReview extends KubeObject {
  status?: { allowed?: boolean };
}

/**
 * Asks the server about each right, in `namespace` where the right names none.
 * @returns those that are refused, in the order given.
 * @throws ApiError, ConnectionError
 */
export async function missingRights(
  client: KubeClient,
  namespace: string,
  timeoutMs: number,
  rights: readonly Right[] = REQUIRED_RIGHTS,
): Promise<Right[]> {
  const refused = new Set<Right>();
  const waiting = [...rights];
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
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, () => ask()));
  } finally {
    // After a failure the others would go on asking, on new connections, what nobody waits for.
    waiting.length = 0;
  }
  return rights.filter((right) => refused.has(right));
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
