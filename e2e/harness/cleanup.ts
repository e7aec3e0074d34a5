/** What a test file made and must take away again: a stack, emptied after the file's last test. */
import { afterAll } from 'vitest';

type Undo = () => unknown;

const stack: Undo[] = [];
let registered = false;

/**
 * Runs `undo` after the last test of this file, in reverse order of the calls. All are run even when some fail.
 * Call it in a test, a hook or at the top of the file; the first call must come before the tests end.
 */
export function cleanup(undo: Undo): void {
  stack.push(undo);
}

/** Registers the emptying of the stack; importing the harness does it. */
export function registerCleanup(): void {
  if (registered) return;
  registered = true;
  afterAll(async () => {
    const errors: unknown[] = [];
    for (let undo = stack.pop(); undo; undo = stack.pop()) {
      try {
        await undo();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw new AggregateError(errors, `cleaning up: ${errors.map(String).join('; ')}`);
  });
}
