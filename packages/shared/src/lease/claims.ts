/**
 * Claims: the Leases by which computing clusters ask for what policies lend to a binding's name. The first claim of a
 * name is served until it is released, or gone and not made again; one that is no longer renewed is still served.
 */
import { Annotation, Label } from '../api/constants.ts';
import type { LeasedNode } from '../api/leased-node.ts';
import { claimName } from '../api/names.ts';
import type { NodeSelector } from '../api/selector.ts';
import type { KubeObject } from '../kube/types.ts';
import { isOpen } from './record.ts';
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
  /** Namespace with leases that run under the name, whose claim is gone: it was deleted, or has no label any more. */
  missing?: string;
}

/** What of a name is known beside its claims. */
export interface NameFacts {
  /** By claim UID, since when it was not seen to be renewed; that is told, and changes nothing. */
  staleSince?: ReadonlyMap<string, Date> | undefined;
  /** Namespaces with leases that run under the name ({@link holdersOf}). */
  holders?: ReadonlySet<string> | undefined;
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

/** By binding, the mount namespaces that have records of it whose lease is not over. */
export function holdersOf(records: Iterable<LeasedNode>): Map<string, Set<string>> {
  const holders = new Map<string, Set<string>>();
  for (const record of records) {
    if (!isOpen(record)) continue;
    const { cluster } = record.spec;
    const namespaces = holders.get(cluster) ?? new Set();
    holders.set(cluster, namespaces.add(record.metadata.namespace));
  }
  return holders;
}

/**
 * Picks the claim that is served for a binding: the oldest allowed one that is not released. A namespace whose leases run
 * keeps the name while its claim is gone, until they are over: a claim that somebody deleted is made again by its syncer, and
 * is younger then than those of others.
 */
export function judgeClaims(
  claims: readonly Claim[],
  tenants: readonly Tenant[],
  binding: string,
  { staleSince, holders = new Set() }: NameFacts = {},
): ClaimVerdict {
  const isLater = ({ namespace }: Claim): number => (holders.has(namespace) ? 0 : 1);
  const named = claims
    .filter((claim) => claim.name === claimName(binding))
    .sort((a, b) => isLater(a) - isLater(b) || olderFirst(a, b));
  const allowed = named.filter((claim) => mayClaim(tenants, claim.namespace, binding));
  const standing = allowed.filter((claim) => !claim.released);
  const [first] = standing;
  const missing = [...holders].sort().find((namespace) => isMissing(namespace, named, tenants, binding));
  const served = first && (missing === undefined || holders.has(first.namespace)) ? first : undefined;
  const gone = missing === undefined ? {} : { missing };
  if (served) {
    const since = staleSince?.get(served.uid);
    const remarks = [
      ...(since ? [`the claim ${served.namespace}/${served.name} is not renewed since ${since.toISOString()}`] : []),
      ...(served.problem ? [`the claim ${served.namespace}/${served.name} cannot be read: ${served.problem}`] : []),
      ...laterOnes(standing.slice(1)),
    ];
    return { served, ...gone, ...(remarks.length > 0 && { remark: remarks.join('; ') }) };
  }
  if (missing !== undefined) {
    const words = `the claim ${missing}/${claimName(binding)} is gone: it was deleted, or lost its label ${Label.claim}`;
    return { missing, remark: [words, ...laterOnes(standing)].join('; ') };
  }
  return { remark: whyNobody(allowed, named, tenants, binding) };
}

function isMissing(namespace: string, named: readonly Claim[], tenants: readonly Tenant[], binding: string): boolean {
  return mayClaim(tenants, namespace, binding) && !named.some((claim) => claim.namespace === namespace);
}

function laterOnes(claims: readonly Claim[]): string[] {
  return claims.map((claim) => `the later claim in namespace ${claim.namespace} gets nothing`);
}

/** Why no claim of a name is served, in words. */
function whyNobody(
  [released]: readonly Claim[],
  [refused]: readonly Claim[],
  tenants: readonly Tenant[],
  binding: string,
): string {
  if (released) {
    return `the claim ${released.namespace}/${released.name} is released (annotation ${Annotation.release})`;
  }
  if (refused) {
    return `namespace ${refused.namespace} may not claim "${binding}"; add it to the worker chart's value "tenants"`;
  }
  return `no computing cluster claims "${binding}"; create a ClusterBinding of that name whose mountNamespace is one of: ${
    tenants.map((tenant) => tenant.namespace).join(', ') || '(the chart names no tenants)'
  }`;
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
