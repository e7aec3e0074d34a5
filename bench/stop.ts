/** Ctrl-C and SIGTERM: what runs is given up at its next look, everything is taken away; a second one ends at once. */

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
      stop.abort();
    });
  }
}
