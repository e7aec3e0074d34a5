/** Lists of resources (cpu, memory, pods, …) with arithmetic per resource. What a list lacks counts as zero. */
import {
  addQuantities,
  formatQuantity,
  maxQuantity,
  minQuantity,
  parseQuantity,
  type Quantity,
  QuantityError,
  subtractQuantities,
  Zero,
} from './quantity.ts';

/** Amount by resource name. */
export type Resources = ReadonlyMap<string, Quantity>;

/**
 * Reads a core/v1 ResourceList.
 * @throws QuantityError when an amount is no quantity
 */
export function parseResources(list: Record<string, string | number> | undefined): Map<string, Quantity> {
  const resources = new Map<string, Quantity>();
  for (const [name, amount] of Object.entries(list ?? {})) resources.set(name, parseQuantity(amount));
  return resources;
}

/** The same of what somebody may have written by hand: nothing where an amount is no quantity. */
export function safeResources(list: Record<string, string> | undefined): Resources {
  try {
    return parseResources(list);
  } catch (error) {
    if (error instanceof QuantityError) return new Map();
    throw error;
  }
}

/** Writes a core/v1 ResourceList, sorted by name, so that equal lists are equal texts. */
export function formatResources(resources: Resources): Record<string, string> {
  const entries = [...resources].map(([name, quantity]) => [name, formatQuantity(quantity)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Adds every amount of `added` to `total`, in place. */
export function accumulate(total: Map<string, Quantity>, added: Resources): void {
  for (const [name, quantity] of added) total.set(name, addQuantities(total.get(name) ?? Zero, quantity));
}

/** Takes every amount of `taken` off `total`, in place. What comes to nothing is left out. */
export function deduct(total: Map<string, Quantity>, taken: Resources): void {
  for (const [name, quantity] of taken) {
    const left = subtractQuantities(total.get(name) ?? Zero, quantity);
    if (left.nanos === 0n) total.delete(name);
    else total.set(name, left);
  }
}

/** Raises `total` to at least `floor`, per resource, in place. */
export function raise(total: Map<string, Quantity>, floor: Resources): void {
  for (const [name, quantity] of floor) total.set(name, maxQuantity(total.get(name) ?? quantity, quantity));
}

/** What `taken` leaves of `total`: the resources of `total`, none below zero. */
export function remaining(total: Resources, taken: Resources): Map<string, Quantity> {
  const left = new Map<string, Quantity>();
  for (const [name, quantity] of total) {
    const off = taken.get(name);
    // As it is where nothing is taken off, so that what stays the same can be seen to.
    if (!off && quantity.nanos > 0n) left.set(name, quantity);
    else left.set(name, maxQuantity(subtractQuantities(quantity, off ?? Zero), { ...quantity, nanos: 0n }));
  }
  return left;
}

/** Per resource of `a` the smaller of both amounts. */
export function smaller(a: Resources, b: Resources): Resources {
  const least = new Map<string, Quantity>();
  for (const [name, amount] of a) least.set(name, minQuantity(amount, b.get(name) ?? Zero));
  return least;
}

/** Per resource of `a` or `b` the larger of both amounts. */
export function larger(a: Resources, b: Resources): Resources {
  const most = new Map(a);
  raise(most, b);
  return most;
}
