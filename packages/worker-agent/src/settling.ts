/** What was seen to be so for a while without a break: nothing drastic is done on one look, which may be a moment behind. */

export class Settling {
  private readonly afterMs: number;
  private since = new Map<string, number>();

  constructor(afterMs: number) {
    this.afterMs = afterMs;
  }

  /**
   * Takes the keys of what is so now, at `monotonic` milliseconds. `settled` are those that were in every look for the
   * whole time; `nextInMs` is when the next of the others would be.
   */
  observe(keys: Iterable<string>, monotonic: number): { settled: Set<string>; nextInMs: number | undefined } {
    const since = new Map<string, number>();
    const settled = new Set<string>();
    let nextInMs: number | undefined;
    for (const key of keys) {
      const first = this.since.get(key) ?? monotonic;
      since.set(key, first);
      const left = this.afterMs - (monotonic - first);
      if (left <= 0) settled.add(key);
      else nextInMs = Math.min(nextInMs ?? left, left);
    }
    this.since = since;
    return { settled, nextInMs };
  }
}
