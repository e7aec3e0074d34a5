import { describe, expect, it } from 'vitest';
import { allOrNone, inParallel, until } from './parallel.ts';

const never = new AbortController().signal;

describe('work side by side', () => {
  it('does each item once, so many at a time', async () => {
    const done: number[] = [];
    let running = 0;
    let most = 0;
    const work = async (item: number): Promise<void> => {
      most = Math.max(most, ++running);
      await Promise.resolve();
      running--;
      done.push(item);
    };
    await inParallel([1, 2, 3, 4, 5], 2, work, never);
    expect(done.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5]);
    expect(most).toBe(2);
  });

  it('begins nothing more after a failure, and has ended what was begun before it says so', async () => {
    const begun: number[] = [];
    const ended: number[] = [];
    const slow = Promise.withResolvers<void>();
    const work = async (item: number): Promise<void> => {
      begun.push(item);
      if (item === 1) {
        // The other lane is in the middle of its item, and finishes it only after the failure.
        queueMicrotask(() => queueMicrotask(slow.resolve));
        throw new Error('the first failed');
      }
      await slow.promise;
      ended.push(item);
    };
    await expect(inParallel([1, 2, 3, 4, 5, 6], 2, work, never)).rejects.toThrow('the first failed');
    expect(begun).toEqual([1, 2]);
    expect(ended).toEqual([2]);
  });

  it('tells the calls under way that another has failed', async () => {
    const reasons: unknown[] = [];
    const failure = new Error('one failed');
    const works = [
      async () => Promise.reject(failure),
      async (signal: AbortSignal) => {
        if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
        reasons.push(signal.reason);
      },
    ];
    await expect(allOrNone<void>(works, never)).rejects.toBe(failure);
    expect(reasons).toEqual([failure]);
  });

  it('ends when it is told to', async () => {
    const stop = new AbortController();
    const begun: number[] = [];
    const work = async (item: number): Promise<void> => {
      begun.push(item);
      if (item === 3) stop.abort(new Error('Ctrl-C'));
    };
    await expect(inParallel([1, 2, 3, 4, 5], 1, work, stop.signal)).rejects.toThrow('Ctrl-C');
    expect(begun).toEqual([1, 2, 3]);
  });

  it('gives results in the order of the works', async () => {
    const first = Promise.withResolvers<string>();
    const works = [
      () => first.promise,
      async () => {
        first.resolve('a');
        return 'b';
      },
    ];
    expect(await allOrNone(works, never)).toEqual(['a', 'b']);
  });
});

describe('a wait', () => {
  const wait = { what: 'the end', progress: () => '3 of 4', say: () => undefined, signal: never };

  it('says what did not come, and how far it was', async () => {
    await expect(until({ ...wait, done: () => false, timeoutMs: 0 })).rejects.toThrow(
      'the end: not within 0 s (3 of 4)',
    );
  });

  it('is over at once when there is nothing to wait for', async () => {
    await until({ ...wait, done: () => true, timeoutMs: 0 });
  });

  it('ends when it is told to', async () => {
    const stop = new AbortController();
    let looks = 0;
    const done = () => {
      if (++looks === 2) stop.abort(new Error('Ctrl-C'));
      return false;
    };
    await expect(until({ ...wait, done, timeoutMs: 60_000, signal: stop.signal })).rejects.toThrow('Ctrl-C');
    expect(looks).toBe(2);
  });
});
