/** What the bench says while it runs, with the time since it began. */

const started = performance.now();

/** Milliseconds since the bench began. */
export function elapsedMs(): number {
  return performance.now() - started;
}

export function say(line: string): void {
  console.log(`[${(elapsedMs() / 1000).toFixed(1).padStart(7)}s] ${line}`);
}
