/**
 * What the pods of each vnode take, kept as sums: whether one more fits must not cost a look at all of them. Changes are
 * only noted; what a pod takes is worked out when somebody asks for its vnode.
 */
import { accumulate, deduct, type Quantity, type Resources } from '@kubeocean/shared/lease';

/** What a home pod takes of which vnode. */
export interface Taken {
  vnode: string;
  requests: Resources;
}

export interface Room {
  /** The home pod `namespace/name`, its worker pod, or what is remembered of them, is another by now. */
  changed(homeKey: string): void;
  /** What all pods on the vnode take, without the one of the home pod `exceptKey`. */
  used(vnode: string, exceptKey: string): Resources;
}

/** Of so many different takings one copy is kept. */
const MOST_KINDS = 2000;

/** @param takenBy what the home pod takes now; undefined when it is gone, finished or not let in. */
export function createRoom(takenBy: (homeKey: string) => Taken | undefined): Room {
  const pods = new Map<string, Taken>();
  const totals = new Map<string, Map<string, Quantity>>();
  const stale = new Set<string>();
  const kinds = new Map<string, Taken>();

  function totalOf(vnode: string): Map<string, Quantity> {
    let total = totals.get(vnode);
    if (!total) totals.set(vnode, (total = new Map()));
    return total;
  }

  function bringUpToDate(): void {
    for (const key of stale) {
      const before = pods.get(key);
      if (before) {
        const total = totalOf(before.vnode);
        deduct(total, before.requests);
        if (total.size === 0) totals.delete(before.vnode);
      }
      const taken = takenBy(key);
      if (taken) {
        pods.set(key, sharing(taken));
        accumulate(totalOf(taken.vnode), taken.requests);
      } else pods.delete(key);
    }
    stale.clear();
  }

  /** Pods of one workload ask for the same: it is kept once. */
  function sharing(taken: Taken): Taken {
    const text = [...taken.requests].map(([name, { nanos, format }]) => `${name}=${nanos}${format}`).join();
    const key = `${taken.vnode}/${text}`;
    const known = kinds.get(key);
    if (known) return known;
    if (kinds.size >= MOST_KINDS) kinds.clear();
    kinds.set(key, taken);
    return taken;
  }

  return {
    changed: (homeKey) => void stale.add(homeKey),
    used(vnode, exceptKey) {
      bringUpToDate();
      const others = new Map(totals.get(vnode));
      const own = pods.get(exceptKey);
      if (own?.vnode === vnode) deduct(others, own.requests);
      return others;
    },
  };
}
