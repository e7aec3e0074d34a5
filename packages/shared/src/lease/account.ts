/** Where the resources of lent nodes go to: what a policy's status tells its owner who asks why not more is lent. */
import { addQuantities, type Quantity, subtractQuantities, Zero } from './quantity.ts';
import type { Resources } from './resources.ts';

/** Amounts of one resource, of all nodes that a policy lends. `has` is the sum of the others. */
export interface Account {
  has: Quantity;
  native: Quantity;
  others: Quantity;
  kept: Quantity;
  /** Of nodes that take no new pods. */
  closed: Quantity;
  lent: Quantity;
}

/**
 * Adds one node to an account: what it has, what native pods leave free, what of that is within reach of the policy, and
 * its share, which is lent unless the node takes no new pods.
 */
export function keepAccount(
  account: Map<string, Account>,
  { has, free, within, share }: Record<'has' | 'free' | 'within' | 'share', Resources>,
  isClosed: boolean,
): void {
  for (const [name, amount] of has) {
    const available = free.get(name) ?? Zero;
    const offered = within.get(name) ?? Zero;
    const due = share.get(name) ?? Zero;
    const parts: Account = {
      has: amount,
      native: subtractQuantities(amount, available),
      others: subtractQuantities(available, offered),
      kept: subtractQuantities(offered, due),
      closed: isClosed ? due : Zero,
      lent: isClosed ? Zero : due,
    };
    const sum = account.get(name);
    account.set(name, sum ? sumOf(sum, parts) : parts);
  }
}

function sumOf(a: Account, b: Account): Account {
  return {
    has: addQuantities(a.has, b.has),
    native: addQuantities(a.native, b.native),
    others: addQuantities(a.others, b.others),
    kept: addQuantities(a.kept, b.kept),
    closed: addQuantities(a.closed, b.closed),
    lent: addQuantities(a.lent, b.lent),
  };
}
