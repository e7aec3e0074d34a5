/**
 * Values by key that go by themselves when their time is over, so that what nobody asks for again is not kept for ever.
 * Bounded in number and, where they differ in size, in weight too; the oldest go first.
 */

/** Anything but undefined, which says that there is none. */
export type Value = object | string | number | boolean | null;

export interface ExpiringOptions<V> {
  /** Values kept at most. */
  bound: number;
  /** What all of them may weigh together; one that weighs more by itself is not kept. Default: only `bound` counts. */
  weight?: { most: number; of: (value: V) => number };
  /** A clock that never goes back, in milliseconds. */
  clock?: () => number;
}

export interface ExpiringMap<V> {
  get(key: string): V | undefined;
  /** @param holdMs milliseconds from now for which it is kept */
  set(key: string, value: V, holdMs: number): void;
  delete(key: string): void;
  readonly size: number;
}

interface Entry<V> {
  value: V;
  until: number;
  weight: number;
}

/** Each look at what is over goes through all that is kept, so that there is not one for every value. */
const LOOK_EVERY_MS = 250;
const LONGEST_TIMER = 2 ** 31 - 1;

export function createExpiringMap<V extends Value>(options: ExpiringOptions<V>): ExpiringMap<V> {
  const clock = options.clock ?? (() => performance.now());
  const entries = new Map<string, Entry<V>>();
  let weight = 0;
  let alarm: { timer: NodeJS.Timeout; at: number } | undefined;

  function remove(key: string): void {
    const entry = entries.get(key);
    if (!entry) return;
    weight -= entry.weight;
    entries.delete(key);
  }

  function wakeAt(at: number): void {
    if (alarm && alarm.at <= at) return;
    if (alarm) clearTimeout(alarm.timer);
    const ms = Math.min(Math.max(at - clock(), LOOK_EVERY_MS), LONGEST_TIMER);
    alarm = { at, timer: setTimeout(look, ms).unref() };
  }

  function look(): void {
    alarm = undefined;
    const now = clock();
    let next = Number.POSITIVE_INFINITY;
    for (const [key, { until }] of entries) {
      if (until <= now) remove(key);
      else next = Math.min(next, until);
    }
    if (next < Number.POSITIVE_INFINITY) wakeAt(next);
  }

  return {
    get(key) {
      const entry = entries.get(key);
      return entry && clock() < entry.until ? entry.value : undefined;
    },
    set(key, value, holdMs) {
      remove(key);
      const most = options.weight?.most ?? Number.POSITIVE_INFINITY;
      const entry = { value, until: clock() + holdMs, weight: options.weight?.of(value) ?? 0 };
      if (entry.weight > most) return;
      entries.set(key, entry);
      weight += entry.weight;
      for (const oldest of entries.keys()) {
        if (entries.size <= options.bound && weight <= most) break;
        remove(oldest);
      }
      wakeAt(entry.until);
    },
    delete: remove,
    get size() {
      return entries.size;
    },
  };
}
