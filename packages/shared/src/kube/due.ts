/** Keys with the time at which each is due: a binary heap, so that thousands of them need one timer and not one each. */

interface Entry {
  key: string;
  at: number;
}

export class DueTimes {
  /** The time that holds for each key. */
  private readonly times = new Map<string, number>();
  /** Heap by time. Entries whose time no longer holds stay until they come up, or are too many. */
  private heap: Entry[] = [];

  get(key: string): number | undefined {
    return this.times.get(key);
  }

  /** @param at in milliseconds of any clock */
  set(key: string, at: number): void {
    if (this.times.get(key) === at) return;
    this.times.set(key, at);
    this.heap.push({ key, at });
    this.rise(this.heap.length - 1);
    if (this.heap.length > 2 * this.times.size + 64) this.rebuild();
  }

  delete(key: string): void {
    this.times.delete(key);
  }

  clear(): void {
    this.times.clear();
    this.heap = [];
  }

  /** The earliest time; undefined when there is no key. */
  next(): number | undefined {
    for (;;) {
      const [first] = this.heap;
      if (!first) return undefined;
      if (this.times.get(first.key) === first.at) return first.at;
      this.drop();
    }
  }

  /** Takes out the keys that are due at `now`, the earliest first. */
  take(now: number): string[] {
    const due: string[] = [];
    for (let at = this.next(); at !== undefined && at <= now; at = this.next()) {
      const { key } = this.heap[0] as Entry;
      this.times.delete(key);
      due.push(key);
    }
    return due;
  }

  private rebuild(): void {
    this.heap = [...this.times].map(([key, at]) => ({ key, at })).sort((a, b) => a.at - b.at);
  }

  /** Removes the first entry. */
  private drop(): void {
    const last = this.heap.pop() as Entry;
    if (this.heap.length === 0) return;
    this.heap[0] = last;
    this.sink();
  }

  private rise(from: number): void {
    const { heap } = this;
    const entry = heap[from] as Entry;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as Entry;
      if (above.at <= entry.at) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = entry;
  }

  private sink(): void {
    const { heap } = this;
    const entry = heap[0] as Entry;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const right = heap[child + 1];
      if (right && right.at < (heap[child] as Entry).at) child++;
      const below = heap[child];
      if (!below || below.at >= entry.at) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = entry;
  }
}
