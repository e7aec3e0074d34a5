/** What a test file made and must take away again: a stack, emptied after the file's last test. */
import { afterAll } from 'vitest';

type Undo = () => unknown;

/** What takes longer than this is told: it adds to every run of the tests. */
const LONG_SECONDS = 5;

const stack: Undo[] = [];

/**
 * Runs `undo` after the last test of this file, in reverse order of the calls. All are run even when some fail.
 * Call it in a test, a hook or at the top of the file; the first call must come before the tests end.
 */
export function cleanup(undo: Undo): void {
  stack.push(undo);
}

/** Registers the emptying of the stack for the file that begins: e2e/lane.ts does it. */
export function registerCleanup(): void {
  afterAll(async () => {
    const errors: unknown[] = [];
    for (let undo = stack.pop(); undo; undo = stack.pop()) {
      const began = performance.now();
      try {
        await undo();
      } catch (error) {
        errors.push(error);
      }
      // Not part of any test, so nothing else would show it.
      const seconds = (performance.now() - began) / 1000;
      if (seconds > LONG_SECONDS)
        console.log(`cleaning up took ${seconds.toFixed(1)} s: ${String(undo).slice(0, 200)}`);
    }
    if (errors.length > 0) throw new AggregateError(errors, `cleaning up: ${errors.map(String).join('; ')}`);
  });
}
