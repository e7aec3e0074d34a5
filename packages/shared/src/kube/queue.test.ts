import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { WorkQueue } from './queue.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A handler whose runs the test ends itself. */
function controlled() {
  const runs: { key: string; finish: (outcome?: { againInMs: number }) => void; fail: (error: Error) => void }[] = [];
  const handler = (key: string) => {
    const { promise, resolve, reject } = Promise.withResolvers<{ againInMs: number } | undefined>();
    runs.push({ key, finish: resolve, fail: reject });
    return promise;
  };
  return { runs, handler, keys: () => runs.map((run) => run.key) };
}

async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

test('nothing runs before the start; then keys run in the order they were added', () => {
  const { handler, keys } = controlled();
  const queue = new WorkQueue(handler);
  for (const key of ['a', 'b', 'a', 'c']) queue.add(key);
  expect(keys()).toEqual([]);
  expect(queue.depth).toBe(3);
  queue.start();
  expect(keys()).toEqual(['a', 'b', 'c']);
  expect(queue.depth).toBe(0);
});

test('a key never runs twice at once; added while it runs, it runs once more', async () => {
  const { runs, handler, keys } = controlled();
  const queue = new WorkQueue(handler);
  queue.start();
  queue.add('a');
  queue.add('a');
  queue.add('a');
  await settle();
  expect(keys()).toEqual(['a']);
  runs[0]?.finish();
  await settle();
  expect(keys()).toEqual(['a', 'a']);
  runs[1]?.finish();
  await settle();
  expect(keys()).toEqual(['a', 'a']);
});

test('no more keys run at once than there are workers', async () => {
  const { runs, handler, keys } = controlled();
  const queue = new WorkQueue(handler, { workers: 2 });
  queue.start();
  for (const key of ['a', 'b', 'c']) queue.add(key);
  expect(keys()).toEqual(['a', 'b']);
  runs[1]?.finish();
  await settle();
  expect(keys()).toEqual(['a', 'b', 'c']);
});

test('a failed key comes back after a delay that doubles up to the longest, and forgets failures when it succeeds', async () => {
  const delays: number[] = [];
  let failing = true;
  let last = 0;
  const failures: number[] = [];
  const queue = new WorkQueue(
    async () => {
      delays.push(performance.now() - last);
      last = performance.now();
      if (failing) throw new Error('no');
    },
    {
      baseDelayMs: 100,
      maxDelayMs: 1000,
      random: () => 0.5,
      onError: (_key, _error, count) => failures.push(count),
    },
  );
  queue.start();
  last = performance.now();
  queue.add('a');
  await vi.advanceTimersByTimeAsync(4000);
  expect(delays.map(Math.round)).toEqual([0, 100, 200, 400, 800, 1000, 1000]);
  expect(failures).toEqual([1, 2, 3, 4, 5, 6, 7]);
  failing = false;
  await vi.advanceTimersByTimeAsync(2000);
  failing = true;
  queue.add('a');
  await settle();
  expect(failures.at(-1)).toBe(1);
});

test('a key added by somebody else does not wait for its back-off', async () => {
  const { runs, handler, keys } = controlled();
  const queue = new WorkQueue(handler, { baseDelayMs: 60_000 });
  queue.start();
  queue.add('a');
  runs[0]?.fail(new Error('no'));
  await settle();
  expect(keys()).toEqual(['a']);
  queue.add('a');
  expect(keys()).toEqual(['a', 'a']);
  runs[1]?.finish();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(keys()).toEqual(['a', 'a']);
});

test('a handler may ask to run again later', async () => {
  const { runs, handler, keys } = controlled();
  const queue = new WorkQueue(handler);
  queue.start();
  queue.add('a');
  runs[0]?.finish({ againInMs: 5000 });
  await vi.advanceTimersByTimeAsync(4999);
  expect(keys()).toEqual(['a']);
  await vi.advanceTimersByTimeAsync(2);
  expect(keys()).toEqual(['a', 'a']);
});

test('of two times for a key the earlier one holds, and it runs once', async () => {
  const { runs, handler, keys } = controlled();
  const queue = new WorkQueue(handler);
  queue.start();
  queue.addAfter('a', 3000);
  queue.addAfter('a', 1000);
  queue.addAfter('a', 2000);
  await vi.advanceTimersByTimeAsync(1001);
  expect(keys()).toEqual(['a']);
  runs[0]?.finish();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(keys()).toEqual(['a']);
});

test('a time beyond what setTimeout takes is kept', async () => {
  const { handler, keys } = controlled();
  const queue = new WorkQueue(handler);
  queue.start();
  const days = 24 * 3600 * 1000;
  queue.addAfter('a', 40 * days);
  await vi.advanceTimersByTimeAsync(39 * days);
  expect(keys()).toEqual([]);
  await vi.advanceTimersByTimeAsync(days + 1000);
  expect(keys()).toEqual(['a']);
});

