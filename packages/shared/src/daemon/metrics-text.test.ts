import { expect, test } from 'vitest';
import { createMetricsText } from './metrics-text.ts';

/** A registry that takes so many milliseconds for each text. */
function world(tookMs: number) {
  let now = 1000;
  const seen = { made: 0, fails: false };
  const registry = {
    async metrics() {
      const text = `made ${++seen.made}`;
      await Promise.resolve();
      now += tookMs;
      if (seen.fails) throw new Error('a metric cannot be read');
      return text;
    },
  };
  return { ask: createMetricsText(registry, () => now), seen, pass: (ms: number) => (now += ms) };
}

test('whoever asks at the same time is given one text', async () => {
  const { ask, seen } = world(0);
  expect(await Promise.all(Array.from({ length: 1000 }, ask))).toEqual(Array(1000).fill('made 1'));
  expect(seen.made).toBe(1);
  expect(await ask()).toBe('made 2');
});

test('however often it is asked for, a tenth of the time goes into the text', async () => {
  const { ask, seen, pass } = world(10);
  for (let ms = 0; ms < 1000; ms++) {
    await ask();
    pass(1);
  }
  expect(seen.made).toBeLessThanOrEqual(12);
});

test('a text is a second old at most', async () => {
  const { ask, pass } = world(5000);
  await ask();
  pass(999);
  expect(await ask()).toBe('made 1');
  pass(1);
  expect(await ask()).toBe('made 2');
});

test('one that could not be made is tried again', async () => {
  const { ask, seen } = world(10);
  seen.fails = true;
  await expect(ask()).rejects.toThrow('cannot be read');
  seen.fails = false;
  expect(await ask()).toBe('made 2');
});
