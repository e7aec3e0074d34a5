/**
 * How many claims of one namespace are looked at. A tenant writes them, and each costs memory: those that came first are
 * kept, and one that goes makes room for the next that is renewed.
 */
import { keyOf, type KubeObject, type ReadonlyStore } from '@kubeocean/shared/kube';

/** Far more than one computing cluster has bindings to one worker cluster. */
const MOST_CLAIMS = 200;

export class ClaimBound {
  private readonly taken = new Set<string>();
  private readonly onFull: (most: number) => void;
  private wasFull = false;

  /** @param onFull called when the first claim finds no place */
  constructor(onFull: (most: number) => void) {
    this.onFull = onFull;
  }

  /** Whether there is a place for this claim; it is taken until the store says that the claim is gone. */
  admits(claim: KubeObject): boolean {
    const key = keyOf(claim);
    if (this.taken.has(key)) return true;
    if (this.taken.size >= MOST_CLAIMS) {
      if (!this.wasFull) this.onFull(MOST_CLAIMS);
      this.wasFull = true;
      return false;
    }
    this.taken.add(key);
    return true;
  }

  /** The store that holds what was admitted. */
  follow(store: ReadonlyStore<KubeObject>): void {
    store.onChange(({ key, current }) => {
      if (current) return;
      this.taken.delete(key);
      this.wasFull = false;
    });
  }
}
