/**
 * Claims: the Leases by which computing clusters ask for what policies lend to a binding's name. The first claim of a
 * name is served until it is released or deleted; one that is no longer renewed is still served.
 */
import { Annotation, Label } from '../api/constants.ts';
import { claimName } from '../api/names.ts';
import type { NodeSelector } from '../api/selector.ts';
import type { KubeObject } from '../kube/types.ts';
import { nodeSelectorProblem } from './selector.ts';

/** A mount namespace and what may be claimed there: the worker chart's value `tenants`. */
export interface Tenant {
  namespace: string;
  /** ServiceAccount of the syncers that work there. */
  serviceAccount: string;
  /** Binding names that may be claimed; `*` = any. */
  bindings: string[];
}

export interface Claim {
  /** Name of the Lease; {@link claimName} of the binding. */
  name: string;
  namespace: string;
  uid: string;
  /** RFC 3339. */
  createdAt: string;
  /** Text of the binding selector; why it cannot be read is `problem`. */
  nodeSelector?: NodeSelector;
  /** Given back by the worker's owner. */
  released: boolean;
  /** Why the claim cannot be understood: what is lent stays, nothing new is lent. */
  problem?: string;
}

/** Who is served for one binding name, and why the others are not. */
export interface ClaimVerdict {
  served?: Claim;
  /** In words, for the policies of that binding; undefined when a claim is served without a remark. */
  remark?: string;
}

/** Characters of a claim's node selector that agents read, as JSON: a tenant must not fill their memory. */
export const LongestSelector = 32_768;
/** Stands in the place of one that is longer, and never selects anything. */
export const TooLongSelector = `longer than ${LongestSelector} characters`;

/** What was read of a Lease, which is never changed in place. Its selector may be a long text, and each look asks for it. */
const known = new WeakMap<KubeObject, Claim>();

/** Reads a Lease as a claim; undefined when it is none. */
export function readClaim(lease: KubeObject): Claim | undefined {
  const claim = known.get(lease) ?? read(lease);
  if (claim) known.set(lease, claim);
  return claim;
}

function read({ metadata }: KubeObject): Claim | undefined {
  if (metadata.labels?.[Label.claim] !== 'true' || !metadata.namespace) return undefined;
  const claim: Claim = {
    name: metadata.name,
    namespace: metadata.namespace,
    uid: metadata.uid ?? '',
    createdAt: metadata.creationTimestamp ?? '',
    released: metadata.annotations?.[Annotation.release] === 'true',
  };
  return { ...claim, ...readSelector(metadata.annotations?.[Annotation.nodeSelector]) };
}

function readSelector(text: string | undefined): Pick<Claim, 'nodeSelector' | 'problem'> {
  if (!text) return {};
  if (text === TooLongSelector || text.length > LongestSelector) {
    return { problem: `its node selector is ${TooLongSelector}` };
  }
  try {
    const parsed = JSON.parse(text) as NodeSelector | null;
    const problem = nodeSelectorProblem(parsed ?? undefined);
    if (problem) return { problem: `its node selector is not valid: ${problem}` };
    return parsed ? { nodeSelector: parsed } : {};
  } catch {
    return { problem: 'its node selector is not JSON' };
  }
}

/** Why no agent will read a binding's node selector in its claim, in words for the binding; undefined when it will. */
export function claimedSelectorProblem(selector: NodeSelector | undefined): string | undefined {
  const length = selector ? JSON.stringify(selector).length : 0;
  if (length <= LongestSelector) return nodeSelectorProblem(selector);
  return `it has ${length} characters as JSON, more than ${LongestSelector}: select by a label that those nodes have in common`;
}

/** Whether a namespace may claim a binding's name. */
export function mayClaim(tenants: readonly Tenant[], namespace: string, binding: string): boolean {
  return tenants.some(
    (tenant) => tenant.namespace === namespace && (tenant.bindings.includes('*') || tenant.bindings.includes(binding)),
  );
}

/**
 * Picks the claim that is served for a binding: the oldest allowed one that is not released. `staleSince` says by claim
 * UID since when a claim was not seen to be renewed; that is told, and changes nothing.
 */
export function judgeClaims(
  claims: readonly Claim[],
  tenants: readonly Tenant[],
  binding: string,
  staleSince: ReadonlyMap<string, Date> = new Map(),
): ClaimVerdict {
  const named = claims.filter((claim) => claim.name === claimName(binding)).sort(olderFirst);
  const allowed = named.filter((claim) => mayClaim(tenants, claim.namespace, binding));
  const [served, ...later] = allowed.filter((claim) => !claim.released);
  if (served) {
    const since = staleSince.get(served.uid);
    const remarks = [
      ...(since ? [`the claim ${served.namespace}/${served.name} is not renewed since ${since.toISOString()}`] : []),
      ...(served.problem ? [`the claim ${served.namespace}/${served.name} cannot be read: ${served.problem}`] : []),
      ...later.map((claim) => `the later claim in namespace ${claim.namespace} gets nothing`),
    ];
    return remarks.length > 0 ? { served, remark: remarks.join('; ') } : { served };
  }
  const [released] = allowed;
  if (released) {
    return {
      remark: `the claim ${released.namespace}/${released.name} is released (annotation ${Annotation.release})`,
    };
  }
  const [refused] = named;
  if (refused) {
    return {
      remark: `namespace ${refused.namespace} may not claim "${binding}"; add it to the worker chart's value "tenants"`,
    };
  }
  return {
    remark: `no computing cluster claims "${binding}"; create a ClusterBinding of that name whose mountNamespace is one of: ${
      tenants.map((tenant) => tenant.namespace).join(', ') || '(the chart names no tenants)'
    }`,
  };
}

function olderFirst(a: Claim, b: Claim): number {
  const keys = [
    [a.createdAt, b.createdAt],
    [a.namespace, b.namespace],
    [a.uid, b.uid],
  ] as const;
  for (const [left, right] of keys) if (left !== right) return left < right ? -1 : 1;
  return 0;
}
