/**
 * Tenants whose namespace is there but may not be read (see lost-tenants.ts): their claims and records are not known, or not
 * as they are by now, and may be in force all the same. Until they can be read, the allocation is made as if each of them
 * held, beside what is known, the first claim of every name that could be its, on every node: its share is lent to nobody
 * else, and nobody inherits a name. Its pods count as lent to it. Of what comes out for it nothing is carried out. Pure.
 */
import {
  Annotation,
  claimName,
  Label,
  type LeasedNode,
  type ResourceLeasingPolicy,
  type ResourceLeasingPolicySpec,
} from '@kubeocean/shared/api';
import { keyOf, type KubeObject } from '@kubeocean/shared/kube';
import { type Allocation, mayClaim, type Tenant } from '@kubeocean/shared/lease';

/** What of the cluster may be read. */
export interface Readable {
  policies: Iterable<ResourceLeasingPolicy>;
  /** Last valid spec by policy UID, for policies that are not valid now. */
  lastValid: ReadonlyMap<string, ResourceLeasingPolicySpec>;
  claims: readonly KubeObject[];
  records: readonly LeasedNode[];
}

/** Claims in place of those that are not known, older than all others. */
export function standInClaims(
  frozen: readonly Tenant[],
  { policies, lastValid, claims, records }: Readable,
): KubeObject[] {
  if (frozen.length === 0) return [];
  const known = new Set(claims.map(keyOf));
  const bindings = new Set(
    [...policies].flatMap(({ metadata, spec }) => [
      spec.cluster,
      lastValid.get(metadata.uid ?? '')?.cluster ?? spec.cluster,
    ]),
  );
  const open = [...bindings].filter((binding) => !isServedElsewhere(binding, frozen, claims, records));
  return frozen.flatMap(({ namespace }) =>
    open
      .filter((binding) => mayClaim(frozen, namespace, binding) && !known.has(`${namespace}/${claimName(binding)}`))
      .map((binding) => ({
        metadata: {
          namespace,
          name: claimName(binding),
          uid: `${namespace}/${binding}`,
          labels: { [Label.claim]: 'true' },
        },
      })),
  );
}

/** Whether a record tells that the first claim of the name is one that may be read, and it stands. */
function isServedElsewhere(
  binding: string,
  frozen: readonly Tenant[],
  claims: readonly KubeObject[],
  records: readonly LeasedNode[],
): boolean {
  return claims.some(({ metadata }) => {
    const { namespace, name, annotations } = metadata;
    if (name !== claimName(binding) || annotations?.[Annotation.release] === 'true') return false;
    if (frozen.some((tenant) => tenant.namespace === namespace)) return false;
    return records.some(
      ({ metadata: { namespace: where }, spec, status }) =>
        where === namespace && spec.cluster === binding && status?.reason !== 'Released',
    );
  });
}

/** The allocation without what would have to be written in these namespaces. */
export function withoutFrozen(allocation: Allocation, frozen: ReadonlySet<string>): Allocation {
  if (frozen.size === 0) return allocation;
  return {
    ...allocation,
    open: allocation.open.filter(({ namespace }) => !frozen.has(namespace)),
    closed: allocation.closed.filter(({ record }) => !frozen.has(record.metadata.namespace ?? '')),
    removable: allocation.removable.filter(({ metadata }) => !frozen.has(metadata.namespace ?? '')),
  };
}

/** Characters of a server's words. */
const LONGEST_CAUSE = 300;

/** What a policy says that lends to such a tenant. `cause`: what keeps it from being read, but for the want of a right. */
export function frozenWords(namespace: string, cause: string | undefined): string {
  const [what, then] =
    cause === undefined
      ? [
          'may not be read by the agent',
          '; upgrade the release of the chart kubeocean-worker to make the rights of the agent there again',
        ]
      : [`cannot be read by the agent (${cause.slice(0, LONGEST_CAUSE)})`, ''];
  return (
    `the namespace ${namespace} of its tenant ${what}: what is lent there stays as it is and is lent to nobody else, ` +
    `nothing is written there and no pod is taken back${then}`
  );
}
