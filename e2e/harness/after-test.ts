/** What a test takes away again when it is over, also where tests of a file run side by side. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { aroundEach, type TestContext } from 'vitest';

const running = new AsyncLocalStorage<TestContext>();

/** Lets {@link afterTest} know by whom it is called, in the file that begins: e2e/lane.ts does it. */
export function registerTests(): void {
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
