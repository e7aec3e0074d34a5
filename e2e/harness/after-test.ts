/** What a test takes away again when it is over, also where tests of a file run side by side. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { aroundEach, type TestContext } from 'vitest';

const running = new AsyncLocalStorage<TestContext>();
let registered = false;

/** Lets {@link afterTest} know by whom it is called; importing the harness does it. */
export function registerTests(): void {
  if (registered) return;
  registered = true;
  aroundEach((test, context) => running.run(context, test));
}

/**
 * Runs `undo` after the try of the test that calls this, in reverse order of the calls. Unlike vitest's `onTestFinished`
 * it may be called from `test.concurrent`, however deep and late.
 */
export function afterTest(undo: () => unknown): void {
  const test = running.getStore();
  if (!test) throw new Error('afterTest was called outside a test: use cleanup');
  test.onTestFinished(async () => void (await undo()));
}