test('stopping drops what waits, takes nothing new and waits for what runs', async () => {
  const { runs, handler, keys } = controlled();
  const queue = new WorkQueue(handler, { workers: 1 });
  queue.start();
  queue.add('a');
  queue.add('b');
  queue.add('a');
  queue.addAfter('c', 10);
  let stopped = false;
  const stopping = queue.stop().then(() => {
    stopped = true;
  });
  queue.add('d');
  await vi.advanceTimersByTimeAsync(100);
  expect(stopped).toBe(false);
  runs[0]?.finish();
  await stopping;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(keys()).toEqual(['a']);
  expect(vi.getTimerCount()).toBe(0);
});

test('stopping gives up on a handler that never ends', async () => {
  const { handler } = controlled();
  const queue = new WorkQueue(handler);
  queue.start();
  queue.add('a');
  const stopping = queue.stop(2000);
  await vi.advanceTimersByTimeAsync(2001);
  await stopping;
});

test('it tells how long each key waited and ran', async () => {
  const observed: { waitSeconds: number; workSeconds: number; failed: boolean }[] = [];
  const { runs, handler } = controlled();
  const queue = new WorkQueue(handler, { observe: (run) => observed.push(run) });
  queue.add('a');
  await vi.advanceTimersByTimeAsync(3000);
  queue.start();
  await vi.advanceTimersByTimeAsync(2000);
  runs[0]?.fail(new Error('no'));
  await settle();
  expect(observed).toHaveLength(1);
  expect(observed[0]?.failed).toBe(true);
  expect(observed[0]?.waitSeconds).toBeCloseTo(3, 1);
  expect(observed[0]?.workSeconds).toBeCloseTo(2, 1);
});

const keys = fc.constantFrom('a', 'b', 'c');
const step = fc.oneof(
  fc.record({ add: keys }),
  fc.record({ addAfter: keys, ms: fc.integer({ min: 0, max: 500 }) }),
  fc.record({ finish: fc.nat(), how: fc.constantFrom('done', 'again', 'fail') }),
  fc.record({ pass: fc.integer({ min: 0, max: 400 }) }),
);

test('whatever the order: no key twice at once, never more than the workers, and no addition is lost', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 3 }), async (script, workers) => {
      /** Keys for which something happened since their last run began: they must run again. */
      const owed = new Set<string>();
      const violations: string[] = [];
      const running: { key: string; end: (how: string) => void }[] = [];
      const queue = new WorkQueue(
        (key) => {
          // Collected, not thrown: the queue would take an error for the handler's own and try again.
          if (running.some((run) => run.key === key)) violations.push(`${key} runs twice`);
          owed.delete(key);
          const { promise, resolve, reject } = Promise.withResolvers<{ againInMs: number } | undefined>();
          const run = {
            key,
            end: (how: string) => {
              running.splice(running.indexOf(run), 1);
              if (how !== 'done') owed.add(key);
              if (how === 'fail') reject(new Error('no'));
              else resolve(how === 'again' ? { againInMs: 200 } : undefined);
            },
          };
          running.push(run);
          if (running.length > workers) violations.push(`${running.length} run at once`);
          return promise;
        },
        {
          workers,
          baseDelayMs: 50,
          maxDelayMs: 400,
          ownerOf: (key) => (key === 'a' ? 'one' : 'two'),
          // It differs from one addition to the next.
          continues: (key) => key === 'b' || owed.size % 2 === 0,
        },
      );
      queue.start();
      for (const action of script) {
        if ('add' in action) {
          owed.add(action.add);
          queue.add(action.add);
        } else if ('addAfter' in action) {
          owed.add(action.addAfter);
          queue.addAfter(action.addAfter, action.ms);
        } else if ('pass' in action) await vi.advanceTimersByTimeAsync(action.pass);
        else running[action.finish % running.length]?.end(action.how);
        await settle();
      }
      for (let rounds = 0; rounds < 100 && (running.length > 0 || owed.size > 0); rounds++) {
        for (const run of running.slice()) run.end('done');
        await vi.advanceTimersByTimeAsync(600);
      }
      expect(violations).toEqual([]);
      expect([...owed]).toEqual([]);
      expect(queue.depth).toBe(0);
      for (const key of ['a', 'b']) queue.addAfter(key, 10);
      await queue.stop();
      queue.addAfter('c', 10);
      await vi.advanceTimersByTimeAsync(600);
      expect(running).toEqual([]);
    }),
    { numRuns: 200 },
  );
});
