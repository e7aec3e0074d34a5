import { expect, test } from 'vitest';
import { fewAtOnce } from './few.ts';

test('what fails ends it: what has not begun is not begun', async () => {
  const begun: number[] = [];
  const all = Array.from({ length: 100 }, (_, at) => at);
  const doing = fewAtOnce(all, async (at) => {
    begun.push(at);
    await Promise.resolve();
    if (at === 5) throw new Error('no');
    return at;
  });
  await expect(doing).rejects.toThrow('no');
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(begun.length).toBeLessThan(12);
  expect(await fewAtOnce([3, 1, 2], async (at) => at * 2)).toEqual([6, 2, 4]);
  expect(await fewAtOnce([], async (at) => at)).toEqual([]);
});
