/**
 * How long work waits while writes are held back: 1 s, doubling to 30 s, for each pod by itself. All wait for the same
 * thing, the claim, leadership or a worker that answers, which may take hours: thousands of pods must not ask for it every
 * second.
 */
const FIRST_MS = 1000;
const LONGEST_MS = 30_000;

export class HeldWaits {
  /** How often each key was held back in a row. */
  private readonly counts = new Map<string, number>();
  private readonly random: () => number;

  constructor(random: () => number = Math.random) {
    this.random = random;
  }

  /** It was held back. @returns milliseconds until it is tried again, a quarter of them by chance */
  held(key: string): number {
    const count = this.counts.get(key) ?? 0;
    this.counts.set(key, count + 1);
    return Math.min(FIRST_MS * 2 ** count, LONGEST_MS) * (0.75 + this.random() / 4);
  }

  /**
   * It was not held back.
   * @param mayWrite whether writes are allowed now
   * @returns the others that wait, when this one shows that they need not any more
   */
  passed(key: string, mayWrite: boolean): string[] {
    return this.counts.delete(key) && mayWrite ? this.wake() : [];
  }

  /** @returns all that wait, as they need not any more, perhaps */
  wake(): string[] {
    const keys = [...this.counts.keys()];
    this.counts.clear();
    return keys;
  }
}
