/** Sums of what pods take. Pods of one template take the same, so equal ones are counted, and multiplied at the end. */
import { addQuantities, type Quantity, Zero } from './quantity.ts';
import type { Resources } from './resources.ts';

const Nothing: Resources = new Map();

/**
 * A sum in the making. Amounts must not be negative, as no API server lets them be. Lists are told apart by identity:
 * whoever counts many should give equal ones as one (see `PodForRequests.counted`).
 */
export class Tally {
  /** In the order in which they came first: it decides in which style a sum is written. */
  private counts: Map<Resources, number> | undefined;
  private sum: Resources | undefined;

  add(amounts: Resources): void {
    this.counts ??= new Map();
    this.counts.set(amounts, (this.counts.get(amounts) ?? 0) + 1);
    this.sum = undefined;
  }

  /** What was added so far, the same as adding one after the other. */
  get total(): Resources {
    this.sum ??= this.counts ? totalOf(this.counts) : Nothing;
    return this.sum;
  }
}

function totalOf(counts: ReadonlyMap<Resources, number>): Resources {
  const total = new Map<string, Quantity>();
  for (const [amounts, count] of counts) {
    for (const [name, { nanos, format }] of amounts) {
      const all = { nanos: nanos * BigInt(count), format };
      total.set(name, addQuantities(total.get(name) ?? Zero, all));
    }
  }
  return total;
}
