/**
 * What the pods of each vnode take, kept as sums: whether one more fits must not cost a look at all of them. Changes are
 * only noted; what a pod takes is worked out when somebody asks for its vnode.
 */
import { addQuantities, type Quantity, subtractQuantities, Zero } from '@kubeocean/shared/lease';

type Amounts = ReadonlyMap<string, Quantity>;

/** What a home pod takes of which vnode. */
export interface Taken {
  vnode: string;
  requests: Amounts;
}

export interface Room {
  /** The home pod `namespace/name`, its worker pod, or what is remembered of them, is another by now. */
  changed(homeKey: string): void;
  /** What all pods on the vnode take, without the one of the home pod `exceptKey`. */
  used(vnode: string, exceptKey: string): Amounts;
}

/** @param takenBy what the home pod takes now; undefined when it is gone, finished or not let in. */
export function createRoom(takenBy: (homeKey: string) => Taken | undefined): Room {
  const pods = new Map<string, Taken>();
  const totals = new Map<string, Map<string, Quantity>>();
  const stale = new Set<string>();

  function add(vnode: string, requests: Amounts, plus: typeof addQuantities): void {
    let total = totals.get(vnode);
    if (!total) totals.set(vnode, (total = new Map()));
    for (const [name, amount] of requests) {
      const sum = plus(total.get(name) ?? Zero, amount);
      if (sum.nanos === 0n) total.delete(name);
      else total.set(name, sum);
    }
    if (total.size === 0) totals.delete(vnode);
  }

  function bringUpToDate(): void {
    for (const key of stale) {
      const before = pods.get(key);
      if (before) add(before.vnode, before.requests, subtractQuantities);
      const taken = takenBy(key);
      if (taken) {
        pods.set(key, taken);
        add(taken.vnode, taken.requests, addQuantities);
      } else pods.delete(key);
    }
    stale.clear();
  }

  return {
    changed: (homeKey) => void stale.add(homeKey),
    used(vnode, exceptKey) {
      bringUpToDate();
      const total = totals.get(vnode) ?? new Map<string, Quantity>();
      const own = pods.get(exceptKey);
      if (own?.vnode !== vnode) return total;
      const others = new Map(total);
      for (const [name, amount] of own.requests) {
        others.set(name, subtractQuantities(others.get(name) ?? Zero, amount));
      }
      return others;
    },
  };
}
