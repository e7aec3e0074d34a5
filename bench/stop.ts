/** Ctrl-C and SIGTERM: what runs is given up at once, everything is taken away; a second one ends at once. */
import { setTimeout as after } from 'node:timers/promises';

const stop = new AbortController();

/** Aborts at the first signal. */
export const stopping: AbortSignal = stop.signal;

export function stopOnSignals(say: (line: string) => void): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stop.signal.aborted) {
        say(`${signal} again: ending at once; the next run clears away what is left`);
        process.exit(130);
      }
      say(`${signal}: ending, and taking everything away; once more to end at once`);
      stop.abort(new Error(`ended by ${signal}`));
    });
  }
}

/** Waits so long, unless `signal` ends it. @throws the signal's reason */
export async function pause(ms: number, signal: AbortSignal = stopping): Promise<void> {
  await after(ms, undefined, { signal }).catch((error: unknown) => {
    signal.throwIfAborted();
    throw error;
  });
}
