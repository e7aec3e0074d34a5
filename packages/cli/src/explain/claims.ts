/**
 * Claims as they may be trusted here: whoever has the account of a tenant writes its claim, and its node selector is JSON of any
 * shape. Pure.
 */
import { type Claim, readClaim } from '@kubeocean/shared/lease';
import { isObject, type KubeObject } from '@kubeocean/shared/kube';

/** A Lease as a claim, with a selector only if it has the shape of one; undefined when it is none. */
export function trustedClaim(lease: KubeObject): Claim | undefined {
  const claim = readClaim(lease);
  if (!claim || claim.nodeSelector === undefined || isSelector(claim.nodeSelector)) return claim;
  const { nodeSelector: _, ...rest } = claim;
  return { ...rest, problem: 'its node selector is not valid: it has not the shape of one' };
}

function isSelector(selector: unknown): boolean {
  if (!isObject(selector)) return false;
  const terms = selector['nodeSelectorTerms'];
  return isListOf(terms, (term) => {
    if (!isObject(term)) return false;
    return isListOf(term['matchExpressions'], isRequirement) && isListOf(term['matchFields'], isRequirement);
  });
}

function isRequirement(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { key, operator, values } = value;
  return isText(key) && isText(operator) && isListOf(values, isText);
}

/** Also when there is none. */
function isListOf(value: unknown, of: (one: unknown) => boolean): boolean {
  return value === undefined || value === null || (Array.isArray(value) && value.every(of));
}

function isText(value: unknown): boolean {
  return typeof value === 'string';
}
