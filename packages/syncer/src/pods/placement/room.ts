/**
 * What the pods of each vnode take, kept as sums: whether one more fits must not cost a look at all of them. Changes are
 * only noted; what a pod takes is worked out when somebody asks for its vnode.
 */
import { isOlder } from '@kubeocean/shared/kube';
import { accumulate, deduct, type Quantity, raise, type Resources } from '@kubeocean/shared/lease';

/** What a home pod takes of which vnode. */
export interface Taken {
  vnode: string;
  requests: Resources;
  /** Of its worker pod, as the watch has told it. */
  revision?: string | undefined;
}

export interface Room {
  /** The home pod `namespace/name`, its worker pod, or what is remembered of them, is another by now. */
  changed(homeKey: string): void;
  /** What all pods on the vnode take, without the one of the home pod `exceptKey`. */
  used(vnode: string, exceptKey: string): Resources;
  /** The pod is about to be asked to take so much: from now on the larger of this and what it is known to take counts. */
  asks(homeKey: string, requests: Resources): void;
  /** @param revision what the worker pod is by now: from then on it says itself what it takes. Undefined: it was not done. */
  answered(homeKey: string, revision: string | undefined): void;
}

/** What a pod was asked to take, until the watch has told of `revision`. */
interface Promised {
  requests: Resources;
  revision?: string;
}

/** Of so many different takings one copy is kept. */
const MOST_KINDS = 2000;
/** So many changes are noted. Where nothing but pods that are not run comes and goes, nobody may ask for months. */
const MOST_NOTED = 10_000;

/** @param takenBy what the home pod takes now; undefined when it is gone, finished or not let in. */
export function createRoom(takenBy: (homeKey: string) => Taken | undefined): Room {
  const pods = new Map<string, Taken>();
  const totals = new Map<string, Map<string, Quantity>>();
  const stale = new Set<string>();
  const promises = new Map<string, Promised>();
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
      const taken = withPromise(key, takenBy(key));
      if (taken) {
        pods.set(key, sharing(taken));
        accumulate(totalOf(taken.vnode), taken.requests);
      } else pods.delete(key);
    }
    stale.clear();
  }

  function withPromise(key: string, taken: Taken | undefined): Taken | undefined {
    const promised = promises.get(key);
    if (!promised) return taken;
    const isTold = promised.revision !== undefined && !isOlder(taken?.revision ?? '', promised.revision);
    if (!taken || isTold) {
      promises.delete(key);
      return taken;
    }
    const requests = new Map(taken.requests);
    raise(requests, promised.requests);
    return { ...taken, requests };
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
    changed(homeKey) {
      stale.add(homeKey);
      if (stale.size >= MOST_NOTED) bringUpToDate();
    },
    used(vnode, exceptKey) {
      bringUpToDate();
      const others = new Map(totals.get(vnode));
      const own = pods.get(exceptKey);
      if (own?.vnode === vnode) deduct(others, own.requests);
      return others;
    },
    asks(homeKey, requests) {
      promises.set(homeKey, { requests });
      stale.add(homeKey);
    },
    answered(homeKey, revision) {
      const promised = promises.get(homeKey);
      if (promised && revision !== undefined) promised.revision = revision;
      else promises.delete(homeKey);
      stale.add(homeKey);
    },
  };
}
