import { expect, it } from 'vitest';
import { createLimiter } from './limiter.ts';

const full = () => new Error('full');

it('runs so many at once, lets some wait in order and refuses the rest', async () => {
  const limiter = createLimiter(1, 1, full);
  const first = Promise.withResolvers<void>();
  const order: number[] = [];
  const one = limiter.run(() => first.promise.then(() => order.push(1)));
  const two = limiter.run(async () => order.push(2));
  expect(limiter.size).toBe(2);
  await expect(limiter.run(async () => 3)).rejects.toThrow('full');
  first.reject(new Error('failed'));
  await expect(one).rejects.toThrow('failed');
  await two;
  expect(order).toEqual([2]);
  expect(await limiter.run(async () => 4)).toBe(4);
  expect(limiter.size).toBe(0);
});

it('whoever waits no more leaves the line, and makes room in it', async () => {
  const limiter = createLimiter(1, 1, full);
  const first = Promise.withResolvers<void>();
  const one = limiter.run(() => first.promise);
  const gone = new AbortController();
  let ran = false;
  const two = limiter.run(async () => (ran = true), gone.signal);
  gone.abort(new Error('gone'));
  await expect(two).rejects.toThrow('gone');
  const three = limiter.run(async () => 3);
  first.resolve();
  await one;
  expect(await three).toBe(3);
  expect(ran).toBe(false);
  await expect(limiter.run(async () => 4, gone.signal)).rejects.toThrow('gone');
  expect(limiter.size).toBe(0);
});
