/**
 * What lent pods may hold at most on a node. It is what is lent; but where that became less than pods held, it is what
 * they held, and goes down as they go: nobody is ended because the owner's own pods came (design: the worker's scheduler
 * decides that by priority), and nothing new comes in their place.
 */
import { formatQuantity, maxQuantity, minQuantity, type Quantity, subtractQuantities, Zero } from './quantity.ts';
import { type Resources } from './resources.ts';
import type { PodForRequests } from './requests.ts';
import { requestsOf } from './usage.ts';

/**
 * The ceiling of a lease. `before` is the ceiling that was written last; where there is none, nobody can say what was
 * allowed, and what is held now is.
 */
export function ceilingOf(share: Resources, before: Resources | undefined, held: Resources): Resources {
  const ceiling = new Map<string, Quantity>();
  for (const [name, lent] of share) {
    const holds = held.get(name) ?? Zero;
    ceiling.set(name, maxQuantity(lent, minQuantity(before?.get(name) ?? holds, holds)));
  }
  return ceiling;
}

/**
 * The pods that go beyond a ceiling: taken in the order in which they were made, as a kubelet admits them, those that do
 * not fit any more. Pods that end still count, for they hold what they have until they are gone. A resource of which the
 * ceiling says nothing is not looked at.
 */
export function beyondCeiling(pods: readonly PodForRequests[], ceiling: Resources): PodForRequests[] {
  const left = new Map([...ceiling].map(([name, { nanos }]) => [name, nanos]));
  return [...pods].sort(olderFirst).filter((pod) => {
    const asked = [...requestsOf(pod)].filter(([name]) => left.has(name));
    if (asked.some(([name, { nanos }]) => nanos > (left.get(name) ?? 0n))) return true;
    for (const [name, { nanos }] of asked) left.set(name, (left.get(name) ?? 0n) - nanos);
    return false;
  });
}

/** Whether pods that hold so much together are all within a ceiling, so that {@link beyondCeiling} would name none. */
export function fitsCeiling(held: Resources, ceiling: Resources): boolean {
  return [...ceiling].every(([name, { nanos }]) => (held.get(name) ?? Zero).nanos <= nanos);
}

/** What is held beyond what is lent, in words such as `cpu 4 of 2, pods 3 of 1`; undefined when nothing is. */
export function shortage(share: Resources, held: Resources): string | undefined {
  const short = [...share].flatMap(([name, lent]) => {
    const holds = held.get(name);
    if (!holds || subtractQuantities(holds, lent).nanos <= 0n) return [];
    return [`${name} ${formatQuantity(holds)} of ${formatQuantity(lent)}`];
  });
  return short.length > 0 ? short.sort().join(', ') : undefined;
}

function olderFirst(a: PodForRequests, b: PodForRequests): number {
  const keys = [
    [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''],
    [a.metadata.name, b.metadata.name],
  ] as const;
  for (const [left, right] of keys) if (left !== right) return left < right ? -1 : 1;
  return 0;
}
