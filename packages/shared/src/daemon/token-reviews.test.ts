import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createTokenReviews } from './token-reviews.ts';

// By a clock that stands still, the timer by which what is over goes would be set again and again.
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Reviews of an API server that answers once it is let. */
function world() {
  let now = 0;
  const asked: string[] = [];
  let answers = Promise.resolve();
  const bearerOf = createTokenReviews<string>({
    knownMs: 1000,
    unknownMs: 100,
    atOnce: 2,
    waiting: 3,
    clock: () => now,
  });
  return {
    asked,
    pass: (ms: number) => (now += ms),
    hold: () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      answers = promise;
      return resolve;
    },
    knock: (token: string) =>
      bearerOf(token, async () => {
        asked.push(token);
        await answers;
        return token.startsWith('made-up') ? null : `bearer of ${token}`;
      }),
  };
}

test('a bearer is held for a while, and so is that there is none', async () => {
  const { knock, asked, pass } = world();
  for (let n = 0; n < 3; n++) {
    expect(await knock('a')).toBe('bearer of a');
    expect(await knock('made-up')).toBeUndefined();
  }
  expect(asked).toEqual(['a', 'made-up']);
  pass(101);
  await Promise.all([knock('a'), knock('made-up')]);
  expect(asked).toEqual(['a', 'made-up', 'made-up']);
  pass(900);
  await knock('a');
  expect(asked.at(-1)).toBe('a');
});

test('who asks about a token at the same time waits for one answer', async () => {
  const { knock, asked } = world();
  expect(await Promise.all([knock('a'), knock('a'), knock('a')])).toEqual(Array(3).fill('bearer of a'));
  expect(asked).toEqual(['a']);
});

test('a flood of made-up tokens keeps nobody waiting whose token was somebody’s', async () => {
  const { knock, asked, hold, pass } = world();
  await knock('scraper');
  pass(1001);
  const answer = hold();
  const flood = Array.from({ length: 100 }, (_, at) => knock(`made-up ${at}`).catch((error: Error) => error.message));
  const again = knock('scraper');
  await vi.waitFor(() => expect(asked).toEqual(['scraper', 'made-up 0', 'made-up 1', 'scraper']), 10_000);
  answer();
  expect(await again).toBe('bearer of scraper');
  const answers = await Promise.all(flood);
  expect(answers.filter((each) => each === 'too many at once, try again later')).toHaveLength(95);
});

test('nor is a bearer forgotten for them', async () => {
  const { knock, asked } = world();
  await knock('scraper');
  for (let at = 0; at < 5000; at++) await knock(`made-up ${at}`);
  await knock('scraper');
  expect(asked.filter((token) => token === 'scraper')).toHaveLength(1);
});

test('a failure is told and not remembered', async () => {
  const { asked, knock } = world();
  const bearerOf = createTokenReviews<string>({ knownMs: 1000, unknownMs: 100, atOnce: 1, waiting: 1 });
  await expect(bearerOf('a', () => Promise.reject(new Error('no answer')))).rejects.toThrow('no answer');
  expect(await bearerOf('a', () => Promise.resolve('b'))).toBe('b');
  expect(await knock('a')).toBe('bearer of a');
  expect(asked).toEqual(['a']);
});
