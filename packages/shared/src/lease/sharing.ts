/** How several bindings share what a node can lend: served one after the other, and nothing promised twice. */
import { accumulate, deduct, larger, remaining, type Resources, smaller } from './resources.ts';
import type { Quantity } from './quantity.ts';

/** One binding's part in a node. */
export interface Stake {
  /** What its pods hold there. */
  held: Resources;
  /** What it is due out of what those before it leave. */
  due: (left: Resources) => Resources;
  /** Whether it keeps that from those after it; otherwise only what its pods hold. */
  keeps: boolean;
}

export interface Portion {
  /** What is within its reach: neither promised to those before it, nor held by pods of those after it. */
  within: Resources;
  /** What it gets. */
  share: Resources;
}

/**
 * Portions of `free`, in the order of the stakes. Those before take what they are due or what their pods hold, whichever
 * is more: what is due but held by pods of later ones is not given to these anew, so that it comes free as the pods go. The
 * larger of share and held, summed over the stakes that keep theirs, and what pods of the others hold are never more
 * than `free`, unless pods alone hold more.
 */
export function shareOut<T extends Stake>(free: Resources, stakes: readonly T[]): (T & Portion)[] {
  let left = free;
  /** By pods of those that are not served yet. */
  const later = heldBy(stakes);
  return stakes.map((stake) => {
    const { held, due, keeps } = stake;
    deduct(later, held);
    const within = remaining(left, later);
    const part = due(left);
    left = remaining(left, keeps ? larger(part, held) : held);
    return { ...stake, within, share: smaller(part, within) };
  });
}

function heldBy(stakes: readonly Stake[]): Map<string, Quantity> {
  const sum = new Map<string, Quantity>();
  for (const { held } of stakes) accumulate(sum, held);
  return sum;
}
