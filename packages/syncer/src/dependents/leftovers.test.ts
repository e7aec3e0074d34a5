import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createLeftovers } from './leftovers.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function collected() {
  const handed: string[] = [];
  return { handed, leftovers: createLeftovers((copy) => handed.push(copy)) };
}

test('what came is handed over, once each, when nothing more has come for 2 s', async () => {
  const { handed, leftovers } = collected();
  leftovers.add('secret/a');
  await vi.advanceTimersByTimeAsync(1500);
  leftovers.add('secret/b');
  leftovers.add('secret/a');
  await vi.advanceTimersByTimeAsync(1900);
  expect(handed).toEqual([]);
  await vi.advanceTimersByTimeAsync(100);
  expect(handed).toEqual(['secret/a', 'secret/b']);
  leftovers.add('secret/c');
  await vi.advanceTimersByTimeAsync(2000);
  expect(handed).toEqual(['secret/a', 'secret/b', 'secret/c']);
});

test('while more keeps coming, nothing waits longer than 30 s', async () => {
  const { handed, leftovers } = collected();
  for (let n = 0; n < 31; n++) {
    leftovers.add(`secret/${n}`);
    await vi.advanceTimersByTimeAsync(1000);
  }
  expect(handed).toHaveLength(30);
  leftovers.stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(handed).toHaveLength(30);
});
