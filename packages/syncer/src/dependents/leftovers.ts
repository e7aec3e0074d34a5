/**
 * Copies that no pod needs any more. Nobody waits for their removal, and where many pods end at once it would compete with
 * these: they are handed over when no more have come for a while. What is needed again meanwhile need not be made anew.
 */
export interface Leftovers {
  add(copy: string): void;
  stop(): void;
}

/** So long, in milliseconds, nothing has come when what came is handed over. */
const QUIET_MS = 2000;
/** No copy waits longer than this, however many follow it. */
const LONGEST_MS = 30_000;

export function createLeftovers(handOver: (copy: string) => void): Leftovers {
  let copies = new Set<string>();
  let lastAt = 0;
  let timer: NodeJS.Timeout | undefined;

  /** One timer for all: it is set anew when it finds that more have come. */
  function wait(firstAt: number): void {
    const until = Math.min(lastAt + QUIET_MS, firstAt + LONGEST_MS);
    const left = until - performance.now();
    if (left > 0) timer = setTimeout(wait, left, firstAt);
    else {
      timer = undefined;
      const due = copies;
      copies = new Set();
      for (const copy of due) handOver(copy);
    }
  }

  return {
    add(copy) {
      copies.add(copy);
      lastAt = performance.now();
      if (!timer) wait(lastAt);
    },
    stop() {
      clearTimeout(timer);
    },
  };
}
