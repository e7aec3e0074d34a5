/** The share a policy lends of what native pods leave. */
import type { ResourceLimit } from '../api/policy.ts';
import { floorQuantity, minQuantity, parseQuantity, type Quantity, readable } from './quantity.ts';
import type { Resources } from './resources.ts';

const Milli = 1_000_000n;
const Whole = 1_000_000_000n;

/**
 * Per resource the smallest of what is left (never negative), each `quantity` and each `percent` named for it; a resource not
 * named is lent in full. Zero lends nothing. Rounded down: cpu to a thousandth, a percentage of 1Gi or more to whole mebibytes,
 * so that people can read it, all else to whole numbers (bytes, pieces).
 * @throws QuantityError when a limit's quantity is none; see {@link limitsProblem}
 */
export function lentShare(left: Resources, limits: readonly ResourceLimit[] | undefined): Map<string, Quantity> {
  const share = new Map<string, Quantity>();
  for (const [name, amount] of left) {
    let lent: Quantity = amount;
    for (const limit of limits ?? []) {
      if (limit.resource !== name) continue;
      if (limit.quantity !== undefined) lent = minQuantity(lent, parseQuantity(limit.quantity));
      if (limit.percent !== undefined) {
        const part = { nanos: (amount.nanos * BigInt(limit.percent)) / 100n, format: amount.format };
        lent = minQuantity(lent, readable(part));
      }
    }
    share.set(name, floorQuantity(lent, name === 'cpu' ? Milli : Whole));
  }
  return share;
}

/** Why limits are not valid, in words for the policy; undefined when they are. The CRD refuses all of these first. */
export function limitsProblem(limits: readonly ResourceLimit[] | undefined): string | undefined {
  for (const [index, limit] of (limits ?? []).entries()) {
    const problem = limitProblem(limit);
    if (problem) return `resourceLimits[${index}] (${limit.resource}): ${problem}`;
  }
  return undefined;
}

function limitProblem(limit: ResourceLimit): string | undefined {
  const { quantity, percent } = limit;
  if (!limit.resource) return 'resource is missing';
  if (percent !== undefined && !(Number.isInteger(percent) && percent >= 0 && percent <= 100)) {
    return `percent must be a whole number from 0 to 100, not ${percent}`;
  }
  if (quantity === undefined) return undefined;
  try {
    return parseQuantity(quantity).nanos < 0n ? `quantity must not be negative, not ${quantity}` : undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
