import { expect, test } from 'vitest';
import { createNews } from './news.ts';

function listening() {
  let now = 0;
  const isNews = createNews(() => now);
  /** Hears the same every so many milliseconds. @returns how often it was news */
  return (words: string, times: number, everyMs: number) => {
    let told = 0;
    for (let at = 0; at < times; at++) {
      if (isNews(words)) told++;
      now += everyMs;
    }
    return told;
  };
}

test.each([
  ['a failure that comes twice', 2, 20_000, 2],
  ['an hour of the same every 20 s', 180, 20_000, 8],
  ['a day of the same every 20 s', 4320, 20_000, 33],
  ['what comes once in a quarter of an hour', 10, 900_000, 10],
])('%s', (_, times, everyMs, told) => {
  expect(listening()('refused', times, everyMs)).toBe(told);
});

test('other words are news at once, and so are the same after a while in which all was well', () => {
  const hears = listening();
  expect(hears('refused', 5, 20_000)).toBe(3);
  expect(hears('Unauthorized', 1, 20_000)).toBe(1);
  expect(hears('refused', 1, 700_000)).toBe(0);
  expect(hears('refused', 1, 20_000)).toBe(1);
});

test('of words that differ each time no end of memory is kept', () => {
  const hears = listening();
  hears('refused', 2, 0);
  for (let port = 0; port < 1000; port++) expect(hears(`port ${port}`, 1, 0)).toBe(1);
  expect(hears('refused', 1, 0)).toBe(1);
});
